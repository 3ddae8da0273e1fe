#include <string>

#include "tests/unit/commands/command_fixture.h"

namespace tandem {
namespace {

using namespace std::string_literals;

constexpr const char* kWrongType =
    "(error) WRONGTYPE Operation against a key holding the wrong kind of value";
constexpr const char* kBadOffset = "(error) ERR bit offset is not an integer or out of range";
constexpr const char* kNotAnInteger = "(error) ERR value is not an integer or out of range";
constexpr const char* kSyntaxError = "(error) ERR syntax error";

class BitmapCommandsTest : public CommandFixture {
 protected:
  void SetUp() override {
    run("HSET", "hash", "f", "v");
    effects();
  }
};

TEST_F(BitmapCommandsTest, SetAndGetBits) {
  EXPECT_EQ(run("SETBIT", "k", "7", "1"), "(integer) 0");
  EXPECT_EQ(run("SETBIT", "k", "8", "1"), "(integer) 0");
  EXPECT_EQ(run("GET", "k"), R"("\x01\x80")");
  EXPECT_EQ(run("SETBIT", "k", "7", "0"), "(integer) 1");
  EXPECT_EQ(run("GETBIT", "k", "7"), "(integer) 0");
  EXPECT_EQ(run("GETBIT", "k", "8"), "(integer) 1");
  EXPECT_EQ(run("GETBIT", "k", "100"), "(integer) 0");
  EXPECT_EQ(run("GETBIT", "none", "0"), "(integer) 0");
  EXPECT_EQ(joined_effects(), "SETBIT k 7 1; SETBIT k 8 1; SETBIT k 7 0");
  // An integer is a string of digits.
  run("SET", "n", "1");
  EXPECT_EQ(run("GETBIT", "n", "2"), "(integer) 1");
  EXPECT_EQ(run("SETBIT", "n", "6", "1"), "(integer) 0");
  EXPECT_EQ(run("GET", "n"), "\"3\"");
  EXPECT_EQ(run("OBJECT", "ENCODING", "n"), "\"raw\"");
}

TEST_F(BitmapCommandsTest, ABitThatIsAlreadySoChangesNothing) {
  EXPECT_EQ(effects_of("SETBIT", "k", "9", "0"), "SETBIT k 9 0");  // makes the key
  EXPECT_EQ(effects_of("SETBIT", "k", "9", "0"), "");
  EXPECT_EQ(effects_of("SETBIT", "k", "16", "0"), "SETBIT k 16 0");  // makes it longer
  EXPECT_EQ(effects_of("BITFIELD", "k", "SET", "u8", "0", "0"), "");
  run("WATCH", "k");
  run("SETBIT", "k", "9", "0");
  run("BITFIELD", "k", "SET", "u8", "0", "0", "GET", "u8", "0");
  run("MULTI");
  EXPECT_EQ(run("EXEC"), "[]");
}

TEST_F(BitmapCommandsTest, RefuseWhatIsNoBit) {
  for (const char* offset : {"-1", "x", "", "4294967296", "9223372036854775808"}) {
    EXPECT_EQ(run("SETBIT", "k", offset, "1"), kBadOffset) << offset;
    EXPECT_EQ(run("GETBIT", "k", offset), kBadOffset) << offset;
    EXPECT_EQ(run("BITFIELD", "k", "GET", "u8", offset), kBadOffset) << offset;
  }
  for (const char* offset : {"#-1", "#", "#x", "##1", "#4294967296", "#9223372036854775807"}) {
    EXPECT_EQ(run("BITFIELD", "k", "GET", "u8", offset), kBadOffset) << offset;
  }
  for (const char* bit : {"2", "-1", "x", ""}) {
    EXPECT_EQ(run("SETBIT", "k", "0", bit), "(error) ERR bit is not an integer or out of range");
  }
  EXPECT_EQ(run("SETBIT", "hash", "0", "1"), kWrongType);
  EXPECT_EQ(run("GETBIT", "hash", "0"), kWrongType);
  EXPECT_EQ(run("BITCOUNT", "hash"), kWrongType);
  EXPECT_EQ(run("BITPOS", "hash", "0"), kWrongType);
  EXPECT_EQ(run("BITFIELD", "hash", "GET", "u8", "0"), kWrongType);
  EXPECT_EQ(run("BITFIELD", "hash", "SET", "u8", "0", "1"), kWrongType);
  EXPECT_EQ(run("BITOP", "AND", "to", "none", "hash"), kWrongType);
  EXPECT_EQ(run("EXISTS", "k"), "(integer) 0");
  EXPECT_EQ(joined_effects(), "");
}

// The highest bits of the longest string, of which only reading is done: writing would need it.
TEST_F(BitmapCommandsTest, TheLastBitOfTheLongestString) {
  run("SET", "k", "abc");
  EXPECT_EQ(run("GETBIT", "k", "4294967295"), "(integer) 0");
  EXPECT_EQ(run("BITFIELD_RO", "k", "GET", "u63", "4294967295"), "[(integer) 0]");
  EXPECT_EQ(run("BITFIELD_RO", "k", "GET", "i8", "#536870911"), "[(integer) 0]");
  configure("proto-max-bulk-len", "1mb");
  EXPECT_EQ(run("SETBIT", "k", "8388608", "1"), kBadOffset);
  EXPECT_EQ(run("SETBIT", "k", "8388607", "1"), "(integer) 0");
  EXPECT_EQ(run("STRLEN", "k"), "(integer) 1048576");
  EXPECT_EQ(run("BITPOS", "k", "1", "3"), "(integer) 8388607");
  configure("proto-max-bulk-len", "2gb");
  EXPECT_EQ(run("GETBIT", "k", "4294967296"), "(integer) 0");
  EXPECT_EQ(run("GETBIT", "k", "17179869184"), kBadOffset);
}

TEST_F(BitmapCommandsTest, CountBits) {
  run("SET", "k", "foobar");
  EXPECT_EQ(run("BITCOUNT", "k"), "(integer) 26");
  EXPECT_EQ(run("BITCOUNT", "k", "1"), "(integer) 22");
  EXPECT_EQ(run("BITCOUNT", "k", "0", "0"), "(integer) 4");
  EXPECT_EQ(run("BITCOUNT", "k", "1", "1", "BYTE"), "(integer) 6");
  EXPECT_EQ(run("BITCOUNT", "k", "-2", "-1"), "(integer) 7");
  EXPECT_EQ(run("BITCOUNT", "k", "5", "30", "BIT"), "(integer) 17");
  EXPECT_EQ(run("BITCOUNT", "k", "-9223372036854775808", "9223372036854775807"), "(integer) 26");
  EXPECT_EQ(run("BITCOUNT", "k", "-9223372036854775808", "-9223372036854775808", "bit"),
            "(integer) 0");
  EXPECT_EQ(run("BITCOUNT", "k", "-100", "-200"), "(integer) 0");
  EXPECT_EQ(run("BITCOUNT", "k", "-200", "-100"), "(integer) 4");
  EXPECT_EQ(run("BITCOUNT", "k", "6", "7"), "(integer) 0");
  EXPECT_EQ(run("BITCOUNT", "none", "1", "2"), "(integer) 0");
  EXPECT_EQ(run("BITCOUNT", "none", "1", "x"), kNotAnInteger);
  EXPECT_EQ(run("BITCOUNT", "k", "1", "2", "bits"), kSyntaxError);
  EXPECT_EQ(run("BITCOUNT", "k", "1", "2", "bit", "3"), kSyntaxError);
}

TEST_F(BitmapCommandsTest, FindBits) {
  run("SET", "k", "\x00\xff\xf0\x00"s);
  EXPECT_EQ(run("BITPOS", "k", "1"), "(integer) 8");
  EXPECT_EQ(run("BITPOS", "k", "0"), "(integer) 0");
  EXPECT_EQ(run("BITPOS", "k", "0", "1"), "(integer) 20");
  EXPECT_EQ(run("BITPOS", "k", "1", "3"), "(integer) -1");
  EXPECT_EQ(run("BITPOS", "k", "0", "1", "1"), "(integer) -1");
  EXPECT_EQ(run("BITPOS", "k", "1", "10", "12", "BIT"), "(integer) 10");
  EXPECT_EQ(run("BITPOS", "k", "0", "10", "12", "BIT"), "(integer) -1");
  EXPECT_EQ(run("BITPOS", "k", "0", "-13", "-1", "BIT"), "(integer) 20");
  EXPECT_EQ(run("BITPOS", "k", "1", "4"), "(integer) -1");
  run("SET", "ones", "\xff\xff");
  EXPECT_EQ(run("BITPOS", "ones", "0"), "(integer) 16");
  EXPECT_EQ(run("BITPOS", "ones", "0", "1"), "(integer) 16");
  EXPECT_EQ(run("BITPOS", "ones", "0", "0", "-1"), "(integer) -1");
  run("SET", "empty", "");
  EXPECT_EQ(run("BITPOS", "empty", "0"), "(integer) -1");
  EXPECT_EQ(run("BITPOS", "none", "0"), "(integer) 0");
  EXPECT_EQ(run("BITPOS", "none", "1"), "(integer) -1");
  EXPECT_EQ(run("BITPOS", "k", "2"), "(error) ERR The bit argument must be 1 or 0.");
  EXPECT_EQ(run("BITPOS", "k", "x"), kNotAnInteger);
  EXPECT_EQ(run("BITPOS", "none", "1", "x"), kNotAnInteger);
  EXPECT_EQ(run("BITPOS", "k", "1", "0", "1", "x"), kSyntaxError);
  EXPECT_EQ(run("BITPOS", "k", "1", "0", "1", "bit", "x"), kSyntaxError);
}

TEST_F(BitmapCommandsTest, CombineStrings) {
  run("MSET", "a", "\xf0\x0f\xff", "b", "\xff\x0f");
  effects();
  EXPECT_EQ(run("BITOP", "AND", "to", "a", "b"), "(integer) 3");
  EXPECT_EQ(run("GET", "to"), R"("\xf0\x0f\x00")");
  EXPECT_EQ(run("BITOP", "or", "to", "a", "b", "none"), "(integer) 3");
  EXPECT_EQ(run("GET", "to"), R"("\xff\x0f\xff")");
  EXPECT_EQ(run("BITOP", "XOR", "to", "a", "b"), "(integer) 3");
  EXPECT_EQ(run("GET", "to"), R"("\x0f\x00\xff")");
  EXPECT_EQ(run("BITOP", "NOT", "a", "a"), "(integer) 3");
  EXPECT_EQ(run("GET", "a"), R"("\x0f\xf0\x00")");
  EXPECT_EQ(joined_effects(),
            "BITOP AND to a b; BITOP or to a b none; BITOP XOR to a b; BITOP NOT a a");
  // The target loses its expiry and its type; a number is the string of its digits.
  run("SET", "n", "12", "EX", "100");
  EXPECT_EQ(run("BITOP", "OR", "hash", "n"), "(integer) 2");
  EXPECT_EQ(run("GET", "hash"), "\"12\"");
  EXPECT_EQ(run("OBJECT", "ENCODING", "hash"), "\"raw\"");
  EXPECT_EQ(run("BITOP", "OR", "n", "n"), "(integer) 2");
  EXPECT_EQ(run("TTL", "n"), "(integer) -1");
}

TEST_F(BitmapCommandsTest, AnEmptyResultDeletesTheTarget) {
  run("SET", "to", "x");
  effects();
  EXPECT_EQ(run("BITOP", "AND", "to", "none", "none too"), "(integer) 0");
  EXPECT_EQ(run("EXISTS", "to"), "(integer) 0");
  EXPECT_EQ(joined_effects(), "BITOP AND to none none too");
  EXPECT_EQ(effects_of("BITOP", "AND", "to", "none"), "");
  EXPECT_EQ(run("BITOP", "NOT", "to", "a", "b"),
            "(error) ERR BITOP NOT must be called with a single source key.");
  EXPECT_EQ(run("BITOP", "NAND", "to", "a", "b"), kSyntaxError);
}

TEST_F(BitmapCommandsTest, FieldsOfAnyWidth) {
  EXPECT_EQ(run("BITFIELD", "k"), "[]");
  EXPECT_EQ(run("EXISTS", "k"), "(integer) 0");
  EXPECT_EQ(run("BITFIELD", "k", "SET", "u5", "7", "23", "GET", "u5", "7", "GET", "i5", "7"),
            "[(integer) 0, (integer) 23, (integer) -9]");
  EXPECT_EQ(run("GET", "k"), R"("\x01p")");
  EXPECT_EQ(run("BITFIELD", "k", "SET", "i8", "#1", "-2", "INCRBY", "u8", "#0", "10"),
            "[(integer) 112, (integer) 11]");
  EXPECT_EQ(run("BITFIELD_RO", "k", "GET", "u16", "0", "get", "u16", "8"),
            "[(integer) 3070, (integer) 65024]");
  EXPECT_EQ(joined_effects(),
            "BITFIELD k SET u5 7 23 GET u5 7 GET i5 7; "
            "BITFIELD k SET i8 #1 -2 INCRBY u8 #0 10");
}

TEST_F(BitmapCommandsTest, Overflow) {
  const auto field = [this](const char* mode, const char* type, const char* start, const char* by) {
    run("DEL", "k");
    run("BITFIELD", "k", "SET", type, "3", start);
    return run("BITFIELD", "k", "OVERFLOW", mode, "INCRBY", type, "3", by);
  };
  EXPECT_EQ(field("WRAP", "u8", "250", "10"), "[(integer) 4]");
  EXPECT_EQ(field("SAT", "u8", "250", "10"), "[(integer) 255]");
  EXPECT_EQ(field("FAIL", "u8", "250", "10"), "[(nil)]");
  EXPECT_EQ(field("sat", "u8", "5", "-10"), "[(integer) 0]");
  EXPECT_EQ(field("wrap", "u8", "5", "-10"), "[(integer) 251]");
  EXPECT_EQ(field("wrap", "i8", "127", "1"), "[(integer) -128]");
  EXPECT_EQ(field("sat", "i8", "-128", "-1"), "[(integer) -128]");
  const char* kMax = "9223372036854775807";
  const char* kMin = "-9223372036854775808";
  EXPECT_EQ(field("wrap", "i64", kMax, "1"), "[(integer) -9223372036854775808]");
  EXPECT_EQ(field("sat", "i64", kMax, kMax), "[(integer) 9223372036854775807]");
  EXPECT_EQ(field("fail", "i64", kMax, "1"), "[(nil)]");
  EXPECT_EQ(field("wrap", "i64", kMin, kMin), "[(integer) 0]");
  EXPECT_EQ(field("sat", "i64", kMin, kMin), "[(integer) -9223372036854775808]");
  EXPECT_EQ(field("wrap", "i64", kMin, kMax), "[(integer) -1]");
  EXPECT_EQ(field("wrap", "u63", kMax, kMax), "[(integer) 9223372036854775806]");
  EXPECT_EQ(field("sat", "u63", kMax, "1"), "[(integer) 9223372036854775807]");
  EXPECT_EQ(field("sat", "u63", "0", kMin), "[(integer) 0]");
  EXPECT_EQ(field("wrap", "u63", "0", kMin), "[(integer) 0]");
  EXPECT_EQ(field("fail", "u63", "1", "-2"), "[(nil)]");
  // SET overflows too; without a sign a negative number is a large one.
  EXPECT_EQ(run("BITFIELD", "s", "OVERFLOW", "SAT", "SET", "u4", "0", "-1", "GET", "u4", "0"),
            "[(integer) 0, (integer) 15]");
  EXPECT_EQ(run("BITFIELD", "s", "SET", "i4", "0", "23", "GET", "i4", "0"),
            "[(integer) -1, (integer) 7]");
  EXPECT_EQ(run("BITFIELD", "n", "OVERFLOW", "SAT", "SET", "i3", "0", "-9223372036854775804", "GET",
                "i3", "0"),
            "[(integer) 0, (integer) -4]");
  EXPECT_EQ(run("BITFIELD", "n", "OVERFLOW", "SAT", "SET", "i3", "0", "-9223372036854775808", "GET",
                "i3", "0"),
            "[(integer) -4, (integer) 3]");
  EXPECT_EQ(run("BITFIELD", "n", "OVERFLOW", "SAT", "INCRBY", "i3", "0", "-9223372036854775808"),
            "[(integer) -4]");
  EXPECT_EQ(run("BITFIELD", "s", "OVERFLOW", "FAIL", "SET", "u4", "0", "16", "GET", "u4", "0"),
            "[(nil), (integer) 7]");
}

// As redis, BITFIELD makes the string longer before it finds that nothing fits; that must travel.
TEST_F(BitmapCommandsTest, AFailedWriteStillGrowsTheString) {
  EXPECT_EQ(run("BITFIELD", "k", "OVERFLOW", "FAIL", "SET", "u8", "0", "256"), "[(nil)]");
  EXPECT_EQ(run("GET", "k"), R"("\x00")");
  EXPECT_EQ(joined_effects(), "BITFIELD k OVERFLOW FAIL SET u8 0 256");
}

TEST_F(BitmapCommandsTest, BitfieldRefuses) {
  constexpr const char* kBadType =
      "(error) ERR Invalid bitfield type. Use something like i16 u8. Note that u64 is not "
      "supported but i64 is.";
  for (const char* type : {"u64", "i65", "i0", "u0", "u-1", "x8", "8", "", "i", "U8"}) {
    EXPECT_EQ(run("BITFIELD", "k", "GET", type, "0"), kBadType) << type;
  }
  EXPECT_EQ(run("BITFIELD", "k", "GET", "u8"), kSyntaxError);
  EXPECT_EQ(run("BITFIELD", "k", "SET", "u8", "0"), kSyntaxError);
  EXPECT_EQ(run("BITFIELD", "k", "PUT", "u8", "0", "1"), kSyntaxError);
  EXPECT_EQ(run("BITFIELD", "k", "OVERFLOW"), kSyntaxError);
  EXPECT_EQ(run("BITFIELD", "k", "OVERFLOW", "x"), "(error) ERR Invalid OVERFLOW type specified");
  EXPECT_EQ(run("BITFIELD", "k", "SET", "u8", "0", "x"), kNotAnInteger);
  EXPECT_EQ(run("BITFIELD", "k", "SET", "u8", "0", "1", "GET", "u8", "x"), kBadOffset);
  EXPECT_EQ(run("BITFIELD_RO", "k", "GET", "u8", "0", "SET", "u8", "0", "1"),
            "(error) ERR BITFIELD_RO only supports the GET subcommand");
  EXPECT_EQ(run("EXISTS", "k"), "(integer) 0");
}

}  // namespace
}  // namespace tandem
