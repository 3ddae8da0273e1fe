#include <string>
#include <utility>
#include <vector>

#include "tests/unit/functions/function_fixture.h"

namespace tandem {
namespace {

using ScriptLibrariesTest = FunctionFixture;

using Cases = std::vector<std::pair<std::string, std::string>>;

TEST_F(ScriptLibrariesTest, Json) {
  const Cases cases = {
      {"return cjson.encode({1, 'a', {b=true}})", R"("[1,\"a\",{\"b\":true}]")"},
      {"return cjson.decode('{\"a\":[1,2]}').a[2]", "(integer) 2"},
      {"return cjson.decode('{')",
       raised("ERR user_function:3: Expected object key string but found T_END at character 2")},
  };
  for (const auto& [body, reply] : cases) EXPECT_EQ(eval(body), reply) << body;
}

TEST_F(ScriptLibrariesTest, Bits) {
  EXPECT_EQ(eval("return {bit.band(6, 3), bit.bor(6, 3), bit.lshift(1, 4)}"),
            "[(integer) 2, (integer) 7, (integer) 16]");
}

TEST_F(ScriptLibrariesTest, StructPacks) {
  const Cases cases = {
      {"return struct.pack('>I2I4', 1, 2)", R"("\x00\x01\x00\x00\x00\x02")"},
      {"return struct.pack('<i3', -2)", R"("\xfe\xff\xff")"},
      {"return struct.pack('bBx', -1, 255)", R"("\xff\xff\x00")"},
      {"return struct.pack('>hlf', 1, 2, 0.5)",
       R"("\x00\x01\x00\x00\x00\x00\x00\x00\x00\x02?\x00\x00\x00")"},
      {"return struct.pack('>!4bi4', 1, 2)", R"("\x01\x00\x00\x00\x00\x00\x00\x02")"},
      {"return struct.pack('sc2c0', 'ab', 'xyz', 'w')", R"("ab\x00xyw")"},
      {"return {struct.unpack('>I2i1s', '\\1\\2\\255ab\\0')}",
       "[(integer) 258, (integer) -1, \"ab\", (integer) 7]"},
      {"return {struct.unpack('>I1c0', '\\3abcd')}", "[\"abc\", (integer) 5]"},
      {"return {struct.unpack('>d', struct.pack('>d', 4))}", "[(integer) 4, (integer) 9]"},
      {"return {struct.unpack('b', 'ab', 2)}", "[(integer) 98, (integer) 3]"},
      {"return struct.size('!8bi8')", "(integer) 16"},
  };
  for (const auto& [body, reply] : cases) EXPECT_EQ(eval(body), reply) << body;
}

TEST_F(ScriptLibrariesTest, StructRefusesWhatDoesNotFit) {
  for (const char* body :
       {"return struct.unpack('i4', 'abc')", "return struct.unpack('s', 'abc')",
        "return struct.unpack('c0', 'abc')", "return struct.unpack('Bc0', '\\9abc')",
        "return struct.unpack('b', 'a', 3)", "return struct.unpack('b', 'a', 0)",
        "return struct.unpack('b', 'a', -2^53)", "return struct.unpack('b', 'a', 0/0)",
        "return struct.pack('i33', 1)", "return struct.pack('i99999999999', 1)",
        "return struct.pack('!3b', 1)", "return struct.pack('q', 1)",
        "return struct.pack('c5', 'abc')", "return struct.size('s')", "return struct.size('c0')",
        "return struct.pack('i')", "return struct.unpack(('c2147483648'), 'a')"}) {
    EXPECT_TRUE(eval(body).starts_with("(error) ERR ")) << body;
  }
}

TEST_F(ScriptLibrariesTest, MessagePackPacks) {
  const Cases cases = {
      {"0", R"("\x00")"},
      {"127", R"("\x7f")"},
      {"128", R"("\xcc\x80")"},
      {"256", R"("\xcd\x01\x00")"},
      {"65536", R"("\xce\x00\x01\x00\x00")"},
      {"2^32", R"("\xcf\x00\x00\x00\x01\x00\x00\x00\x00")"},
      {"-1", R"("\xff")"},
      {"-33", R"("\xd0\xdf")"},
      {"-129", R"("\xd1\xff\x7f")"},
      {"-32769", R"("\xd2\xff\xff\x7f\xff")"},
      {"0.5", R"("\xca?\x00\x00\x00")"},
      {"0.1", R"("\xcb?\xb9\x99\x99\x99\x99\x99\x9a")"},
      {"nil", R"("\xc0")"},
      {"true, false", R"("\xc3\xc2")"},
      {"'ab'", R"("\xa2ab")"},
      {"{}", R"("\x90")"},
      {"{1, 'a'}", R"("\x92\x01\xa1a")"},
      {"{a=1}", R"("\x81\xa1a\x01")"},
      {"{[2]=1}", R"("\x81\x02\x01")"},
      {"function() end", R"("\xc0")"},
  };
  for (const auto& [value, packed] : cases) {
    EXPECT_EQ(eval("return cmsgpack.pack(" + value + ")"), packed) << value;
  }
  EXPECT_EQ(eval("return #cmsgpack.pack(string.rep('x', 40), string.rep('x', 300))"),
            "(integer) 345");
  EXPECT_EQ(eval("local t = {} t[1] = t return #cmsgpack.pack(t)"), "(integer) 17");
}

TEST_F(ScriptLibrariesTest, MessagePackUnpacksWhatItPacked) {
  EXPECT_EQ(eval("local t = cmsgpack.unpack(cmsgpack.pack({1, -40, 'x', {y='z'}, 2^40, 1.5, "
                 "-2^40, 300, -300, 70000, -70000, true}))\n"
                 "return {t[1], t[2], t[3], t[4].y, t[5] == 2^40, t[6] == 1.5, t[7] == -2^40, "
                 "t[8], t[9], t[10], t[11], t[12]}"),
            "[(integer) 1, (integer) -40, \"x\", \"z\", (integer) 1, (integer) 1, (integer) 1, "
            "(integer) 300, (integer) -300, (integer) 70000, (integer) -70000, (integer) 1]");
  EXPECT_EQ(eval("return {cmsgpack.unpack('\\1\\2\\3')}"),
            "[(integer) 1, (integer) 2, (integer) 3]");
  EXPECT_EQ(eval("return {cmsgpack.unpack_one('\\1\\2')}"), "[(integer) 1, (integer) 1]");
  EXPECT_EQ(eval("return {cmsgpack.unpack_one('\\1\\2', 1)}"), "[(integer) -1, (integer) 2]");
  EXPECT_EQ(eval("return {cmsgpack.unpack_limit('\\1\\2\\3', 2)}"),
            "[(integer) 2, (integer) 1, (integer) 2]");
}

TEST_F(ScriptLibrariesTest, MessagePackRefusesWhatIsNotWhole) {
  for (const char* bytes : {"\\221", "\\129\\1", "\\165abc", "\\217", "\\219\\255\\255\\255\\255a",
                            "\\221\\255\\255\\255\\255\\1", "\\223\\255\\255\\255\\255\\1",
                            "\\203\\1\\2", "\\193", "\\199\\1\\1\\1", "\\129\\192\\1"}) {
    EXPECT_TRUE(
        eval("return cmsgpack.unpack('" + std::string(bytes) + "')").starts_with("(error) ERR "))
        << bytes;
  }
  EXPECT_TRUE(eval("return cmsgpack.unpack(string.rep('\\145', 100000))").starts_with("(error)"));
  EXPECT_TRUE(eval("return cmsgpack.unpack_one('a', 2)").starts_with("(error)"));
  EXPECT_TRUE(eval("return cmsgpack.unpack_one('a', -1)").starts_with("(error)"));
  EXPECT_TRUE(eval("return cmsgpack.unpack_limit('a', -1)").starts_with("(error)"));
  EXPECT_TRUE(eval("return cmsgpack.pack()").starts_with("(error)"));
}

}  // namespace
}  // namespace tandem
