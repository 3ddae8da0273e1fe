#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "persistence/dump_payload.h"
#include "server/base/env.h"
#include "server/base/posix_env.h"
#include "tests/unit/persistence/test_snapshot.h"

namespace tandem {
namespace {

using namespace std::string_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr int64_t kNow = 1'700'000'000'000;
const std::string kLibrary = "#!lua name=mylib\nserver.register_function('f', function() end)";

void set_hash(Database& db, std::string_view key, int fields, const HashLimits& limits = {}) {
  auto hash = std::make_unique<HashValue>();
  for (int i = 0; i < fields; ++i) {
    hash->set("field" + std::to_string(i), std::to_string(i * 1000), limits);
  }
  db.set_value(key, std::move(hash));
}

// One of everything that a snapshot can hold now.
void fill(Keyspace& keyspace) {
  keyspace.set_time(kNow);
  Database& db = keyspace.database(0);
  db.set_string("text", "hello");
  db.set_string("empty", "");
  db.set_string("bin\0ary"s, "\xff\0\r\n"s);
  db.set_string("compressible", std::string(10'000, 'a'));
  db.set_string("large", std::string(300'000, 'b') + "end");
  for (int64_t n : {int64_t{0}, int64_t{-1}, int64_t{127}, int64_t{-129}, int64_t{40'000},
                    int64_t{-3'000'000}, INT64_MAX, INT64_MIN}) {
    db.set_integer("int:" + std::to_string(n), n);
  }
  db.set_string("not an int", "007");
  db.set_expiry(db.set_string("soon", "gone"), kNow + 60'000);
  set_hash(db, "small hash", 3);
  set_hash(keyspace.database(3), "large hash", 2000);
  keyspace.database(15).set_string("last", "database");
}

struct Loaded {
  Keyspace keyspace{16};
  KeyspaceLoader loader{&keyspace, {.now_ms = kNow}};
  Result<RdbEnd> end = Error{};

  explicit Loaded(std::string_view bytes) {
    StringSource source(bytes);
    end = read_snapshot(&source, {}, &loader);
  }
};

// Reads from memory without saying how much there is, as a socket does.
class BlindSource final : public ByteSource {
 public:
  explicit BlindSource(std::string_view bytes) : inner_(bytes) {}
  Status read(char* out, size_t length) override { return inner_.read(out, length); }
  uint64_t offset() const override { return inner_.offset(); }
  uint64_t remaining_bound() const override { return UINT64_MAX; }

 private:
  StringSource inner_;
};

std::string error_of(std::string_view bytes) {
  Loaded loaded(bytes);
  return loaded.end.ok() ? "" : loaded.end.error().to_string();
}

TEST(Snapshot, ComesBackAsItWas) {
  Keyspace keyspace(16);
  fill(keyspace);
  const SnapshotSource source{.keyspace = &keyspace, .libraries = {kLibrary}, .now_ms = kNow};
  for (const auto compression :
       {RdbCompression::kNone, RdbCompression::kLzf, RdbCompression::kLz4}) {
    const std::string bytes = snapshot_of(source, {.compression = compression});
    Loaded loaded(bytes);
    ASSERT_TRUE(loaded.end.ok()) << loaded.end.error().to_string();
    EXPECT_EQ(loaded.end.value().offset, bytes.size());
    EXPECT_EQ(loaded.end.value().version, 11);
    EXPECT_EQ(contents_of(loaded.keyspace), contents_of(keyspace));
    EXPECT_THAT(loaded.loader.libraries(), ElementsAre(kLibrary));
    EXPECT_EQ(loaded.loader.counts().keys_loaded, keyspace.total_size());
  }
}

TEST(Snapshot, IsReadFromASourceOfUnknownLength) {
  Keyspace keyspace(16);
  fill(keyspace);
  for (const auto compression : {RdbCompression::kLzf, RdbCompression::kLz4}) {
    const std::string bytes =
        snapshot_of({.keyspace = &keyspace, .now_ms = kNow}, {.compression = compression}) +
        "the stream";
    Keyspace copy(16);
    KeyspaceLoader loader(&copy, {.now_ms = kNow});
    BlindSource source(bytes);
    Result<RdbEnd> end = read_snapshot(&source, {}, &loader);
    ASSERT_TRUE(end.ok()) << end.error().to_string();
    EXPECT_EQ(contents_of(copy), contents_of(keyspace));
    // What follows the snapshot has not been touched.
    EXPECT_EQ(source.offset(), bytes.size() - 10);
  }
}

TEST(Snapshot, CarriesThePlaceInTheReplicationHistory) {
  const ReplicationPosition position{std::string(40, 'a'), 12345, -1};
  Loaded loaded(snapshot_of({.position = position}));
  ASSERT_TRUE(loaded.end.ok());
  ASSERT_TRUE(loaded.loader.position().has_value());
  EXPECT_EQ(loaded.loader.position()->id, position.id);
  EXPECT_EQ(loaded.loader.position()->offset, 12345u);
  EXPECT_EQ(loaded.loader.position()->stream_db, -1);
  EXPECT_FALSE(Loaded(snapshot_of({})).loader.position().has_value());
}

TEST(Snapshot, KeepsAccessTimes) {
  const auto accessed_s = static_cast<uint32_t>(kNow / 1000 - 500);
  Keyspace keyspace(16);
  keyspace.set_time(kNow);
  keyspace.database(0).set_string("k", "v")->set_access_clock(accessed_s);
  Loaded loaded(
      snapshot_of({.keyspace = &keyspace, .now_ms = kNow, .access = AccessRecord::kIdle}));
  ASSERT_TRUE(loaded.end.ok());
  EXPECT_EQ(loaded.keyspace.database(0).peek("k")->access_clock(), accessed_s & 0xffffff);
}

TEST(Snapshot, AnExpiredKeyIsDroppedByAPrimaryAndKeptByAReplica) {
  const std::string expired = rdb_of("\xfc" + little_endian(kNow - 1, 8) + "\0\1k\1v"s);
  Loaded primary(expired);
  ASSERT_TRUE(primary.end.ok());
  EXPECT_EQ(primary.keyspace.total_size(), 0u);
  EXPECT_EQ(primary.loader.counts().keys_expired, 1u);

  Keyspace keyspace(16);
  KeyspaceLoader replica(&keyspace, {.now_ms = kNow, .drop_expired = false});
  StringSource source(expired);
  ASSERT_TRUE(read_snapshot(&source, {}, &replica).ok());
  EXPECT_EQ(keyspace.total_size(), 1u);
}

TEST(SnapshotReader, ReadsOldEncodings) {
  const std::string records = "\xfe\0\xfb\3\1"s +                            // database 0
                              "\xfd" + little_endian(kNow / 1000 + 10, 4) +  // seconds
                              "\0\1s\xc1\x39\x30"s +                         // int16
                              "\4\1h\1\1f\1v"s +                             // plain hash
                              "\x09\1z\x0c\2\1"
                              "a\1\0"
                              "1\1"
                              "b\1\0"
                              "2\xff"s;  // zipmap
  Loaded loaded(rdb_of(records));
  ASSERT_TRUE(loaded.end.ok()) << loaded.end.error().to_string();
  EXPECT_EQ(contents_of(loaded.keyspace),
            (Contents{{{0, "s"}, "string:12345@" + std::to_string((kNow / 1000 + 10) * 1000)},
                      {{0, "h"}, "hash:f=v;"},
                      {{0, "z"}, "hash:a=1;b=2;"}}));
}

TEST(SnapshotReader, PassesOverWhatItHasNoUseFor) {
  const std::string records = "\xf7\5\2\1\2\7\4"s + "12345678" + "\5\3xyz\0"s +  // module data
                              "\xf4\1\2\3"s +                                    // slot sizes
                              "\xfa\3new\5thing\0\1k\1v"s;
  Loaded loaded(rdb_of(records, "VALKEY080"));
  ASSERT_TRUE(loaded.end.ok()) << loaded.end.error().to_string();
  EXPECT_EQ(loaded.end.value().version, 80);
  EXPECT_EQ(contents_of(loaded.keyspace), (Contents{{{0, "k"}, "string:v"}}));
}

TEST(SnapshotReader, KnowsWhichVersionsItReads) {
  EXPECT_EQ(error_of(rdb_of("", "REDIS0001")), "");
  EXPECT_EQ(error_of(rdb_of("", "REDIS0011")), "");
  EXPECT_EQ(error_of(rdb_of("", "VALKEY080")), "");
  for (const char* header : {"REDIS0000", "REDIS0012", "REDIS0079", "VALKEY079", "VALKEY081"}) {
    EXPECT_THAT(error_of(rdb_of("", header)), HasSubstr("RDB version")) << header;
    EXPECT_THAT(error_of(rdb_of("", header)), HasSubstr(header));
  }
  EXPECT_THAT(error_of("REDIS"), HasSubstr("not an RDB file"));
  EXPECT_THAT(error_of("REDIS00x1 and more"), HasSubstr("no version number"));
  EXPECT_THAT(error_of("*2\r\n$6\r\nSELECT\r\n"), HasSubstr("wrong signature"));
}

TEST(SnapshotReader, SaysWhereAndWhatIsWrong) {
  const std::string good = rdb_of("\0\1k\1v"s);
  std::string damaged = good;
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  EXPECT_EQ(error_of(damaged), "wrong checksum: the file is damaged at offset 15");
  EXPECT_THAT(error_of(good.substr(0, 12)), HasSubstr("unexpected end"));
  EXPECT_THAT(error_of(rdb_of("\0\1k\x81\x7f\xff\xff\xff\xff\xff\xff\xff"s)),
              HasSubstr("expected a string of 9223372036854775807 bytes"));
  EXPECT_THAT(error_of(rdb_of("\4\1k\x80\xff\xff\xff\xff"s)),
              HasSubstr("more than the remaining bytes can hold"));
  EXPECT_THAT(error_of(rdb_of("\0\1k\xc3\1\x80\xff\xff\xff\xff"
                              "a"s)),
              HasSubstr("expected a string"));
  EXPECT_THAT(error_of(rdb_of("\7\1m\1\1a")),
              HasSubstr("type 7 (module value) of key \"m\" is not supported by this server yet"));
  EXPECT_THAT(error_of(rdb_of("\x30\1l\1\1a")), HasSubstr("found 48"));
  EXPECT_THAT(error_of(rdb_of("\xf6")), HasSubstr("opcode 246"));
  EXPECT_THAT(error_of(rdb_of("\4\1k\0"s)), HasSubstr("is empty"));
  EXPECT_THAT(error_of(rdb_of("\4\1k\2\1f\1a\1f\1b")), HasSubstr("twice"));
  EXPECT_THAT(error_of(rdb_of("\0\1k\1v\0\1k\1w"s)), HasSubstr("there twice"));
  EXPECT_THAT(error_of(rdb_of("\xfe\x10\0\1k\1v"s)), HasSubstr("has only 16"));
}

TEST(SnapshotReader, AZeroChecksumIsNotVerified) {
  std::string bytes = rdb_of("\0\1k\1v"s);
  bytes.replace(bytes.size() - 8, 8, std::string(8, '\0'));
  EXPECT_EQ(error_of(bytes), "");
}

// Whatever byte is damaged, the reader refuses the file or reads something; it never reaches
// outside its input. (What it touches is watched by the sanitizers.)
TEST(SnapshotReader, SurvivesEveryDamagedByte) {
  Keyspace keyspace(16);
  keyspace.set_time(kNow);
  Database& db = keyspace.database(0);
  db.set_string("text", std::string(100, 'x'));
  db.set_integer("number", 123456);
  db.set_expiry(db.set_string("soon", "gone"), kNow + 60'000);
  set_hash(db, "packed", 5);
  set_hash(db, "table", 5, {.max_listpack_entries = 2});
  const std::string bytes = snapshot_of(
      {.keyspace = &keyspace, .libraries = {kLibrary}, .now_ms = kNow}, {.checksum = false});
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const int flip : {0x01, 0x80, 0xff, 0x40, 0x03}) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ flip);
      Loaded loaded(damaged);
      if (!loaded.end.ok()) {
        EXPECT_TRUE(loaded.end.error().offset.has_value()) << loaded.end.error().message;
      }
    }
  }
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(Loaded(bytes.substr(0, length)).end.ok()) << length;
  }
}

std::string shared_file(const std::string& name) {
  std::unique_ptr<Env> env = make_posix_env([](std::function<void()>) {});
  Result<std::string> bytes =
      read_file(*env, std::string(TANDEM_SHARED_DIR) + "/data/" + name, 1 << 24);
  return bytes.ok() ? std::move(bytes).value() : "";
}

TEST(SnapshotReader, ReadsTheFunctionsOnlyFileOfAnotherServer) {
  const std::string bytes = shared_file("valkey81-functions-only.rdb");
  if (bytes.empty()) GTEST_SKIP() << "no shared data beside the checkout";
  Loaded loaded(bytes);
  ASSERT_TRUE(loaded.end.ok()) << loaded.end.error().to_string();
  ASSERT_FALSE(loaded.loader.libraries().empty());
  EXPECT_THAT(loaded.loader.libraries()[0], testing::StartsWith("#!lua name="));
}

TEST(SnapshotReader, ReadsEveryTypeOfOtherServers) {
  for (const char* name : {"redis70-all-types.rdb", "valkey81-all-types.rdb"}) {
    const std::string bytes = shared_file(name);
    if (bytes.empty()) GTEST_SKIP() << "no shared data beside the checkout";
    Loaded loaded(bytes);
    EXPECT_TRUE(loaded.end.ok()) << name << ": " << loaded.end.error().to_string();
  }
}

TEST(DumpPayload, CarriesAValue) {
  Keyspace keyspace(16);
  fill(keyspace);
  for (int i = 0; i < keyspace.database_count(); ++i) {
    keyspace.database(i).for_each([&](const Entry* entry) {
      std::string text;
      Result<RdbValue> value = decode_value_payload(dump_value(*entry), {}, &text);
      ASSERT_TRUE(value.ok()) << value.error().to_string();
      Keyspace copy(1);
      KeyspaceLoader loader(&copy, {});
      const RdbKey key{.name = entry->key(), .expires_at_ms = entry->expires_at_ms()};
      ASSERT_TRUE(loader.on_key(key, std::move(value).value()).ok());
      ASSERT_TRUE(loader.on_end().ok());
      EXPECT_EQ(describe(*copy.database(0).peek(entry->key())), describe(*entry));
    });
  }
}

TEST(DumpPayload, FooterIsCheckedFirst) {
  Keyspace keyspace(1);
  const std::string payload = dump_value(*keyspace.database(0).set_string("k", "value"));
  std::string text;
  EXPECT_TRUE(decode_value_payload(payload, {}, &text).ok());
  EXPECT_EQ(text, "value");
  for (size_t i = 0; i < payload.size(); ++i) {
    std::string damaged = payload;
    damaged[i] = static_cast<char>(damaged[i] ^ 0x10);
    Result<RdbValue> value = decode_value_payload(damaged, {}, &text);
    ASSERT_FALSE(value.ok());
    EXPECT_EQ(value.error().message, "DUMP payload version or checksum are wrong");
  }
  EXPECT_FALSE(decode_value_payload("", {}, &text).ok());
  const std::string long_body = "\0\1vv"s + little_endian(11, 2);
  Result<RdbValue> value =
      decode_value_payload(long_body + little_endian(crc64(0, long_body), 8), {}, &text);
  ASSERT_FALSE(value.ok());
  EXPECT_EQ(value.error().kind, ErrorKind::kCorrupt);
}

TEST(DumpPayload, CarriesLibraries) {
  const std::vector<std::string> libraries = {kLibrary, "#!lua name=other\nx"};
  Result<std::vector<std::string>> read = decode_libraries_payload(dump_libraries(libraries));
  ASSERT_TRUE(read.ok());
  EXPECT_EQ(read.value(), libraries);
  EXPECT_EQ(decode_libraries_payload(dump_libraries({})).value().size(), 0u);
  Keyspace keyspace(1);
  EXPECT_FALSE(
      decode_libraries_payload(dump_value(*keyspace.database(0).set_string("k", "v"))).ok());
}

}  // namespace
}  // namespace tandem
