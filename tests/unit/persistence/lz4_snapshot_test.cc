#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "persistence/lz4_envelope.h"
#include "tests/unit/persistence/test_server.h"
#include "tests/unit/persistence/test_snapshot.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string compressed_snapshot(Keyspace& keyspace) {
  for (int i = 0; i < 2000; ++i) {
    keyspace.database(0).set_string("key:" + std::to_string(i),
                                    "a value, number " + std::to_string(i * 7919));
  }
  return snapshot_of({.keyspace = &keyspace, .libraries = {"#!lua name=lib\n"}},
                     {.compression = RdbCompression::kLz4});
}

Result<RdbEnd> load(std::string_view bytes) {
  Keyspace keyspace(16);
  KeyspaceLoader loader(&keyspace, {});
  StringSource source(bytes);
  return read_snapshot(&source, {}, &loader);
}

TEST(Lz4Snapshot, IsAnEnvelopeWithAFrameThatHoldsAnOrdinarySnapshot) {
  Keyspace keyspace(16);
  const std::string bytes = compressed_snapshot(keyspace);
  EXPECT_THAT(bytes, StartsWith(std::string("VCS\1\1\0\1\x04\x22\x4d\x18", 11)));
  const std::string plain = snapshot_of({.keyspace = &keyspace, .libraries = {"#!lua name=lib\n"}},
                                        {.compression = RdbCompression::kNone});
  EXPECT_LT(bytes.size(), plain.size() / 2);
  StringSource in(std::string_view(bytes).substr(kEnvelopeBytes));
  Lz4FrameSource frame(&in);
  std::string unpacked(plain.size(), '\0');
  ASSERT_TRUE(frame.read(unpacked.data(), unpacked.size()).ok());
  EXPECT_TRUE(frame.expect_end().ok());
  EXPECT_TRUE(unpacked == plain);
}

TEST(Lz4Snapshot, SaysThatItWasCompressed) {
  Keyspace keyspace(16);
  const Result<RdbEnd> end = load(compressed_snapshot(keyspace));
  ASSERT_TRUE(end.ok());
  EXPECT_EQ(end.value().compression, RdbCompression::kLz4);
  EXPECT_EQ(load(snapshot_of({.keyspace = &keyspace})).value().compression, RdbCompression::kNone);
}

TEST(Lz4Snapshot, OfAnotherKindIsRefused) {
  Keyspace keyspace(16);
  const std::string bytes = compressed_snapshot(keyspace);
  for (size_t at = 3; at < kEnvelopeBytes; ++at) {
    std::string other = bytes;
    other[at] = 2;
    const Result<RdbEnd> end = load(other);
    ASSERT_FALSE(end.ok());
    EXPECT_EQ(end.error().kind, ErrorKind::kUnsupported);
    EXPECT_THAT(end.error().message, HasSubstr("compressed in a way"));
  }
}

TEST(Lz4Snapshot, DamagedOrCutAnywhereIsRefused) {
  Keyspace keyspace(16);
  const std::string bytes = compressed_snapshot(keyspace);
  for (size_t at = 0; at < bytes.size(); at += at < 40 ? 1 : 211) {
    EXPECT_FALSE(load(bytes.substr(0, at)).ok()) << "cut at " << at;
    std::string damaged = bytes;
    damaged[at] ^= 0x20;
    EXPECT_FALSE(load(damaged).ok()) << "damaged at " << at;
  }
  EXPECT_FALSE(load(bytes.substr(0, bytes.size() - 1)).ok());
}

TEST(Lz4Snapshot, WithMoreThanASnapshotInItsFrameIsRefused) {
  std::string bytes;
  StringSink sink(&bytes);
  ASSERT_TRUE(write_envelope(&sink, EnvelopeKind::kSnapshot).ok());
  Lz4FrameSink frame(&sink);
  ASSERT_TRUE(frame.write(rdb_of("") + "more").ok());
  ASSERT_TRUE(frame.finish().ok());
  const Result<RdbEnd> end = load(bytes);
  ASSERT_FALSE(end.ok());
  EXPECT_THAT(end.error().message, HasSubstr("bytes behind the snapshot"));
}

TEST(SnapshotVersion, NewerThanKnownIsReadWhenAskedTo) {
  const std::string records = "\xfe" + std::string("\0\0\1k\1v", 6);
  for (const auto& [header, accepted] :
       {std::pair("VALKEY081", true), std::pair("VALKEY999", true), std::pair("REDIS0012", false),
        std::pair("VALKEY079", false)}) {
    const std::string bytes = rdb_of(records, header);
    Keyspace keyspace(16);
    KeyspaceLoader loader(&keyspace, {});
    StringSource source(bytes);
    EXPECT_EQ(read_snapshot(&source, {.accept_newer = true}, &loader).ok(), accepted) << header;
    EXPECT_EQ(keyspace.total_size(), accepted ? 1u : 0u);
    EXPECT_FALSE(load(bytes).ok());
  }
}

class SnapshotForm : public ::testing::Test {
 protected:
  TestServer& start(std::vector<std::pair<std::string, std::string>> options) {
    server_.reset();
    env_.kill();
    server_.emplace(env_, clock_, std::move(options));
    EXPECT_EQ(server_->load(), "");
    return *server_;
  }
  MemoryEnv env_;
  ManualClock clock_;
  std::optional<TestServer> server_;
};

TEST_F(SnapshotForm, IsWhatTheConfigurationSays) {
  TestServer& server = start({{"rdb-version", "10"}});
  server.run("SET", "k", std::string(1000, 'x'));
  ASSERT_TRUE(server.persistence.save().ok());
  EXPECT_THAT(env_.content("/data/dump.rdb"), StartsWith("REDIS0010"));
  server.configure("rdb-version", "80");
  ASSERT_TRUE(server.persistence.save().ok());
  EXPECT_THAT(env_.content("/data/dump.rdb"), StartsWith("VALKEY080"));
  EXPECT_LT(env_.content("/data/dump.rdb").size(), 500u);
  server.configure("rdbcompression", "no");
  ASSERT_TRUE(server.persistence.save().ok());
  EXPECT_GT(env_.content("/data/dump.rdb").size(), 1000u);
  server.configure("rdbcompression", "lz4");
  ASSERT_TRUE(server.persistence.save().ok());
  EXPECT_THAT(env_.content("/data/dump.rdb"), StartsWith("VCS"));
  const Contents before = server.contents();
  EXPECT_EQ(start({}).contents(), before);
}

TEST_F(SnapshotForm, IsNewerThanConfiguredWhenFieldsExpire) {
  TestServer& server = start({{"rdb-version", "10"}});
  auto hash = std::make_unique<HashValue>();
  hash->set("field", "value", {});
  hash->set_expiry("field", 4'000'000'000'000);
  server.keyspace.database(0).set_value("hash", std::move(hash));
  ASSERT_TRUE(server.persistence.save().ok());
  EXPECT_THAT(env_.content("/data/dump.rdb"), StartsWith("VALKEY080"));
}

TEST_F(SnapshotForm, OfALargeDatasetIsGivenToTheDeviceInSteps) {
  TestServer& server = start({{"rdbcompression", "no"}, {"appendonly", "yes"}});
  for (int i = 0; i < 100; ++i) server.run("SET", std::to_string(i), std::string(100'000, 'x'));
  for (const bool on : {true, false}) {
    server.configure("rdb-save-incremental-fsync", on ? "yes" : "no");
    server.configure("aof-rewrite-incremental-fsync", on ? "yes" : "no");
    env_.syncs_begun.clear();
    ASSERT_TRUE(server.persistence.save().ok());
    EXPECT_EQ(env_.syncs_begun.size(), on ? 2u : 0u);
    env_.syncs_begun.clear();
    ASSERT_TRUE(server.persistence.start_rewrite().ok());
    server.settle();
    EXPECT_EQ(env_.syncs_begun.size(), on ? 2u : 0u);
  }
}

// In every form, with what was appended since.
TEST_F(SnapshotForm, OfTheBaseOfAnAofIsWhatTheConfigurationSays) {
  const std::vector<std::pair<std::string, std::string>> forms = {
      {"yes", "11"}, {"yes", "80"}, {"lz4", "10"}, {"lz4", "80"}};
  for (const auto& [compression, version] : forms) {
    TestServer& server =
        start({{"appendonly", "yes"}, {"rdbcompression", compression}, {"rdb-version", version}});
    server.run("SET", "in the base " + compression + version, "value");
    ASSERT_TRUE(server.persistence.start_rewrite().ok());
    server.settle();
    server.run("SET", "appended " + compression + version, "value");
    server.turn();
    server.run("SET", "last", compression + version);
    server.turn();
    const Contents before = server.contents();
    EXPECT_EQ(start({{"appendonly", "yes"}}).contents(), before) << compression << version;
  }
}

}  // namespace
}  // namespace tandem
