// Snapshots in every form that rdb-version and rdbcompression give them, beside redis-server 7.0.15
// and the lz4 program.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/await.h"
#include "tests/support/dataset.h"
#include "tests/support/pair.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// Every type in every encoding a server has for it.
constexpr std::string_view kAllEncodings = R"lua(
local call = redis.call
for _, size in ipairs({3, 700}) do
  for i = 1, size do
    call('SADD', 'set of integers ' .. size, i * 37)
    call('SADD', 'set of words ' .. size, 'word ' .. i)
    call('ZADD', 'sorted set ' .. size, i / 3, 'member ' .. i)
    call('RPUSH', 'list ' .. size, 'an element of some length ' .. i)
    call('HSET', 'hash ' .. size, 'field ' .. i, i)
    call('XADD', 'stream ' .. size, i .. '-1', 'field', i, 'other', 'text')
    call('PFADD', 'counted ' .. size, i)
  end
end
call('SADD', 'set of large integers', '9223372036854775807', '-9223372036854775808', '1')
call('ZADD', 'extremes', '-inf', 'low', '+inf', 'high', '0', 'nil', '5e-324', 'tiny')
call('RPUSH', 'plain nodes', string.rep('x', 20000), 'short', string.rep('y', 9000))
call('HSET', 'long value', 'field', string.rep('z', 300))
for i, text in ipairs({'0', '-1', '127', '-129', '40000', '3000000000', '12345678901', '007', '1.5',
                       string.rep('compressible ', 40), '\0\255\r\n'}) do
  call('SET', 'string ' .. i, text)
end
call('SETBIT', 'bits', 1000, 1)
call('XGROUP', 'CREATE', 'stream 700', 'readers', '0')
call('XGROUP', 'CREATE', 'stream 700', 'behind', '300-1')
call('XGROUP', 'CREATECONSUMER', 'stream 700', 'behind', 'idle')
call('XREADGROUP', 'GROUP', 'readers', 'anne', 'COUNT', '5', 'STREAMS', 'stream 700', '>')
call('XREADGROUP', 'GROUP', 'readers', 'bob', 'COUNT', '9', 'STREAMS', 'stream 700', '>')
call('XACK', 'stream 700', 'readers', '2-1', '7-1')
call('XDEL', 'stream 700', '1-1', '500-1')
call('XADD', 'empty stream', '5-5', 'a', 'b')
call('XDEL', 'empty stream', '5-5')
call('PEXPIREAT', 'string 1', '4102444800000')
call('PEXPIREAT', 'stream 3', '4102444800001')
call('SELECT', 7)
call('SET', 'elsewhere', '1')
return 'OK'
)lua";

void fill(const ServerProcess& server) {
  populate(server);
  ASSERT_EQ(server.text("EVAL", kAllEncodings, "0"), "OK");
}

// What of a dataset is not in its digest.
std::string beside_digest(const ServerProcess& server) {
  RespClient client = server.connect();
  return client.run("XINFO", "GROUPS", "stream 700") +
         client.run("XPENDING", "stream 700", "readers") +
         client.run("XINFO", "STREAM", "empty stream") + client.run("DBSIZE");
}

std::string snapshot_header(const ServerProcess& server) {
  EXPECT_EQ(server.run("SAVE"), "OK");
  return read_whole(server.file("dump.rdb")).substr(0, 9);
}

// A server that starts on the snapshot of another.
struct LoadedFrom : ServerProcess {
  LoadedFrom(const std::string& file, const std::string& program)
      : ServerProcess({}, program, false) {
    std::filesystem::copy_file(file, ServerProcess::file("dump.rdb"));
    start();
  }
};

void expect_same(const ServerProcess& a, const ServerProcess& b) {
  EXPECT_EQ(a.text("DEBUG", "DIGEST"), b.text("DEBUG", "DIGEST"));
  EXPECT_EQ(beside_digest(a), beside_digest(b));
  EXPECT_EQ(libraries(a), libraries(b));
}

TEST(RdbVersion, TenIsReadByRedis70) {
  for (const char* compression : {"yes", "no"}) {
    ServerProcess server({"--rdb-version", "10", "--rdbcompression", compression});
    fill(server);
    ASSERT_EQ(snapshot_header(server), "REDIS0010");
    expect_same(server, LoadedFrom(server.file("dump.rdb"), "redis-server"));
    expect_same(server, LoadedFrom(server.file("dump.rdb"), tandem_server_path()));
  }
}

TEST(RdbVersion, TenIsReadByRedis70AsTheBaseOfAnAof) {
  ServerProcess server({"--rdb-version", "10", "--appendonly", "yes"});
  fill(server);
  EXPECT_THAT(server.text("BGREWRITEAOF"), HasSubstr("rewriting"));
  ASSERT_TRUE(eventually([&] {
    return server.info("aof_rewrites") == "1" && server.info("aof_rewrite_in_progress") == "0";
  }));
  EXPECT_EQ(server.run("SET", "appended", "1"), "OK");
  const std::string digest = server.text("DEBUG", "DIGEST");
  server.terminate();
  ServerProcess redis({"--appendonly", "yes"}, "redis-server", false);
  std::filesystem::copy(server.file("appendonlydir"), redis.file("appendonlydir"));
  redis.start();
  EXPECT_EQ(redis.text("DEBUG", "DIGEST"), digest);
}

TEST(RdbVersion, ElevenAndEightyAreReadBack) {
  for (const auto& [version, header] :
       {std::pair("11", "REDIS0011"), std::pair("80", "VALKEY080")}) {
    ServerProcess server({"--rdb-version", version});
    fill(server);
    ASSERT_EQ(snapshot_header(server), header);
    expect_same(server, LoadedFrom(server.file("dump.rdb"), tandem_server_path()));
  }
}

TEST(RdbVersion, OfAFullSyncIsWhatTheReplicaReads) {
  ServerProcess primary({"--rdb-version", "80", "--rdbcompression", "lz4"});
  fill(primary);
  ServerProcess redis(replica_of(primary), "redis-server");
  expect_same_dataset(primary, redis);
  ServerProcess tandem(replica_of(primary));
  expect_same_dataset(primary, tandem);
}

TEST(Lz4Snapshot, IsReadByTheLz4ProgramOnceItsEnvelopeIsCut) {
  ServerProcess server({"--rdb-version", "10", "--rdbcompression", "lz4"});
  fill(server);
  ASSERT_EQ(snapshot_header(server), std::string("VCS\1\1\0\1\x04\x22", 9));
  expect_same(server, LoadedFrom(server.file("dump.rdb"), tandem_server_path()));

  const std::string frame = server.file("frame.lz4"), plain = server.file("plain.rdb");
  write_whole(frame, read_whole(server.file("dump.rdb")).substr(7));
  const Output unpacked = run_program({"lz4", "-d", "-q", frame, plain});
  ASSERT_EQ(unpacked.code, 0) << unpacked.err;
  ASSERT_THAT(read_whole(plain), StartsWith("REDIS0010"));
  expect_same(server, LoadedFrom(plain, "redis-server"));
}

TEST(Lz4Snapshot, WrittenByTheLz4ProgramIsRead) {
  ServerProcess server;
  fill(server);
  ASSERT_EQ(snapshot_header(server), "REDIS0011");
  const std::string frame = server.file("frame.lz4");
  ASSERT_EQ(run_program({"lz4", "-q", "-9", server.file("dump.rdb"), frame}).code, 0);
  write_whole(server.file("made.rdb"), std::string("VCS\1\1\0\1", 7) + read_whole(frame));
  expect_same(server, LoadedFrom(server.file("made.rdb"), tandem_server_path()));
}

}  // namespace
}  // namespace tandem
