#include "server/base/strings.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tandem {
namespace {

TEST(StringsTest, CaseIsAsciiOnly) {
  EXPECT_EQ(to_lower("AbZ\xc3\x84[@"), "abz\xc3\x84[@");
  EXPECT_EQ(to_upper("aBz{`"), "ABZ{`");
  EXPECT_TRUE(equals_ignore_case("GeT", "get"));
  EXPECT_FALSE(equals_ignore_case("get", "gets"));
  EXPECT_FALSE(equals_ignore_case("[", "{"));
}

TEST(StringsTest, GlobMatchesAsKeysDoes) {
  struct Case {
    const char *pattern, *text;
    bool matches;
  };
  const Case cases[] = {
      {"", "", true},
      {"", "a", false},
      {"h?llo", "hello", true},
      {"h?llo", "hllo", false},
      {"h*llo", "heeeello", true},
      {"h[ae]llo", "hallo", true},
      {"h[ae]llo", "hillo", false},
      {"h[^e]llo", "hallo", true},
      {"h[^e]llo", "hello", false},
      {"h[a-c]llo", "hbllo", true},
      {"h[c-a]llo", "hbllo", true},
      {"h[a-c]llo", "hdllo", false},
      {"h\\*llo", "h*llo", true},
      {"h\\*llo", "hello", false},
      {"[\\]]", "]", true},
      {"[a", "a", true},
      {"a\\", "a\\", true},
      {"*a*b", "xaxxb", true},
      {"*a*b", "xaxxbc", false},
      {"a**", "a", true},
      {"a*?", "a", false},
      {"news.*.[0-9]", "news.art.7", true},
      {"[", "[", false},
      {"[]", "a", false},
      {"", "", true},
      {"", "a", false},
      {"*", "", false},
      {"**", "", false},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(glob_match(each.pattern, each.text), each.matches)
        << each.pattern << " " << each.text;
  }
  EXPECT_TRUE(glob_match("MAX*[A-C]", "maxmemoryb", true));
  EXPECT_FALSE(glob_match("MAX*", "maxmemory", false));
  EXPECT_TRUE(glob_match(std::string_view("a\0*", 3), std::string_view("a\0b", 3)));
}

TEST(StringsTest, GlobOfManyStarsEndsInTime) {
  std::string pattern;
  for (int i = 0; i < 2000; ++i) pattern += "a*";
  EXPECT_FALSE(glob_match(pattern + "b", std::string(20000, 'a')));
}

std::vector<std::string> words_of(std::string_view line) {
  std::vector<std::string> words;
  return split_words(line, &words) ? words : std::vector<std::string>{"(unbalanced)"};
}

TEST(StringsTest, SplitsWordsWithQuotes) {
  using Words = std::vector<std::string>;
  EXPECT_EQ(words_of(""), Words{});
  EXPECT_EQ(words_of("  a\t b\r\n"), (Words{"a", "b"}));
  EXPECT_EQ(words_of("set \"a b\" 'c d'"), (Words{"set", "a b", "c d"}));
  EXPECT_EQ(words_of("\"\" ''"), (Words{"", ""}));
  EXPECT_EQ(words_of(R"("\x41\n\"\\\q" 'it\'s \n')"), (Words{"A\n\"\\q", "it's \\n"}));
  EXPECT_EQ(words_of(R"("\xZZ")"), Words{"xZZ"});
  EXPECT_EQ(words_of("a\"b c\""), Words{"ab c"});
  for (const char* wrong : {"\"a", "'a", "\"a\"b", "'a'b", "\"a\\\"", "\"a\\"}) {
    EXPECT_EQ(words_of(wrong), Words{"(unbalanced)"}) << wrong;
  }
}

TEST(StringsTest, QuotedTextReadsBack) {
  std::string every_byte;
  for (int byte = 0; byte < 256; ++byte) every_byte += static_cast<char>(byte);
  EXPECT_EQ(words_of(quote(every_byte)), std::vector<std::string>{every_byte});
  EXPECT_EQ(quote("a\"\\\n\x01\xff"), R"("a\"\\\n\x01\xff")");
}

}  // namespace
}  // namespace tandem
