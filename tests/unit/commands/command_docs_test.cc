#include <set>
#include <string>
#include <vector>

#include "server/commands/argument_docs.h"
#include "server/commands/argument_syntax.h"
#include "server/commands/command_history.h"
#include "tests/unit/commands/command_fixture.h"

namespace tandem {
namespace {

using CommandDocsTest = CommandFixture;

TEST_F(CommandDocsTest, ArgumentsOfEachKind) {
  EXPECT_EQ(run("COMMAND", "DOCS", "getrange", "none").find("[\"getrange\", [\"summary\", "), 0u);
  const auto arguments = parse_arguments(
      "key:k0 EX=seconds:i?@2.0.0 change!CH? !NX one:<!A|id:(x:d y)>* GET=match:p?+ auto!* at:u");
  ASSERT_EQ(arguments.size(), 8u);
  EXPECT_EQ(arguments[0].name, "key");
  EXPECT_EQ(arguments[0].type, "key");
  EXPECT_EQ(arguments[0].key_spec, 0);
  EXPECT_FALSE(arguments[0].token.has_value());
  EXPECT_EQ(arguments[1].name, "seconds");
  EXPECT_EQ(arguments[1].token, "EX");
  EXPECT_EQ(arguments[1].type, "integer");
  EXPECT_EQ(arguments[1].since, "2.0.0");
  EXPECT_TRUE(arguments[1].optional);
  EXPECT_FALSE(arguments[1].multiple);
  EXPECT_EQ(arguments[2].name, "change");
  EXPECT_EQ(arguments[2].token, "CH");
  EXPECT_EQ(arguments[2].type, "pure-token");
  EXPECT_EQ(arguments[3].name, "NX");
  EXPECT_EQ(arguments[3].token, "NX");
  EXPECT_EQ(arguments[4].type, "oneof");
  EXPECT_TRUE(arguments[4].multiple);
  ASSERT_EQ(arguments[4].arguments.size(), 2u);
  ASSERT_EQ(arguments[4].arguments[1].arguments.size(), 2u);
  EXPECT_EQ(arguments[4].arguments[1].type, "block");
  EXPECT_EQ(arguments[4].arguments[1].arguments[0].type, "double");
  EXPECT_EQ(arguments[5].type, "pattern");
  EXPECT_TRUE(arguments[5].multiple_token && arguments[5].multiple && arguments[5].optional);
  EXPECT_EQ(arguments[6].token, "*");
  EXPECT_EQ(arguments[7].type, "unix-time");
  EXPECT_TRUE(parse_arguments("").empty());
}

TEST_F(CommandDocsTest, ShowArgumentsAndHistory) {
  set_protocol(3);
  const std::string docs = run("COMMAND", "DOCS", "getex");
  EXPECT_NE(docs.find("\"arguments\": [{\"name\": \"key\", \"type\": \"key\", \"display_text\": "
                      "\"key\", \"key_spec_index\": (integer) 0}, {\"name\": \"expiration\", "
                      "\"type\": \"oneof\", \"flags\": ~[optional], \"arguments\": [{\"name\": "
                      "\"seconds\", \"type\": \"integer\", \"display_text\": \"seconds\", "
                      "\"token\": \"EX\"}"),
            std::string::npos)
      << docs;
  EXPECT_NE(docs.find("{\"name\": \"persist\", \"type\": \"pure-token\", \"display_text\": "
                      "\"persist\", \"token\": \"PERSIST\"}"),
            std::string::npos)
      << docs;
  EXPECT_NE(run("COMMAND", "DOCS", "expire").find("[\"7.0.0\", \"Takes NX, XX, GT and LT.\"]"),
            std::string::npos);
  EXPECT_NE(run("COMMAND", "DOCS", "substr").find("\"replaced_by\": \"GETRANGE\""),
            std::string::npos);
}

size_t deepest_key_spec(const std::vector<ArgumentDoc>& arguments) {
  size_t most = 0;
  for (const ArgumentDoc& argument : arguments) {
    most = std::max(
        {most, static_cast<size_t>(argument.key_spec + 1), deepest_key_spec(argument.arguments)});
  }
  return most;
}

TEST_F(CommandDocsTest, AgreeWithTheTable) {
  // They take what nobody lists.
  const std::set<std::string> undocumented = {"debug", "replconf",   "reset",
                                              "quit",  "pfselftest", "command",
                                              "sync",  "slowlog",    "function|stats"};
  const auto check = [&](const Command& command) {
    SCOPED_TRACE(command.name);
    const auto arguments = parse_arguments(argument_syntax(command.row->name));
    EXPECT_LE(deepest_key_spec(arguments), command.key_specs.size());
    if (command.handler == nullptr || undocumented.contains(command.name)) return;
    const int words = command.container == nullptr ? 1 : 2;
    EXPECT_EQ(arguments.empty(), command.arity == words);
  };
  for (const auto& command : executor_.commands().commands()) {
    check(*command);
    for (const auto& subcommand : command->subcommands) check(*subcommand);
  }
}

}  // namespace
}  // namespace tandem
