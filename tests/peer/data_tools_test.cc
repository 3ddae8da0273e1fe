// `tandem-cli rdb` and `tandem-cli aof` on files of Tandem's and of Debian's redis-server.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/support/await.h"
#include "tests/support/dataset.h"

namespace tandem {
namespace {

namespace fs = std::filesystem;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kRedisServer = "redis-server";

Output tool(std::vector<std::string> words) {
  words.insert(words.begin(), tandem_cli_path());
  return run_program(words);
}

std::string flipped(std::string bytes, size_t at) {
  bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
  return bytes;
}

class RdbTool : public ::testing::TestWithParam<std::string> {
 protected:
  RdbTool() {
    populate(server_);
    server_.run("SAVE");
  }
  // What a server of this program has after starting on the file.
  static std::string digest_of(const std::string& rdb, const std::string& program) {
    ServerProcess fresh({}, program, /*start=*/false);
    fs::copy(rdb, fresh.file("dump.rdb"));
    fresh.start();
    return fresh.run("DEBUG", "DIGEST");
  }

  TempDir files_;
  ServerProcess server_{{}, GetParam()};
  const std::string rdb_ = server_.file("dump.rdb");
};

std::string server_name(const ::testing::TestParamInfo<std::string>& test) {
  return test.index == 0 ? "Tandem" : "Redis";
}

INSTANTIATE_TEST_SUITE_P(Servers, RdbTool, ::testing::Values(tandem_server_path(), kRedisServer),
                         server_name);

TEST_P(RdbTool, CheckAndInspect) {
  const uint64_t keys = 300;
  Output checked = tool({"rdb", "check", rdb_});
  EXPECT_EQ(checked.code, 0) << checked.err;
  EXPECT_THAT(checked.out, StartsWith(rdb_ + ": sound: RDB version 1"));
  EXPECT_THAT(checked.out, HasSubstr(", 1 library and "));
  Output inspected = tool({"rdb", "inspect", rdb_, "--biggest", "1"});
  EXPECT_EQ(inspected.code, 0) << inspected.err;
  EXPECT_THAT(inspected.out, HasSubstr("redis-bits       64\n"));
  EXPECT_THAT(inspected.out, HasSubstr("\nLIBRARY  BYTES\nlib      "));
  EXPECT_THAT(inspected.out, HasSubstr(" \"long\"\n"));
  EXPECT_GE(server_.connect().call("DBSIZE").integer, static_cast<int64_t>(2 * keys));
  EXPECT_THAT(tool({"rdb", "inspect", rdb_, "--json"}).out,
              HasSubstr("\"libraries\":[{\"name\":\"lib\",\"bytes\":"));
}

TEST_P(RdbTool, ConvertedFilesHoldTheSameAndRedisTakesThem) {
  const std::string digest = server_.run("DEBUG", "DIGEST");
  const std::string version_10 = files_.file("10.rdb");
  const std::string version_11 = files_.file("11.rdb");
  const std::string back = files_.file("back.rdb");
  ASSERT_EQ(tool({"rdb", "convert", rdb_, version_10, "--rdb-version", "10"}).code, 0);
  ASSERT_EQ(tool({"rdb", "convert", version_10, version_11, "--compression", "no"}).code, 0);
  ASSERT_EQ(tool({"rdb", "convert", version_11, back, "--rdb-version", "10"}).code, 0);
  EXPECT_THAT(read_whole(version_11), StartsWith("REDIS0011"));
  EXPECT_GT(fs::file_size(version_11), fs::file_size(version_10));
  EXPECT_EQ(digest_of(version_11, tandem_server_path()), digest);
  for (const std::string& file : {version_10, back}) {
    Output redis_check = run_program({"redis-check-rdb", file});
    EXPECT_EQ(redis_check.code, 0) << redis_check.out;
    EXPECT_EQ(digest_of(file, kRedisServer), digest);
  }
}

TEST_P(RdbTool, ALz4FileHoldsTheSame) {
  const std::string lz4 = files_.file("lz4.rdb");
  const std::string plain = files_.file("plain.rdb");
  ASSERT_EQ(tool({"rdb", "convert", rdb_, lz4, "--compression", "lz4"}).code, 0);
  EXPECT_THAT(read_whole(lz4), StartsWith("VCS"));
  EXPECT_THAT(tool({"rdb", "check", lz4}).out,
              HasSubstr(": sound: RDB version 11 in an LZ4 frame, 1 library"));
  EXPECT_EQ(tool({"functions", "extract", lz4, files_.file("functions.rdb")}).code, 0);
  ASSERT_EQ(tool({"rdb", "convert", lz4, plain, "--rdb-version", "10"}).code, 0);
  EXPECT_EQ(digest_of(plain, kRedisServer), server_.run("DEBUG", "DIGEST"));
  write_whole(lz4, flipped(read_whole(lz4), fs::file_size(lz4) / 2));
  Output damaged = tool({"rdb", "check", lz4});
  EXPECT_EQ(damaged.code, 1);
  EXPECT_THAT(damaged.err, HasSubstr(" at offset "));
}

TEST_P(RdbTool, ConvertKeepsFunctionsOrKeysAlone) {
  const std::string functions = files_.file("functions.rdb");
  const std::string keys = files_.file("keys.rdb");
  ASSERT_EQ(tool({"rdb", "convert", rdb_, functions, "--functions-only"}).code, 0);
  ASSERT_EQ(tool({"rdb", "convert", rdb_, keys, "--keys-only"}).code, 0);
  EXPECT_THAT(tool({"rdb", "check", functions}).out, EndsWith(", 1 library and 0 keys\n"));
  EXPECT_THAT(tool({"rdb", "check", keys}).out, HasSubstr(", 0 libraries and "));
  EXPECT_EQ(tool({"rdb", "convert", rdb_, keys, "--keys-only", "--functions-only"}).code, 1);
}

TEST_P(RdbTool, DamageIsReportedAndNothingIsMadeOfIt) {
  const std::string whole = read_whole(rdb_);
  const std::string damaged = files_.file("damaged.rdb");
  write_whole(damaged, whole.substr(0, whole.size() - 1000));
  for (const char* subcommand : {"check", "inspect"}) {
    Output checked = tool({"rdb", subcommand, damaged});
    EXPECT_EQ(checked.code, 1);
    EXPECT_THAT(checked.err, StartsWith(damaged + ": "));
    EXPECT_THAT(checked.err, HasSubstr(" at offset "));
    EXPECT_THAT(checked.err, HasSubstr("Sound before it: 1 library and "));
  }
  write_whole(damaged, flipped(whole, whole.size() / 2));
  EXPECT_EQ(tool({"rdb", "convert", damaged, files_.file("new.rdb")}).code, 1);
  EXPECT_FALSE(fs::exists(files_.file("new.rdb")));
  EXPECT_EQ(tool({"rdb", "check", files_.file("missing.rdb")}).code, 1);
}

TEST(RdbToolVersions, FieldsThatExpireNeedVersion80) {
  ServerProcess server;
  const TempDir files;
  server.run("HSET", "h", "f", "1", "g", "2");
  server.run("HPEXPIREAT", "h", "99999999999999", "FIELDS", "1", "f");
  server.run("SAVE");
  Output kept = tool({"rdb", "convert", server.file("dump.rdb"), files.file("kept.rdb")});
  EXPECT_EQ(kept.code, 0);
  EXPECT_THAT(kept.err, StartsWith("RDB version 80 written"));
  Output lost = tool(
      {"rdb", "convert", files.file("kept.rdb"), files.file("lost.rdb"), "--rdb-version", "10"});
  EXPECT_EQ(lost.code, 0);
  EXPECT_THAT(
      lost.err,
      HasSubstr("Warning: version 10 cannot hold when fields expire; those of 1 hash never will"));
  ServerProcess redis({}, kRedisServer, /*start=*/false);
  fs::copy(files.file("lost.rdb"), redis.file("dump.rdb"));
  redis.start();
  EXPECT_EQ(redis.text("HGET", "h", "f"), "1");
}

class AofTool : public ::testing::TestWithParam<std::string> {
 protected:
  AofTool() {
    populate(server_);
    server_.run("BGREWRITEAOF");
    EXPECT_TRUE(eventually([&] { return fs::exists(base()); }));
    RespClient client = server_.connect();
    client.run("SET", "counter", "1");
    for (int i = 0; i < 50; ++i) client.run("INCR", "counter");
    client.run("FUNCTION", "LOAD", "REPLACE", example_library());
    client.run("INCR", "counter");
    server_.terminate();
  }
  std::string base() const { return aof_ + "/appendonly.aof.2.base.rdb"; }
  std::string incremental() const { return aof_ + "/appendonly.aof.2.incr.aof"; }
  Output check(std::vector<std::string> more = {}) {
    std::vector<std::string> words{"aof", "check", aof_};
    words.insert(words.end(), more.begin(), more.end());
    return tool(words);
  }
  void cut_command_short() {
    const std::string whole = read_whole(incremental());
    write_whole(incremental(), whole.substr(0, whole.size() - 3));
  }

  ServerProcess server_{{"--appendonly", "yes"}, GetParam()};
  const std::string aof_ = server_.file("appendonlydir");
};

INSTANTIATE_TEST_SUITE_P(Servers, AofTool, ::testing::Values(tandem_server_path(), kRedisServer),
                         server_name);

TEST_P(AofTool, ASoundAofIsLeftAlone) {
  Output checked = check({"--fix"});
  EXPECT_EQ(checked.code, 0) << checked.err;
  EXPECT_THAT(checked.out, HasSubstr(base() + ": sound: a snapshot of 1 library and "));
  EXPECT_THAT(checked.out, HasSubstr(incremental() + ": sound: "));
  EXPECT_EQ(tool({"aof", "check", server_.dir()}).out, checked.out);
  EXPECT_EQ(tool({"aof", "check", aof_ + "/appendonly.aof.manifest"}).out, checked.out);
}

TEST_P(AofTool, AnUnfinishedEndIsCutAndTheOldFileKept) {
  cut_command_short();
  const std::string damaged = read_whole(incremental());
  ASSERT_EQ(chmod(incremental().c_str(), 0640), 0);
  Output checked = check();
  EXPECT_EQ(checked.code, 1);
  EXPECT_THAT(checked.err, HasSubstr(incremental() + ": the file ends inside a command"));
  EXPECT_THAT(checked.err, HasSubstr("Sound before it: "));
  EXPECT_EQ(read_whole(incremental()), damaged);
  Output fixed = check({"--fix"});
  EXPECT_EQ(fixed.code, 0) << fixed.err;
  EXPECT_EQ(read_whole(incremental() + ".before-fix"), damaged);
  EXPECT_EQ(fs::status(incremental()).permissions(), fs::perms(0640));
  EXPECT_EQ(check().code, 0);
  Output redis_check = run_program({"redis-check-aof", incremental()});
  EXPECT_EQ(redis_check.code, 0) << redis_check.out;
  server_.start({"--aof-load-truncated", "no"});
  EXPECT_EQ(server_.text("GET", "counter"), "51");
  EXPECT_EQ(server_.run("FCALL_RO", "take", "1", "key:7"), "\"value of 7\"");
}

TEST_P(AofTool, DamageInTheMiddleIsCutToo) {
  const std::string whole = read_whole(incremental());
  const size_t at = whole.find("*2\r\n$4\r\nINCR", whole.size() / 2);
  ASSERT_NE(at, std::string::npos);
  write_whole(incremental(), flipped(whole, at));
  EXPECT_THAT(check().err,
              HasSubstr("expected an array of arguments ('*') at offset " + std::to_string(at)));
  EXPECT_EQ(check({"--fix"}).code, 0);
  EXPECT_EQ(read_whole(incremental()), whole.substr(0, at));
}

TEST_P(AofTool, WhatCuttingWouldNotRepairIsLeftAsItIs) {
  const std::string snapshot = read_whole(base());
  write_whole(base(), flipped(snapshot, snapshot.size() / 2));
  Output broken_base = check({"--fix"});
  EXPECT_EQ(broken_base.code, 1);
  EXPECT_THAT(broken_base.err, HasSubstr("It is not the last file of the AOF"));
  EXPECT_FALSE(fs::exists(base() + ".before-fix"));
  write_whole(base(), snapshot);
  write_whole(incremental(), "*1\r\n$7\r\nUNKNOWN\r\n");
  Output unknown = check({"--fix"});
  EXPECT_EQ(unknown.code, 1);
  EXPECT_THAT(unknown.err, HasSubstr("found \"UNKNOWN\", which is not known at offset 0"));
  EXPECT_EQ(fs::file_size(incremental()), 17U);
}

TEST_P(AofTool, BackToAMomentByItsTimestamps) {
  const std::string before = "#TS:1000\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\n1\r\n";
  const std::string after = "#TS:2000\r\n*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n";
  write_whole(incremental(), before + after);
  EXPECT_EQ(check({"--fix", "--to-timestamp", "2000"}).code, 0);
  EXPECT_EQ(read_whole(incremental()), before + after);
  Output shown = check({"--to-timestamp", "1999"});
  EXPECT_EQ(shown.code, 0);
  EXPECT_THAT(shown.out,
              HasSubstr("later than 1999 from offset " + std::to_string(before.size()) + " on"));
  EXPECT_EQ(read_whole(incremental()), before + after);
  EXPECT_EQ(check({"--fix", "--to-timestamp", "1999"}).code, 0);
  EXPECT_EQ(read_whole(incremental()), before);
  server_.start();
  EXPECT_EQ(server_.text("GET", "k"), "1");
}

TEST(AofToolBesideAServer, ItRefusesToFixWhatAServerWrites) {
  ServerProcess server({"--appendonly", "yes"});
  server.run("SET", "k", "v");
  Output refused = tool({"aof", "check", "--fix", server.dir()});
  EXPECT_EQ(refused.code, 1);
  EXPECT_THAT(refused.err, HasSubstr("A running server uses this AOF"));
}

}  // namespace
}  // namespace tandem
