// Library code that means harm to the server through what the libraries of Lua offer.

#include <gmock/gmock.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/unit/functions/function_fixture.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

// Each test ends with another library that must have noticed nothing.
class HostileLibraryTest : public FunctionFixture {
 protected:
  HostileLibraryTest() {
    configure("function-memory-limit", "64mb");
    run("FUNCTION", "LOAD",
        "#!lua name=bystander\n"
        "local kept = {text = 'kept'}\n"
        "server.register_function('bystand', function(keys, args)\n"
        "  local sorted = {3, 1, 2}\n"
        "  table.sort(sorted)\n"
        "  return {kept.text, ('x'):rep(3), ('a,b'):match(',(.*)'), cjson.encode(sorted),\n"
        "          cmsgpack.unpack(cmsgpack.pack(args[1])), bit.tohex(255), server.call('PING')}\n"
        "end)");
  }

  void TearDown() override {
    EXPECT_EQ(run("FCALL", "bystand", "0", "arg"),
              "[\"kept\", \"xxx\", \"b\", \"[1,2,3]\", \"arg\", \"000000ff\", PONG]");
  }

  // The error that the body raises, as its own pcall sees it.
  std::string error_of(std::string_view body) {
    return eval("local ok, e = pcall(function() " + std::string(body) +
                " end) return {ok, tostring(e)}");
  }
};

TEST_F(HostileLibraryTest, UnpackTakesNoExtremeRange) {
  for (const char* range :
       {"0, 2147483647", "-2147483648, 2147483647", "-2147483648, 0", "1, 2147483647",
        "-2147483648, -2147483648 + 2147483646", "1, 8000000"}) {
    EXPECT_THAT(eval("return {pcall(unpack, {}, " + std::string(range) + ")}"),
                HasSubstr("too many results to unpack"))
        << range;
  }
  EXPECT_EQ(eval("return #{unpack({}, 2147483647, -2147483648)}"), "(integer) 0");
  EXPECT_EQ(eval("return {unpack({1, 2, 3}, 2)}"), "[(integer) 2, (integer) 3]");
  EXPECT_EQ(eval("return select('#', unpack({}, 2147483640, 2147483647))"), "(integer) 8");
}

TEST_F(HostileLibraryTest, ChunkNamesOutliveTheCollector) {
  EXPECT_EQ(eval("for i = 1, 300 do\n"
                 "  local name = ('n'):rep(i) .. '\\0tail' .. i\n"
                 "  local f = loadstring('local t = {} for i = 1, 20 do t[i] = {tostring(i)} end "
                 "error(\"here\")', name)\n"
                 "  name = nil collectgarbage()\n"
                 "  local ok, e = pcall(f)\n"
                 "  if not e:find('here') then return e end\n"
                 "  loadstring(('x = = '):rep(i) .. '\\0' .. i)\n"
                 "  local given = false\n"
                 "  load(function() collectgarbage() if given then return nil end given = true "
                 "return 'return 1' end, ('m'):rep(i) .. '\\0')\n"
                 "end return 'done'"),
            "\"done\"");
}

TEST_F(HostileLibraryTest, BitTakesAnyNumberOfDigits) {
  EXPECT_EQ(eval("return {bit.tohex(65535, -2147483648), bit.tohex(-1, 2147483647),\n"
                 "bit.tohex(0x1234abcd, -4), bit.tohex(1, 0), bit.tohex(2^40 + 17, 2^32 + 2)}"),
            R"(["0000FFFF", "ffffffff", "ABCD", "", "11"])");
  EXPECT_THAT(error_of("return bit.tohex()"), HasSubstr("number expected, got no value"));
}

TEST_F(HostileLibraryTest, SortSurvivesAnOrderThatLies) {
  const std::string filled = "local t = {} for i = 1, 200 do t[i] = i * 7919 % 211 end ";
  EXPECT_THAT(error_of(filled + "table.sort(t, function() return true end)"),
              HasSubstr("invalid order function for sorting"));
  EXPECT_THAT(error_of(filled + "table.sort(t, function(a, b) t[200] = nil return a <= b end)"),
              HasSubstr("[(nil), "));
  EXPECT_THAT(error_of(filled + "t[100] = 'x' table.sort(t)"), HasSubstr("attempt to compare"));
  EXPECT_THAT(error_of(filled + "table.sort(t, function(a, b) error('stop') end)"),
              HasSubstr("stop"));
  EXPECT_EQ(eval(filled + "table.sort(t, function(a, b) return a > b end)\n"
                          "for i = 2, 200 do if t[i - 1] < t[i] then return i end end return 'ok'"),
            "\"ok\"");
}

TEST_F(HostileLibraryTest, StringsStayWithinTheirBounds) {
  EXPECT_THAT(error_of("return ('x'):rep(2^31)"), HasSubstr("resulting string too large"));
  EXPECT_THAT(error_of("return ('x'):rep(1e300)"), HasSubstr("resulting string too large"));
  EXPECT_EQ(eval("return #(''):rep(2147483647)"), "(integer) 0");
  EXPECT_EQ(eval("return #('x'):rep(-2147483648)"), "(integer) 0");
  EXPECT_EQ(eval("return #('ab'):rep(0/0)"), "(integer) 0");
  EXPECT_THAT(error_of("return string.format('%999d', 1)"), HasSubstr("invalid format"));
  EXPECT_THAT(error_of("return string.format(('%s'):rep(9000))"), HasSubstr("bad argument"));
  EXPECT_EQ(eval("return #string.format('%.99f', 1e308)"), "(integer) 409");
  EXPECT_EQ(eval("return #string.format('%99.99f', -1e308)"), "(integer) 410");
  EXPECT_THAT(error_of("return ('x'):rep(1e6):byte(1, -1)"), HasSubstr("string slice too long"));
  EXPECT_THAT(eval("local s = 'x' while true do s = s .. s end"), HasSubstr("not enough memory"));
  EXPECT_THAT(eval("local t = {} for i = 1, 1e9 do t[i] = ('x'):rep(1e6) .. i end"),
              HasSubstr("not enough memory"));
  EXPECT_THAT(eval("return #table.concat({}, 'x', 1, 2^31 - 1)"), HasSubstr("invalid value"));
}

TEST_F(HostileLibraryTest, PatternsStayWithinTheirBounds) {
  EXPECT_THAT(error_of("return ('x'):rep(1e5):find(('x?'):rep(1e5))"),
              HasSubstr("pattern too complex"));
  EXPECT_THAT(error_of("return ('x'):find(('('):rep(100))"), HasSubstr("too many captures"));
  EXPECT_THAT(error_of("return ('x'):gsub('x', '%9')"), HasSubstr("invalid capture index"));
  EXPECT_THAT(error_of("return ('x'):find('%f')"), HasSubstr("missing '['"));
  EXPECT_THAT(error_of("return ('x'):gsub('', ('y'):rep(1e8))"), HasSubstr("not enough memory"));
}

TEST_F(HostileLibraryTest, StructAndMsgpackTrustNoSize) {
  EXPECT_THAT(error_of("return struct.unpack('c2147483647', 'x')"), HasSubstr("too short"));
  EXPECT_THAT(error_of("return struct.unpack('i4', 'abcd', 2^53)"), HasSubstr("too short"));
  EXPECT_THAT(error_of("return struct.unpack('c99999999999', 'x')"), HasSubstr("overflow"));
  EXPECT_THAT(error_of("return struct.pack('i33', 1)"), HasSubstr("larger than limit"));
  EXPECT_THAT(error_of("return struct.unpack(('b'):rep(1e6), ('x'):rep(1e6))"),
              HasSubstr("too many results"));
  EXPECT_THAT(error_of("return cmsgpack.unpack('\\221\\255\\255\\255\\255')"),
              HasSubstr("Missing bytes"));
  EXPECT_THAT(error_of("return cmsgpack.unpack('\\219\\255\\255\\255\\255')"),
              HasSubstr("Missing bytes"));
  EXPECT_THAT(error_of("return cmsgpack.unpack(('\\145'):rep(1e6))"), HasSubstr("Bad data"));
  EXPECT_THAT(error_of("return cmsgpack.unpack(('\\1'):rep(1e6))"), HasSubstr("too many values"));
  EXPECT_EQ(eval("local t = {} t[1] = t return #cmsgpack.pack(t)"), "(integer) 17");
  EXPECT_THAT(error_of("local t = 'x' for i = 1, 15 do t = {t, t, t, t, t, t, t, t} end "
                       "return cmsgpack.pack(t)"),
              HasSubstr("too large"));
  EXPECT_THAT(error_of("local s = ('x'):rep(1e6) local t = {} for i = 1, 100 do t[i] = s end "
                       "return cmsgpack.pack(t)"),
              HasSubstr("too large"));
}

TEST_F(HostileLibraryTest, JsonStaysWithinItsBounds) {
  configure("function-memory-limit", "8mb");
  EXPECT_THAT(error_of("local t = {} t[1] = t return cjson.encode(t)"),
              HasSubstr("excessive nesting (1001)"));
  EXPECT_THAT(
      error_of("local t = {} t[1] = t t[2] = t cjson.encode_max_depth(2147483647) "
               "local ok, e = pcall(cjson.encode, t) cjson.encode_max_depth(1000) error(e)"),
      HasSubstr("excessive nesting"));
  EXPECT_THAT(error_of("local t = 'x' for i = 1, 60 do t = {t, t} end return cjson.encode(t)"),
              HasSubstr("result too large"));
  EXPECT_THAT(error_of("local t, s = {}, ('x'):rep(1e6) for i = 1, 100 do t[i] = s end "
                       "return cjson.encode(t)"),
              HasSubstr("result too large"));
  EXPECT_THAT(error_of("cjson.encode_sparse_array(false, 0) "
                       "local ok, e = pcall(cjson.encode, {[2147483647] = 1}) "
                       "cjson.encode_sparse_array(false, 2) error(e)"),
              HasSubstr("result too large"));
  EXPECT_THAT(error_of("return cjson.decode(('['):rep(1e6))"),
              HasSubstr("too many nested data structures"));
  EXPECT_THAT(error_of("cjson.decode_max_depth(2147483647) local ok, e = pcall(cjson.decode, "
                       "('['):rep(1e6)) cjson.decode_max_depth(1000) error(e)"),
              HasSubstr("too many nested data structures"));
  EXPECT_THAT(eval("return cjson.decode('[' .. ('[],'):rep(3e6) .. '1]')"),
              HasSubstr("not enough memory"));
}

TEST_F(HostileLibraryTest, RepliesAreBounded) {
  configure("function-memory-limit", "300kb");
  EXPECT_THAT(eval("local t = 'x' for i = 1, 60 do t = {t, t} end return t"),
              HasSubstr("the reply is too large"));
  EXPECT_THAT(
      eval("server.setresp(3) local t = 'x' for i = 1, 30 do t = {map = {a = t, b = t}} end "
           "return t"),
      HasSubstr("the reply is too large"));
  EXPECT_THAT(eval("local t = {} local s = ('x'):rep(1e5) for i = 1, 100 do t[i] = s end return t"),
              HasSubstr("the reply is too large"));
  EXPECT_EQ(eval("return setmetatable({}, {__index = function(t, i) return i end})"), "[]");
}

TEST_F(HostileLibraryTest, NothingSharedCanBeChanged) {
  EXPECT_EQ(eval("return {getmetatable(server) == nil, getmetatable(string) == nil,\n"
                 "getmetatable('').__index == string}"),
            "[(integer) 1, (integer) 1, (integer) 1]");
  EXPECT_THAT(eval("getmetatable('').__index.rep = nil"), HasSubstr("readonly"));
  EXPECT_THAT(eval("rawset(getmetatable('').__index, 'rep', 1)"), HasSubstr("readonly"));
  EXPECT_THAT(eval("setmetatable(getmetatable(''), {})"), HasSubstr("readonly"));
  EXPECT_THAT(eval("setmetatable('', {})"), HasSubstr("table expected"));
  EXPECT_THAT(eval("for _, f in pairs{1, true, print} do end"), HasSubstr("'print'"));
  EXPECT_THAT(eval("table.insert(server, 1, 1)"), HasSubstr("readonly"));
  EXPECT_THAT(eval("table.foreach(_G, function(k, v) if type(v) == 'table' then v.x = 1 end end) "
                   "return 'no'"),
              HasSubstr("no"));
  EXPECT_THAT(eval("for k, v in pairs(_G) do if type(v) == 'table' then v.x = 1 end end"),
              HasSubstr("readonly"));
}

TEST_F(HostileLibraryTest, ErrorsOfAnyKindEndTheCallAlone) {
  EXPECT_EQ(eval("error('a\\r\\nb')"), raised("ERR user_function:3: a  b"));
  EXPECT_THAT(eval("error(nil)"), StartsWith("(error) ERR nil"));
  EXPECT_THAT(eval("error()"), StartsWith("(error) ERR nil"));
  EXPECT_THAT(eval("error({})"), StartsWith("(error) ERR unknown error"));
  EXPECT_THAT(eval("error({err = {}})"), StartsWith("(error) ERR unknown error"));
  EXPECT_THAT(eval("error({ok = 'fine'})"), StartsWith("(error) ERR unknown error"));
  EXPECT_THAT(eval("error(setmetatable({}, {__tostring = function() error('x') end}))"),
              StartsWith("(error) ERR unknown error"));
  EXPECT_THAT(eval("error(setmetatable({}, {__index = function() error('x') end}))"),
              StartsWith("(error) ERR unknown error"));
  EXPECT_THAT(eval("xpcall(error, function() error('again') end) return 'on'"), HasSubstr("on"));
}

TEST_F(HostileLibraryTest, CoroutinesStayInside) {
  EXPECT_THAT(eval("coroutine.yield(1)"), HasSubstr("attempt to yield"));
  EXPECT_EQ(eval("local c = coroutine.wrap(function() server.call('SET', 'k', 'v') "
                 "coroutine.yield(server.call('GET', 'k')) end) return c()"),
            "\"v\"");
  EXPECT_THAT(eval("local c = coroutine.create(function() end) coroutine.resume(c) "
                   "return {coroutine.resume(c)}"),
              HasSubstr("[(nil), "));
  EXPECT_THAT(eval("local function nest() return coroutine.wrap(nest)() end nest()"),
              StartsWith("(error) ERR "));
  EXPECT_THAT(eval("return coroutine.wrap(function() error({err = 'X inside'}) end)()"),
              HasSubstr("X inside"));
  EXPECT_THAT(eval("local t = {} for i = 1, 1e7 do t[i] = coroutine.create(function() end) end"),
              HasSubstr("not enough memory"));
}

TEST_F(HostileLibraryTest, RecursionAndSizesEndInErrors) {
  EXPECT_THAT(eval("local function f() return 1 + f() end return f()"),
              HasSubstr("stack overflow"));
  EXPECT_THAT(eval("local t = {} for i = 1, 150 do local n = t t = setmetatable({}, {__index = n}) "
                   "end local _ = t.x return 'chain'"),
              HasSubstr("loop in gettable"));
  EXPECT_THAT(eval("local t = {} setmetatable(t, t) t.__index = t return t.x"),
              HasSubstr("loop in gettable"));
  EXPECT_THAT(eval("local t = setmetatable({}, {__index = function(t, k) return t[k] end}) "
                   "return t.x"),
              StartsWith("(error) ERR "));
  EXPECT_THAT(eval("return ('x'):gsub('x', function() return string.gsub('x', 'x', 'y') end)"),
              StartsWith("\"y\""));
  EXPECT_THAT(eval("local function f(s) return s:gsub('.', f) end return f('x')"),
              StartsWith("(error) ERR "));
  const std::string loader = "local f, e = loadstring(";
  EXPECT_THAT(eval("local names = {} for i = 1, 300 do names[i] = 'v' .. i end " + loader +
                   "'local ' .. table.concat(names, ',')) return e"),
              HasSubstr("more than 200 local variables"));
  EXPECT_THAT(eval(loader + "('('):rep(1e5) .. '1' .. (')'):rep(1e5)) return e"),
              HasSubstr("too many"));
  EXPECT_THAT(eval(loader + "('a = {'):rep(1e4)) return e"), HasSubstr("too many"));
  EXPECT_THAT(eval("local c = {} for i = 1, 3e5 do c[i] = i end " + loader +
                   "'return {' .. table.concat(c, ',') .. '}') return e or #f()"),
              HasSubstr("constant table overflow"));
  EXPECT_THAT(eval("local t = {} for i = 1, 1e5 do t[i] = 'x' end "
                   "return server.call('MSET', unpack(t))"),
              HasSubstr("too many results to unpack"));
}

TEST_F(HostileLibraryTest, ManyKeysAndArgumentsArrive) {
  std::vector<std::string> words = {"FCALL", "f", "100000"};
  for (int i = 0; i < 200'000; ++i) words.push_back(std::to_string(i));
  load_body("return {#KEYS, #ARGV, KEYS[100000], ARGV[100000]}");
  EXPECT_EQ(run_words({words.begin(), words.end()}),
            "[(integer) 100000, (integer) 100000, \"99999\", \"199999\"]");
}

}  // namespace
}  // namespace tandem
