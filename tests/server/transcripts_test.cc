// The walk-through of the introduction to functions: what a user types and what is printed.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>

#include <filesystem>
#include <regex>
#include <string>

#include "tests/support/await.h"
#include "tests/support/pair.h"

namespace tandem {
namespace {

constexpr std::string_view kFirstLibrary = R"lua(#!lua name=mylib

local function my_hset(keys, args)
  local hash = keys[1]
  local time = server.call('TIME')[1]
  return server.call('HSET', hash, '_last_modified_', time, unpack(args))
end

server.register_function('my_hset', my_hset)
)lua";

constexpr std::string_view kExpandedLibrary = R"lua(#!lua name=mylib

local function my_hset(keys, args)
  local hash = keys[1]
  local time = server.call('TIME')[1]
  return server.call('HSET', hash, '_last_modified_', time, unpack(args))
end

local function my_hgetall(keys, args)
  server.setresp(3)
  local hash = keys[1]
  local res = server.call('HGETALL', hash)
  res['map']['_last_modified_'] = nil
  return res
end

local function my_hlastmodified(keys, args)
  local hash = keys[1]
  return server.call('HGET', hash, '_last_modified_')
end

server.register_function('my_hset', my_hset)
server.register_function('my_hgetall', my_hgetall)
server.register_function('my_hlastmodified', my_hlastmodified)
)lua";

constexpr std::string_view kCheckingFunctions = R"lua(#!lua name=mylib

local function check_keys(keys)
  local error = nil
  local nkeys = table.getn(keys)
  if nkeys == 0 then
    error = 'Hash key name not provided'
  elseif nkeys > 1 then
    error = 'Only one key name is allowed'
  end

  if error ~= nil then
    server.log(redis.LOG_WARNING, error);
    return server.error_reply(error)
  end
  return nil
end

local function my_hset(keys, args)
  local error = check_keys(keys)
  if error ~= nil then
    return error
  end

  local hash = keys[1]
  local time = server.call('TIME')[1]
  return server.call('HSET', hash, '_last_modified_', time, unpack(args))
end

local function my_hgetall(keys, args)
  local error = check_keys(keys)
  if error ~= nil then
    return error
  end

  server.setresp(3)
  local hash = keys[1]
  local res = server.call('HGETALL', hash)
  res['map']['_last_modified_'] = nil
  return res
end

local function my_hlastmodified(keys, args)
  local error = check_keys(keys)
  if error ~= nil then
    return error
  end

  local hash = keys[1]
  return server.call('HGET', keys[1], '_last_modified_')
end
)lua";

constexpr std::string_view kPlainRegistrations = R"lua(
server.register_function('my_hset', my_hset)
server.register_function('my_hgetall', my_hgetall)
server.register_function('my_hlastmodified', my_hlastmodified)
)lua";

constexpr std::string_view kFlaggedRegistrations = R"lua(
server.register_function('my_hset', my_hset)
server.register_function{
  function_name='my_hgetall',
  callback=my_hgetall,
  flags={ 'no-writes' }
}
server.register_function{
  function_name='my_hlastmodified',
  callback=my_hlastmodified,
  flags={ 'no-writes' }
}
)lua";

constexpr std::string_view kPrompt = "127.0.0.1:6379> ";

struct Session {
  std::string typed;
  std::string printed;
};

// Splits a transcript into what was typed after the prompts and what was printed.
Session split(std::string_view transcript) {
  Session session;
  while (!transcript.empty()) {
    const std::string_view line = transcript.substr(0, transcript.find('\n') + 1);
    transcript.remove_prefix(line.size());
    if (line.starts_with(kPrompt)) {
      session.typed += line.substr(kPrompt.size());
    } else {
      session.printed += line;
    }
  }
  return session;
}

// The walk-through's own time in the place of the clock's.
std::string with_printed_time(const std::string& text) {
  return std::regex_replace(text, std::regex("\"[0-9]{10}\""), "\"1640772721\"");
}

class Transcripts : public ::testing::TestWithParam<const char*> {
 protected:
  static std::string cli() {
    return GetParam() == std::string("tandem-cli") ? tandem_cli_path() : GetParam();
  }

  static void expect(const ServerProcess& server, std::string_view transcript) {
    const Session session = split(transcript);
    const Output output = run_program({cli(), "-p", server.port_text(), "--no-raw"}, session.typed);
    EXPECT_EQ(with_printed_time(output.out), session.printed);
    EXPECT_EQ(output.err, "");
  }

  // $ cat mylib.lua | valkey-cli -x FUNCTION LOAD REPLACE
  void load(std::string_view library) {
    const TempDir dir;
    write_whole(dir.file("mylib.lua"), library);
    const Output output =
        run_program({"sh", "-c",
                     "cat '" + dir.file("mylib.lua") + "' | '" + cli() + "' -p " +
                         pair_.primary.port_text() + " -x FUNCTION LOAD REPLACE"});
    EXPECT_EQ(output.out, "mylib\n");
    EXPECT_EQ(output.code, 0) << output.err;
  }

  void set_hash() {
    expect(
        pair_.primary,
        R"(127.0.0.1:6379> FCALL my_hset 1 myhash myfield "some value" another_field "another value"
(integer) 3
)");
  }

  void await_replica() {
    ASSERT_TRUE(eventually([this] { return caught_up(pair_.primary, pair_.replica); }));
  }

  Pair pair_;
};

TEST_P(Transcripts, LoadingLibrariesAndFunctions) {
  expect(pair_.primary, R"(127.0.0.1:6379> FUNCTION LOAD "#!lua name=mylib\n"
(error) ERR No functions registered
)");
  expect(
      pair_.primary,
      R"typed(127.0.0.1:6379> FUNCTION LOAD "#!lua name=mylib\nserver.register_function('knockknock', function() return 'Who\\'s there?' end)"
mylib
127.0.0.1:6379> FCALL knockknock 0
"Who's there?"
)typed");
}

TEST_P(Transcripts, InputKeysAndRegularArguments) {
  load(kFirstLibrary);
  set_hash();
  expect(pair_.primary, R"(127.0.0.1:6379> HGETALL myhash
1) "_last_modified_"
2) "1640772721"
3) "myfield"
4) "some value"
5) "another_field"
6) "another value"
)");
}

TEST_P(Transcripts, ExpandingTheLibrary) {
  load(kFirstLibrary);
  set_hash();
  load(kExpandedLibrary);
  expect(pair_.primary, R"(127.0.0.1:6379> FCALL my_hgetall 1 myhash
1) "myfield"
2) "some value"
3) "another_field"
4) "another value"
127.0.0.1:6379> FCALL my_hlastmodified 1 myhash
"1640772721"
)");
  expect(pair_.primary, R"(127.0.0.1:6379> FUNCTION LIST
1) 1) "library_name"
   2) "mylib"
   3) "engine"
   4) "LUA"
   5) "functions"
   6) 1) 1) "name"
         2) "my_hset"
         3) "description"
         4) (nil)
         5) "flags"
         6) (empty array)
      2) 1) "name"
         2) "my_hgetall"
         3) "description"
         4) (nil)
         5) "flags"
         6) (empty array)
      3) 1) "name"
         2) "my_hlastmodified"
         3) "description"
         4) (nil)
         5) "flags"
         6) (empty array)
)");
}

TEST_P(Transcripts, ReusingCodeInTheLibrary) {
  load(std::string(kCheckingFunctions).append(kPlainRegistrations));
  expect(pair_.primary, R"(127.0.0.1:6379> FCALL my_hset 0 myhash nope nope
(error) Hash key name not provided
127.0.0.1:6379> FCALL my_hgetall 2 myhash anotherone
(error) Only one key name is allowed
)");
  const std::string log = pair_.primary.log();
  const std::string prefix =
      "(^|\n)" + std::to_string(pair_.primary.process().pid()) +
      ":M [ 0-9]?[0-9] [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3} # ";
  EXPECT_TRUE(std::regex_search(log, std::regex(prefix + "Hash key name not provided\n"))) << log;
  EXPECT_TRUE(std::regex_search(log, std::regex(prefix + "Only one key name is allowed\n"))) << log;
}

TEST_P(Transcripts, FunctionFlags) {
  load(std::string(kCheckingFunctions).append(kPlainRegistrations));
  set_hash();
  await_replica();
  expect(pair_.replica, R"(127.0.0.1:6379> FCALL_RO my_hgetall 1 myhash
(error) ERR Can not execute a function with write flag using fcall_ro.
)");
  load(std::string(kCheckingFunctions).append(kFlaggedRegistrations));
  await_replica();
  expect(pair_.replica, R"(127.0.0.1:6379> FCALL_RO my_hgetall 1 myhash
1) "myfield"
2) "some value"
3) "another_field"
4) "another value"
127.0.0.1:6379> FCALL_RO my_hlastmodified 1 myhash
"1640772721"
)");
}

INSTANTIATE_TEST_SUITE_P(Cli, Transcripts, ::testing::Values("redis-cli", "tandem-cli"),
                         [](const auto& one) {
                           return one.param == std::string("redis-cli") ? "Redis" : "Tandem";
                         });

// The three cases in which a function without the no-writes flag is refused, and the flag that
// lifts them.
class Refusals : public ::testing::Test {
 protected:
  void load(ServerProcess& server, bool no_writes) {
    const std::string flags = no_writes ? "flags={'no-writes'}, " : "";
    server.run("FUNCTION", "LOAD", "REPLACE",
               "#!lua name=lib\nserver.register_function{" + flags +
                   "function_name='read', callback=function(keys) "
                   "return server.call('GET', keys[1]) end}");
    server.run("SET", "key", "value");
  }
};

TEST_F(Refusals, FcallOnAReadOnlyReplica) {
  Pair pair;
  load(pair.primary, false);
  ASSERT_TRUE(eventually([&] { return caught_up(pair.primary, pair.replica); }));
  EXPECT_EQ(pair.replica.run("FCALL", "read", "1", "key"),
            "(error) READONLY You can't write against a read only replica.");
  load(pair.primary, true);
  ASSERT_TRUE(eventually([&] { return caught_up(pair.primary, pair.replica); }));
  EXPECT_EQ(pair.replica.run("FCALL", "read", "1", "key"), "\"value\"");
}

TEST_F(Refusals, FcallRo) {
  ServerProcess server;
  load(server, false);
  EXPECT_EQ(server.run("FCALL_RO", "read", "1", "key"),
            "(error) ERR Can not execute a function with write flag using fcall_ro.");
  load(server, true);
  EXPECT_EQ(server.run("FCALL_RO", "read", "1", "key"), "\"value\"");
}

TEST_F(Refusals, DiskError) {
  ServerProcess server({"--save", "3600 100000"});
  load(server, true);
  server.run("FUNCTION", "LOAD",
             "#!lua name=other\nserver.register_function('any', function() return 1 end)");
  // A directory in the snapshot's place cannot be replaced by a file.
  std::filesystem::create_directory(server.file("dump.rdb"));
  server.run("BGSAVE");
  ASSERT_TRUE(eventually([&] { return server.info("rdb_last_bgsave_status") == "err"; }));
  EXPECT_THAT(server.run("SET", "key", "other"), ::testing::StartsWith("(error) MISCONF "));
  EXPECT_THAT(server.run("FCALL", "any", "0"), ::testing::StartsWith("(error) MISCONF "));
  EXPECT_EQ(server.run("FCALL", "read", "1", "key"), "\"value\"");
  EXPECT_EQ(server.run("FCALL_RO", "read", "1", "key"), "\"value\"");

  std::filesystem::remove(server.file("dump.rdb"));
  server.run("BGSAVE");
  ASSERT_TRUE(eventually([&] { return server.info("rdb_last_bgsave_status") == "ok"; }));
  EXPECT_EQ(server.run("FCALL", "any", "0"), "(integer) 1");
  // What the child changed of the memory it shared, and how long it took to make it.
  EXPECT_NE(server.info("rdb_last_cow_size"), "0");
  EXPECT_NE(server.info("total_forks"), "0");
}

// A small disk, where the system lets a test mount one.
class SmallDisk {
 public:
  explicit SmallDisk(std::string path) : path_(std::move(path)) {
    mounted_ = mount("tmpfs", path_.c_str(), "tmpfs", 0, "size=600k") == 0;
  }
  ~SmallDisk() {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }
  bool grow() { return mount("tmpfs", path_.c_str(), "tmpfs", MS_REMOUNT, "size=8m") == 0; }

 private:
  std::string path_;
  bool mounted_;
};

TEST_F(Refusals, FullDisk) {
  TempDir dir;
  SmallDisk disk(dir.path());
  if (!disk.mounted()) GTEST_SKIP() << "needs the right to mount a file system";
  ServerProcess server({"--appendonly", "yes", "--dir", dir.path()});
  load(server, true);
  server.run("FUNCTION", "LOAD",
             "#!lua name=other\nserver.register_function('any', function() return 1 end)");
  server.run("SET", "large", std::string(400'000, 'x'));
  server.run("SET", "too large", std::string(400'000, 'x'));
  ASSERT_TRUE(eventually([&] { return server.info("aof_last_write_status") == "err"; }));
  EXPECT_THAT(server.run("SET", "key", "other"), ::testing::StartsWith("(error) MISCONF "));
  EXPECT_THAT(server.run("FCALL", "any", "0"), ::testing::StartsWith("(error) MISCONF "));
  EXPECT_EQ(server.run("FCALL", "read", "1", "key"), "\"value\"");

  ASSERT_TRUE(disk.grow());
  ASSERT_TRUE(eventually([&] { return server.run("SET", "after", "1") == "OK"; }));
  ASSERT_TRUE(eventually([&] { return server.info("aof_buffer_length") == "0"; }));
  const std::string digest = server.run("DEBUG", "DIGEST");
  server.kill();
  server.start();
  EXPECT_EQ(server.run("DEBUG", "DIGEST"), digest);
}

}  // namespace
}  // namespace tandem
