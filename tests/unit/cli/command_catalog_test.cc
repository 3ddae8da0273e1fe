#include "tools/cli/command_catalog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tandem::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

std::string bulk(std::string_view text) {
  return "$" + std::to_string(text.size()) + "\r\n" + std::string(text) + "\r\n";
}

std::string list(std::vector<std::string> elements) {
  std::string out = "*" + std::to_string(elements.size()) + "\r\n";
  for (const std::string& element : elements) out += element;
  return out;
}

ReplyValue parse(const std::string& bytes) {
  ReplyReader reader;
  reader.feed(bytes);
  return *reader.next().value();
}

std::string argument(std::string_view name, std::string_view type, std::string_view token,
                     std::vector<std::string> flags, std::vector<std::string> inner = {}) {
  std::vector<std::string> fields = {bulk("name"), bulk(name), bulk("type"), bulk(type)};
  auto add = [&](std::string_view key, std::string value) {
    fields.push_back(bulk(key));
    fields.push_back(std::move(value));
  };
  if (!token.empty()) add("token", bulk(token));
  std::vector<std::string> simple;
  for (const std::string& flag : flags) simple.push_back("+" + flag + "\r\n");
  if (!flags.empty()) add("flags", list(simple));
  if (!inner.empty()) add("arguments", list(inner));
  return list(fields);
}

ReplyValue docs() {
  std::string set =
      list({bulk("summary"), bulk("Sets a key."), bulk("since"), bulk("1.0.0"), bulk("group"),
            bulk("string"), bulk("arguments"),
            list({argument("key", "key", "", {}),
                  argument("more", "string", "", {"multiple", "optional"}),
                  argument("condition", "oneof", "", {"optional"},
                           {argument("nx", "pure-token", "NX", {}),
                            argument("seconds", "integer", "EX", {})}),
                  argument("pair", "block", "PAIR", {"multiple", "multiple_token"},
                           {argument("f", "string", "", {}), argument("v", "string", "", {})})})});
  std::string config_get = list({bulk("summary"), bulk("Reads."), bulk("group"), bulk("server")});
  std::string config = list({bulk("group"), bulk("server"), bulk("subcommands"),
                             list({bulk("config|get"), config_get, bulk("config|set"), list({})})});
  return parse(list({bulk("set"), set, bulk("config"), config, bulk("setex"), list({})}));
}

TEST(CommandCatalogTest, SyntaxAndHelp) {
  CommandCatalog catalog = CommandCatalog::from_docs(docs());
  ASSERT_EQ(catalog.commands().size(), 5u);
  EXPECT_EQ(catalog.commands()[3].name, "SET");
  EXPECT_EQ(catalog.commands()[3].syntax,
            "key [more [more ...]] [NX|EX seconds] PAIR f v [PAIR f v ...]");
  EXPECT_THAT(catalog.help({"set"}), HasSubstr("Sets a key."));
  EXPECT_THAT(catalog.help({"set"}), Not(HasSubstr("SETEX")));
  EXPECT_THAT(catalog.help({"config"}), HasSubstr("CONFIG GET"));
  EXPECT_THAT(catalog.help({"config", "get"}), HasSubstr("Reads."));
  EXPECT_THAT(catalog.help({"@server"}), HasSubstr("CONFIG GET"));
  EXPECT_THAT(catalog.help({"@server"}), Not(HasSubstr("Sets a key.")));
}

TEST(CommandCatalogTest, CompletionKeepsTheCaseTyped) {
  CommandCatalog catalog = CommandCatalog::from_docs(docs());
  EXPECT_THAT(catalog.complete("se"), ElementsAre("set", "setex"));
  EXPECT_THAT(catalog.complete("SE"), ElementsAre("SET", "SETEX"));
  EXPECT_THAT(catalog.complete("config g"), ElementsAre("config get"));
  EXPECT_THAT(catalog.complete("help config s"), ElementsAre("help config set"));
  EXPECT_THAT(catalog.complete("help @se"), ElementsAre("help @server"));
  EXPECT_THAT(catalog.complete("set key"), ElementsAre());
}

TEST(CommandCatalogTest, NamesAloneServeCompletion) {
  CommandCatalog catalog = CommandCatalog::from_names(
      parse(list({list({bulk("get"), ":2\r\n"}), "*-1\r\n", list({bulk("fcall"), ":-3\r\n"})})));
  EXPECT_THAT(catalog.complete("f"), ElementsAre("fcall"));
  EXPECT_EQ(catalog.commands().size(), 2u);
}

}  // namespace
}  // namespace tandem::cli
