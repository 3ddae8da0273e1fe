// `tandem-cli functions` and the libraries of running servers: Tandem's and Debian's redis-server.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <filesystem>

#include "tests/support/await.h"
#include "tests/support/dataset.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr const char* kRedisServer = "redis-server";

std::string library(const std::string& name, const std::string& function,
                    const std::string& result = "1") {
  return "#!lua name=" + name + "\nredis.register_function{function_name='" + function +
         "', callback=function() return " + result +
         " end, flags={'no-writes'}, description='answers " + result + "'}\n";
}

std::string address(const ServerProcess& server) { return "127.0.0.1:" + server.port_text(); }

class FunctionsTool : public ::testing::TestWithParam<std::string> {
 protected:
  Output functions(std::vector<std::string> words) {
    std::vector<std::string> command{tandem_cli_path(), "-p", a_.port_text(), "functions"};
    command.insert(command.end(), words.begin(), words.end());
    return run_program(command);
  }
  // The same for both servers.
  Output on_both(std::vector<std::string> words) {
    words.insert(words.end(), {"--to", address(a_), "--to", address(b_)});
    return functions(std::move(words));
  }
  std::string file(const std::string& name, const std::string& content) {
    write_whole(files_.file(name), content);
    return files_.file(name);
  }
  static std::string listed(const ServerProcess& server) {
    return server.run("FUNCTION", "LIST", "WITHCODE");
  }

  TempDir files_;
  ServerProcess a_{{}, GetParam()};
  ServerProcess b_{{}, GetParam()};
};

INSTANTIATE_TEST_SUITE_P(Servers, FunctionsTool,
                         ::testing::Values(tandem_server_path(), kRedisServer),
                         [](const auto& test) { return test.index == 0 ? "Tandem" : "Redis"; });

TEST_P(FunctionsTool, LoadListAndDelete) {
  file("one.lua", library("one", "f1"));
  file("two.lua", library("two", "f2"));
  Output loaded = on_both({"load", files_.path()});
  EXPECT_EQ(loaded.code, 0) << loaded.err;
  EXPECT_EQ(loaded.out, address(a_) + ": loaded one, two\n" + address(b_) + ": loaded one, two\n");
  EXPECT_EQ(b_.run("FCALL_RO", "f2", "0"), "(integer) 1");
  EXPECT_EQ(functions({"list"}).out,
            "LIBRARY  FUNCTION  FLAGS      DESCRIPTION\n"
            "one      f1        no-writes  answers 1\n"
            "two      f2        no-writes  answers 1\n");
  Output refused = on_both({"load", files_.path()});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("Library 'one' already exists"));
  EXPECT_EQ(on_both({"load", files_.path(), "--replace"}).code, 0);
  EXPECT_EQ(on_both({"delete", "one"}).code, 0);
  Output json = functions({"list", "--json"});
  EXPECT_EQ(json.out, "[{\"server\":\"" + address(a_) +
                          "\",\"libraries\":[{\"name\":\"two\",\"engine\":\"LUA\",\"functions\":["
                          "{\"name\":\"f2\",\"flags\":[\"no-writes\"],\"description\":\"answers "
                          "1\"}]}]}]\n");
}

TEST_P(FunctionsTool, AChangeThatOneServerRefusesIsTakenBackOnTheOthers) {
  a_.run("FUNCTION", "LOAD", library("one", "f1", "1"));
  b_.run("FUNCTION", "LOAD", library("other", "f1", "3"));
  const std::string before_a = listed(a_);
  const std::string before_b = listed(b_);
  // On b the name f1 belongs to another library; a and the first of b's two loads are done by then.
  file("0.lua", library("new", "g"));
  file("one.lua", library("one", "f1", "2"));
  Output refused = on_both({"load", files_.path(), "--replace"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_EQ(refused.out, "");
  EXPECT_THAT(refused.err, HasSubstr(address(b_) + ": ERR Function f1 already exists"));
  EXPECT_THAT(refused.err, HasSubstr(address(a_) + ": put back as it was\n"));
  EXPECT_THAT(refused.err, HasSubstr(address(b_) + ": put back as it was\n"));
  EXPECT_EQ(listed(a_), before_a);
  EXPECT_EQ(listed(b_), before_b);
  EXPECT_EQ(a_.run("FCALL", "f1", "0"), "(integer) 1");
}

TEST_P(FunctionsTool, NothingIsChangedWhenOneServerCannotBe) {
  a_.run("FUNCTION", "LOAD", library("one", "f1"));
  const std::string before = listed(a_);
  Output missing = on_both({"delete", "one"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_THAT(missing.err, HasSubstr(address(b_) + ": Library 'one' not found"));
  EXPECT_THAT(missing.err, HasSubstr("Nothing was changed."));
  b_.run("REPLICAOF", "127.0.0.1", "1");
  Output read_only = on_both({"load", file("two.lua", library("two", "f2"))});
  EXPECT_EQ(read_only.code, 1);
  EXPECT_THAT(read_only.err, HasSubstr("READONLY"));
  EXPECT_THAT(read_only.err, HasSubstr(address(b_) + ": not changed"));
  b_.kill();
  EXPECT_EQ(on_both({"load", files_.file("two.lua")}).code, 1);
  EXPECT_EQ(listed(a_), before);
}

TEST_P(FunctionsTool, DiffShowsWhatWouldMakeAServerLikeTheSource) {
  a_.run("FUNCTION", "LOAD", library("same", "f0"));
  a_.run("FUNCTION", "LOAD", library("changed", "f1", "1"));
  a_.run("FUNCTION", "LOAD", library("gone", "f2"));
  file("same.lua", library("same", "f0"));
  file("changed.lua", library("changed", "f1", "22"));
  file("new.lua", library("new", "f3"));
  Output diff = functions({"diff", files_.path()});
  EXPECT_EQ(diff.code, 1);
  EXPECT_THAT(diff.out, HasSubstr("added: new\nremoved: gone\nchanged: changed\n--- " +
                                  address(a_) + "/changed\n+++ " + files_.path() + "/changed\n"));
  EXPECT_THAT(diff.out, HasSubstr("\n-redis.register_function{function_name='f1', "));
  Output servers = functions({"diff", "--from", address(a_), "--to", address(b_)});
  EXPECT_EQ(servers.code, 1);
  EXPECT_EQ(servers.out, "added: changed\nadded: gone\nadded: same\n");
  Output same = functions({"diff", "--from", address(a_), "--to", address(a_)});
  EXPECT_EQ(same.code, 0);
  EXPECT_EQ(same.out, "");
  EXPECT_EQ(functions({"diff", files_.file("missing.lua")}).code, 2);
}

TEST_P(FunctionsTool, DumpAndRestore) {
  a_.run("FUNCTION", "LOAD", library("one", "f1"));
  b_.run("FUNCTION", "LOAD", library("two", "f2"));
  const std::string dump = files_.file("dump");
  EXPECT_EQ(functions({"dump", dump}).code, 0);
  EXPECT_EQ(on_both({"restore", dump}).code, 1);
  EXPECT_EQ(on_both({"restore", dump, "--policy", "replace"}).code, 0);
  EXPECT_EQ(functions({"restore", dump, "--policy", "flush", "--to", address(b_)}).code, 0);
  EXPECT_EQ(listed(b_), listed(a_));
  std::string damaged = read_whole(dump);
  damaged[10] = static_cast<char>(damaged[10] ^ 0x40);
  write_whole(dump, damaged);
  Output refused = on_both({"restore", dump, "--policy", "flush"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("DUMP payload version or checksum are wrong at offset"));
}

// What any of the family has written, taken out and put into any other.
TEST_P(FunctionsTool, ExtractFromServersAndTheirFiles) {
  populate(a_);
  a_.run("CONFIG", "SET", "appendonly", "yes");
  ASSERT_TRUE(eventually([&] {
    return a_.info("aof_rewrite_in_progress") == "0" &&
           std::filesystem::exists(a_.file("appendonlydir/appendonly.aof.manifest"));
  }));
  a_.run("FUNCTION", "LOAD", library("late", "f9"));
  // What is written while the disk is busy with an earlier second may wait for it.
  ASSERT_TRUE(eventually([&] { return a_.info("aof_buffer_length") == "0"; }));
  a_.run("SAVE");
  const std::string live = files_.file("live.rdb");
  const std::string from_rdb = files_.file("rdb.rdb");
  const std::string from_aof = files_.file("aof.rdb");
  EXPECT_EQ(functions({"extract", live}).code, 0);
  EXPECT_EQ(functions({"extract", a_.file("dump.rdb"), from_rdb}).code, 0);
  EXPECT_EQ(functions({"extract", a_.dir(), from_aof}).code, 0);
  for (const std::string& extracted : {live, from_rdb, from_aof}) {
    for (const std::string& program : {GetParam(), std::string(kRedisServer)}) {
      ServerProcess fresh({}, program, /*start=*/false);
      std::filesystem::copy(extracted, fresh.file("dump.rdb"));
      fresh.start();
      EXPECT_EQ(fresh.run("DBSIZE"), "(integer) 0");
      EXPECT_EQ(fresh.run("FCALL_RO", "f9", "0"), "(integer) 1");
      EXPECT_EQ(fresh.run("FCALL", "put", "1", "k", "v"), "\"v\"");
    }
  }
}

TEST_P(FunctionsTool, ExtractFromDamageWritesNothing) {
  populate(a_);
  a_.run("SAVE");
  std::string bytes = read_whole(a_.file("dump.rdb"));
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 0x10);
  const std::string out = files_.file("out.rdb");
  Output refused = functions({"extract", file("damaged.rdb", bytes), out});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("damaged.rdb: "));
  EXPECT_THAT(refused.err, HasSubstr(" at offset "));
  EXPECT_FALSE(std::filesystem::exists(out));
}

// The second server does not do what it is asked to: it dies, or somebody loses patience.
TEST_P(FunctionsTool, AChangeThatIsBrokenOffIsTakenBack) {
  const std::string before = listed(a_);
  const std::string script = file("two.lua", library("two", "f2"));
  for (const bool interrupted : {false, true}) {
    Listener other;
    Process tool({tandem_cli_path(), "functions", "load", script, "--to", address(a_), "--to",
                  "127.0.0.1:" + std::to_string(other.port())},
                 {.stdout_path = files_.file("out"), .stderr_path = files_.file("err")});
    {
      RespClient peer = other.accept();
      peer.read();  // FUNCTION LIST WITHCODE
      peer.send_raw("*0\r\n");
      peer.read();  // FUNCTION DUMP
      peer.send_raw("$4\r\ndump\r\n");
      peer.read();  // FUNCTION LOAD
      EXPECT_NE(listed(a_), before);
      if (interrupted) {
        tool.signal(SIGINT);
        other.accept();
      }
    }
    if (!interrupted) other.accept();
    EXPECT_EQ(tool.wait().code, 1);
    EXPECT_EQ(listed(a_), before);
    const std::string said = read_whole(files_.file("err"));
    EXPECT_THAT(said, HasSubstr(address(a_) + ": put back as it was"));
    EXPECT_THAT(said, HasSubstr("COULD NOT BE PUT BACK"));
  }
}

}  // namespace
}  // namespace tandem
