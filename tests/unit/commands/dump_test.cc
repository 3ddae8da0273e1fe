#include <string>

#include "persistence/dump_payload.h"
#include "tests/unit/commands/command_fixture.h"

namespace tandem {
namespace {

class DumpTest : public CommandFixture {
 protected:
  std::string payload(std::string_view key) { return dump_value(*keyspace_.database(0).peek(key)); }
};

TEST_F(DumpTest, RestoreBringsEveryKindOfValueBack) {
  run("SET", "number", "12345");
  run("SET", "text", "some text");
  run("SET", "long", std::string(5000, 'x'));
  run("HSET", "small", "f", "v", "n", "1");
  for (int i = 0; i < 600; ++i) run("HSET", "large", "f" + std::to_string(i), std::to_string(i));
  for (const char* key : {"number", "text", "long"}) {
    EXPECT_EQ(run("RESTORE", "copy", "0", payload(key), "REPLACE"), "OK");
    EXPECT_EQ(run("GET", "copy"), run("GET", key));
    EXPECT_EQ(run("OBJECT", "ENCODING", "copy"), run("OBJECT", "ENCODING", key));
  }
  EXPECT_EQ(run("RESTORE", "copy", "0", payload("small"), "REPLACE"), "OK");
  EXPECT_EQ(run("HGETALL", "copy"), run("HGETALL", "small"));
  EXPECT_EQ(run("RESTORE", "copy", "0", payload("large"), "REPLACE"), "OK");
  EXPECT_EQ(run("HLEN", "copy"), "(integer) 600");
  EXPECT_EQ(run("HGET", "copy", "f599"), "\"599\"");
  EXPECT_EQ(run("DUMP", "none"), "(nil)");
  EXPECT_NE(run("DUMP", "text"), "(nil)");
}

TEST_F(DumpTest, RestoreOptions) {
  run("SET", "a", "v");
  const std::string bytes = payload("a");
  EXPECT_EQ(run("RESTORE", "a", "0", bytes), "(error) BUSYKEY Target key name already exists.");
  EXPECT_EQ(effects_of("RESTORE", "b", "1500", bytes),
            "RESTORE b 1700000001500 " + bytes + " ABSTTL");
  EXPECT_EQ(run("PTTL", "b"), "(integer) 1500");
  EXPECT_EQ(effects_of("RESTORE", "c", "1700000009000", bytes, "ABSTTL"),
            "RESTORE c 1700000009000 " + bytes + " ABSTTL");
  EXPECT_EQ(run("PTTL", "c"), "(integer) 9000");
  EXPECT_EQ(effects_of("RESTORE", "d", "0", bytes), "RESTORE d 0 " + bytes);
  EXPECT_EQ(run("RESTORE", "e", "0", bytes, "IDLETIME", "1000"), "OK");
  EXPECT_EQ(run("OBJECT", "IDLETIME", "e"), "(integer) 1000");
  EXPECT_EQ(run("RESTORE", "f", "0", bytes, "FREQ", "77"), "OK");
  EXPECT_EQ(run("RESTORE", "g", "-1", bytes), "(error) ERR Invalid TTL value, must be >= 0");
  EXPECT_EQ(run("RESTORE", "g", "x", bytes), "(error) ERR value is not an integer or out of range");
  EXPECT_EQ(run("RESTORE", "g", "0", bytes, "IDLETIME", "-1"),
            "(error) ERR Invalid IDLETIME value, must be >= 0");
  EXPECT_EQ(run("RESTORE", "g", "0", bytes, "FREQ", "256"),
            "(error) ERR Invalid FREQ value, must be >= 0 and <= 255");
  EXPECT_EQ(run("RESTORE", "g", "0", bytes, "FREQ", "1", "IDLETIME", "1"),
            "(error) ERR syntax error");
}

TEST_F(DumpTest, ATimeInThePastOnlyDeletes) {
  run("SET", "a", "v");
  const std::string bytes = payload("a");
  EXPECT_EQ(effects_of("RESTORE", "a", "5", bytes, "REPLACE", "ABSTTL"), "DEL a");
  EXPECT_EQ(run("EXISTS", "a"), "(integer) 0");
  EXPECT_EQ(effects_of("RESTORE", "a", "5", bytes, "ABSTTL"), "");
}

TEST_F(DumpTest, DamagedPayloadsChangeNothing) {
  run("HSET", "h", "f", "v");
  const std::string bytes = payload("h");
  for (size_t i = 0; i < bytes.size(); ++i) {
    std::string damaged = bytes;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_EQ(run("RESTORE", "h", "0", damaged, "REPLACE"),
              "(error) ERR DUMP payload version or checksum are wrong")
        << "byte " << i;
  }
  EXPECT_EQ(run("RESTORE", "h", "0", "", "REPLACE"),
            "(error) ERR DUMP payload version or checksum are wrong");
  EXPECT_EQ(run("HGETALL", "h"), "[\"f\", \"v\"]");
}

}  // namespace
}  // namespace tandem
