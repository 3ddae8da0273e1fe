#include <string>

#include "functions/function_engine.h"
#include "persistence/dump_payload.h"
#include "tests/unit/functions/function_fixture.h"

namespace tandem {
namespace {

std::string library(std::string_view name, std::string_view function) {
  return "#!lua name=" + std::string(name) + "\nserver.register_function('" +
         std::string(function) + "', function() return '" + std::string(name) + "' end)";
}

class RestoreTest : public FunctionFixture {
 protected:
  // The names of the libraries that are there.
  std::string names() {
    std::string text;
    for (const auto& [name, library] : engine_.functions().libraries()) text += name + " ";
    return text;
  }
};

TEST_F(RestoreTest, BringsBackWhatWasDumped) {
  run("FUNCTION", "LOAD", library("a", "f"));
  run("FUNCTION", "LOAD", library("b", "g"));
  const std::string payload = dump_libraries({library("a", "f"), library("b", "g")});
  EXPECT_EQ(run("FUNCTION", "DUMP"), quote(payload));
  run("FUNCTION", "FLUSH");
  EXPECT_EQ(effects_of("FUNCTION", "RESTORE", payload), "FUNCTION RESTORE " + payload);
  EXPECT_EQ(run("FCALL", "f", "0") + run("FCALL", "g", "0"), "\"a\"\"b\"");
}

TEST_F(RestoreTest, FollowsThePolicy) {
  run("FUNCTION", "LOAD", library("a", "f"));
  const std::string same = dump_libraries({library("a", "f2")});
  EXPECT_EQ(run("FUNCTION", "RESTORE", same), "(error) ERR Library a already exists");
  EXPECT_EQ(run("FUNCTION", "RESTORE", same, "APPEND"), "(error) ERR Library a already exists");
  EXPECT_EQ(run("FUNCTION", "RESTORE", same, "replace"), "OK");
  EXPECT_EQ(run("FCALL", "f", "0"), "(error) ERR Function not found");
  EXPECT_EQ(run("FCALL", "f2", "0"), "\"a\"");
  EXPECT_EQ(run("FUNCTION", "RESTORE", dump_libraries({library("b", "g")})), "OK");
  EXPECT_EQ(names(), "a b ");
  EXPECT_EQ(run("FUNCTION", "RESTORE", dump_libraries({library("c", "g")}), "FLUSH"), "OK");
  EXPECT_EQ(names(), "c ");
  EXPECT_EQ(run("FUNCTION", "RESTORE", dump_libraries({}), "FLUSH"), "OK");
  EXPECT_EQ(names(), "");
}

TEST_F(RestoreTest, ChangesNothingWhenItFails) {
  run("FUNCTION", "LOAD", library("a", "f"));
  run("FUNCTION", "LOAD", library("b", "g"));
  const std::string taken = dump_libraries({library("a", "f2"), library("c", "g")});
  EXPECT_EQ(run("FUNCTION", "RESTORE", taken, "REPLACE"), "(error) ERR Function g already exists");
  const std::string broken = dump_libraries({library("c", "h"), "#!lua name=d\nfoo("});
  for (const char* policy : {"APPEND", "REPLACE", "FLUSH"}) {
    EXPECT_EQ(run("FUNCTION", "RESTORE", broken, policy),
              "(error) ERR Error compiling function: user_function:2: unexpected symbol near "
              "'<eof>'");
  }
  EXPECT_EQ(names(), "a b ");
  EXPECT_EQ(run("FCALL", "f", "0") + run("FCALL", "g", "0"), "\"a\"\"b\"");
}

TEST_F(RestoreTest, RefusesBadPayloads) {
  const std::string wrong = "(error) ERR DUMP payload version or checksum are wrong";
  EXPECT_EQ(run("FUNCTION", "RESTORE", ""), wrong);
  EXPECT_EQ(run("FUNCTION", "RESTORE", "short"), wrong);
  std::string damaged = dump_libraries({library("a", "f")});
  damaged[5] ^= 1;
  EXPECT_EQ(run("FUNCTION", "RESTORE", damaged), wrong);
  run("SET", "k", "v");
  EXPECT_EQ(run("FUNCTION", "RESTORE", dump_value(*keyspace_.database(0).peek("k"))),
            "(error) ERR failed loading the given functions payload");
  EXPECT_EQ(run("FUNCTION", "RESTORE", dump_libraries({}), "MERGE"),
            "(error) ERR Wrong restore policy given, value should be either FLUSH, APPEND or "
            "REPLACE.");
  EXPECT_EQ(run("FUNCTION", "RESTORE", dump_libraries({}), "FLUSH", "APPEND"),
            "(error) ERR unknown subcommand or wrong number of arguments for 'RESTORE'. Try "
            "FUNCTION HELP.");
}

}  // namespace
}  // namespace tandem
