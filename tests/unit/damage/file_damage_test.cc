// Files that are cut short anywhere, or have any one byte changed. TANDEM_DAMAGE_SEED=n changes the
// bytes in another way.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "persistence/aof_loader.h"
#include "persistence/keyspace_loader.h"
#include "persistence/rdb_reader.h"
#include "persistence/rdb_writer.h"
#include "server/base/numbers.h"
#include "server/base/random.h"
#include "server/base/strings.h"
#include "server/commands/dataset_digest.h"
#include "tests/support/reply_text.h"
#include "tests/support/resp_client.h"
#include "tests/unit/persistence/memory_env.h"
#include "tools/cli/in_process_server.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;

uint64_t seed() {
  const char* text = std::getenv("TANDEM_DAMAGE_SEED");
  return text == nullptr ? 1 : parse_uint64(text).value_or(1);
}

std::string library(std::string_view name, std::string_view version) {
  return "#!lua name=" + std::string(name) + "\nserver.register_function('" + std::string(name) +
         "_version', function() return '" + std::string(version) + "' end)";
}

class FileDamageTest : public ::testing::Test {
 protected:
  FileDamageTest() { executor().effects().suspend(); }
  ~FileDamageTest() override { executor().effects().resume(); }

  Server& server() { return in_process_.server(); }
  Executor& executor() { return server().executor(); }

  std::string run(const std::vector<std::string>& words) {
    const std::vector<std::string_view> views(words.begin(), words.end());
    return reply_text(in_process_.run(views));
  }
  // A line of words without spaces.
  void must_run(std::string_view line) {
    std::vector<std::string> words;
    for (size_t at = 0; at < line.size();) {
      const size_t end = std::min(line.find(' ', at), line.size());
      words.emplace_back(line.substr(at, end - at));
      at = end + 1;
    }
    const std::string reply = run(words);
    ASSERT_FALSE(reply.starts_with("(error)")) << line << ": " << reply;
  }

  void clear() {
    server().keyspace().clear();
    ASSERT_TRUE(server().persistence().hooks().load_libraries({}).ok());
  }
  // Everything there is: keys and libraries.
  std::string state() {
    std::string text = dataset_digest(server().keyspace());
    for (const std::string& source : server().persistence().hooks().library_sources()) {
      text += "\n" + source;
    }
    return text;
  }

  cli::InProcessServer in_process_;
  MemoryEnv env_;
  Random random_{seed()};
};

// A unit of an AOF: a command, or a transaction.
using Unit = std::vector<std::vector<std::string>>;

class AofDamageTest : public FileDamageTest {
 protected:
  static constexpr const char* kPath = "/aof";
  static constexpr size_t kTail = 4096;

  void SetUp() override {
    ends_.push_back(0);
    states_.push_back(state());
    for (int i = 0; file_.size() < kTail + 200; ++i) {
      const std::string n = std::to_string(i);
      add({{"SELECT", std::to_string(i % 3)}});
      add({{"SET", "text:" + n, std::string(static_cast<size_t>(i % 40), 'x')}});
      add({{"MULTI"}, {"INCR", "count"}, {"RPUSH", "list", n}, {"EXEC"}});
      if (i % 2 == 0) file_ += "#TS:" + std::to_string(1'700'000'000 + i) + "\r\n";
      add({{"HSET", "hash", "field" + n, n, "other", "value"}});
      add({{"ZADD", "sorted", std::to_string(i * 0.5), "member" + n}});
      add({{"PEXPIREAT", "text:" + n, "4102444800000"}});
      if (i % 4 == 1) add({{"FUNCTION", "LOAD", "REPLACE", library("lib", n)}});
      if (i % 4 == 3) {
        add({{"MULTI"}, {"FUNCTION", "DELETE", "lib"}, {"SET", "gone", n}, {"EXEC"}});
      }
      add({{"XADD", "stream", std::to_string(i + 1) + "-1", "field", n}});
      add({{"DEL", "text:" + std::to_string(i / 2)}});
    }
  }

  void add(const Unit& unit) {
    for (const auto& words : unit) {
      const std::string reply = run(words);
      ASSERT_FALSE(reply.starts_with("(error)")) << words[0] << ": " << reply;
      file_ += encode_request({words.begin(), words.end()});
    }
    ends_.push_back(file_.size());
    states_.push_back(state());
  }

  // Loads the bytes as the last file of an AOF.
  Status load(std::string bytes, bool accept_truncated) {
    clear();
    cut_.reset();
    env_.content(kPath) = std::move(bytes);
    AofLoader loader(
        env_, executor(),
        {.accept_truncated = accept_truncated, .load_libraries = [this](const auto& sources) {
           return server().persistence().hooks().load_libraries(sources);
         }});
    Status status = loader.load_file(kPath, true);
    cut_ = loader.cut();
    return status;
  }

  // How many whole units the first `size` bytes hold.
  size_t units_in(size_t size) const {
    return static_cast<size_t>(std::upper_bound(ends_.begin(), ends_.end(), size) - ends_.begin()) -
           1;
  }

  // A count, a length or the end of a line; what stands in annotations is no part of it.
  bool is_structure(size_t at) const {
    const char first = at == 0 ? file_[0] : file_[file_.rfind('\n', at - 1) + 1];
    return first == '*' || first == '$' ||
           (first != '#' && (file_[at] == '\r' || file_[at] == '\n'));
  }

  std::string file_;
  std::vector<size_t> ends_;         // of the first n units
  std::vector<std::string> states_;  // after them
  std::optional<AofLoader::Cut> cut_;
};

TEST_F(AofDamageTest, CutAtAnyByteItLoadsItsWholeUnits) {
  for (size_t size = file_.size() - kTail; size <= file_.size(); ++size) {
    const std::string bytes = file_.substr(0, size);
    const size_t units = units_in(size);
    ASSERT_TRUE(load(bytes, true).ok()) << size;
    ASSERT_EQ(state(), states_[units]) << size;
    if (!cut_) continue;
    // What is left of the file is just that, and needs no other cut. An annotation may be its end.
    ASSERT_GE(cut_->size, ends_[units]);
    ASSERT_LT(cut_->size, size);
    ASSERT_EQ(units_in(cut_->size), units);
  }
}

TEST_F(AofDamageTest, CutAtAnyByteItIsRefusedWhereThatIsNotAllowed) {
  for (size_t size = file_.size() - kTail; size <= file_.size(); ++size) {
    const size_t units = units_in(size);
    const std::string_view rest = std::string_view(file_).substr(ends_[units], size - ends_[units]);
    const bool whole = rest.empty() || (rest[0] == '#' && rest.find('\n') == rest.size() - 1);
    const Status status = load(file_.substr(0, size), false);
    ASSERT_EQ(status.ok(), whole) << size;
    if (!whole) {
      ASSERT_THAT(status.error().message, HasSubstr("aof-load-truncated is no")) << size;
    }
  }
}

// An AOF has no checksum: a changed byte inside a key or a value is what that key or value is. What
// holds is that nothing crashes, and that damage to the structure is noticed or taken for a cut.
// (Only a length that comes to end where a later command does can go unnoticed.)
TEST_F(AofDamageTest, AnyByteChanged) {
  size_t refused = 0;
  for (size_t at = 0; at < file_.size(); ++at) {
    std::string bytes = file_;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 + random_.below(255)));
    const Status status = load(bytes, true);
    const std::string found = state();
    if (!status.ok()) {
      ++refused;
      ASSERT_THAT(status.error().to_string(), HasSubstr("offset")) << at;
      continue;
    }
    if (!is_structure(at)) continue;
    // A length can only be taken for that of a command which was cut off, at the file's end.
    const auto prefixes_end = states_.begin() + static_cast<ptrdiff_t>(units_in(at)) + 1;
    ASSERT_NE(std::find(states_.begin(), prefixes_end, found), prefixes_end)
        << "byte " << at << " is now " << static_cast<int>(bytes[at]);
  }
  EXPECT_GT(refused, file_.size() / 2);
}

class RdbDamageTest : public FileDamageTest, public ::testing::WithParamInterface<int> {
 protected:
  void SetUp() override {
    for (const char* line :
         {"SET text value", "SET number 12345",
          "SET long aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "PEXPIREAT number 4102444800000",
          "HSET hash one 1 two zwei", "RPUSH list a 2 ccc", "SADD integers 1 2 70000",
          "SADD set a b 3", "ZADD sorted 1 a 2.5 b -inf c", "PFADD hll a b c",
          "XADD stream 5-1 field value other 2", "XADD stream 5-2 field next",
          "XGROUP CREATE stream group 0",
          "XREADGROUP GROUP group consumer COUNT 1 STREAMS stream >", "SELECT 3",
          "SET elsewhere 1"}) {
      must_run(line);
    }
    for (const char* kind : {"HSET bighash", "SADD bigset", "ZADD bigsorted"}) {
      for (int i = 0; i < 140; ++i) {
        const std::string n = std::to_string(i);
        const bool is_set = std::string_view(kind).starts_with("SADD");
        must_run(std::string(kind) + " " + n + (is_set ? "x" : " m" + n));
      }
    }
    if (GetParam() >= 80) must_run("HPEXPIREAT hash 4102444800000 FIELDS 1 one");
    for (const char* name : {"first", "second"}) {
      ASSERT_THAT(run({"FUNCTION", "LOAD", library(name, "1")}), HasSubstr(name));
    }
    StringSink sink(&file_);
    const SnapshotSource source{
        .keyspace = &server().keyspace(),
        .libraries = server().persistence().hooks().library_sources(),
        .position = {.id = std::string(40, 'a'), .offset = 1000, .stream_db = 3},
        .now_ms = cli::InProcessServer::kStart_ms};
    ASSERT_TRUE(write_snapshot(&sink, source, {.version = GetParam()}).ok());
    state_ = state();
    ASSERT_TRUE(load(file_, true).ok());
    ASSERT_EQ(state(), state_);
  }

  Status load(const std::string& bytes, bool verify_checksum) {
    clear();
    Keyspace aside(16);
    KeyspaceLoader loader(&aside, {.now_ms = cli::InProcessServer::kStart_ms});
    StringSource source(bytes);
    Result<RdbEnd> end = read_snapshot(&source, {.verify_checksum = verify_checksum}, &loader);
    if (!end.ok()) return end.error();
    Status status = server().persistence().hooks().load_libraries(loader.libraries());
    if (status.ok()) server().keyspace().swap_contents(aside);
    return status;
  }

  std::string file_;
  std::string state_;
};

TEST_P(RdbDamageTest, AnyByteChangedIsNoticed) {
  for (size_t at = 0; at < file_.size(); ++at) {
    for (int i = 0; i < 2; ++i) {
      std::string bytes = file_;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 + random_.below(255)));
      // A number of the version can become one from before there were checksums: the rest is whole.
      if (load(bytes, true).ok()) {
        ASSERT_TRUE(at >= 5 && at < 9) << "byte " << at;
        ASSERT_EQ(state(), state_) << "byte " << at;
      }
    }
  }
}

// Nobody notices damage to a value then. What is loaded is a dataset all the same: it can be walked
// and written.
TEST_P(RdbDamageTest, AnyByteChangedIsSurvivedWithoutAChecksum) {
  size_t loaded = 0;
  for (size_t at = 0; at < file_.size(); ++at) {
    std::string bytes = file_;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 + random_.below(255)));
    if (!load(bytes, false).ok()) continue;
    ++loaded;
    (void)state();
    std::string again;
    StringSink sink(&again);
    ASSERT_TRUE(write_snapshot(&sink, {.keyspace = &server().keyspace()}, {.version = 80}).ok());
  }
  EXPECT_GT(loaded, file_.size() / 10);
  EXPECT_LT(loaded, file_.size());
}

TEST_P(RdbDamageTest, CutAtAnyByteItIsRefused) {
  for (size_t size = 0; size < file_.size(); ++size) {
    for (const bool verify : {false, true}) {
      ASSERT_FALSE(load(file_.substr(0, size), verify).ok()) << size;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Versions, RdbDamageTest, ::testing::Values(10, 11, 80));

}  // namespace
}  // namespace tandem
