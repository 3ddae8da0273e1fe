#include "tests/unit/commands/admin_fixture.h"

namespace tandem {
namespace {

void nothing(Call& call) { call.reply.ok(); }

constexpr CommandRow kSamples[] = {
    {.name = "get",
     .handler = nothing,
     .arity = 2,
     .flags = "fast,readonly",
     .keys = "1,1,1",
     .categories = "@fast,@read,@string",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns a string.",
     .since = "1.0.0",
     .group = "string",
     .complexity = "O(1)"},
    {.name = "set",
     .handler = nothing,
     .arity = -3,
     .flags = "denyoom,write",
     .keys = "1,1,1",
     .categories = "@slow,@string,@write",
     .key_specs =
         "[ACCESS+RW+UPDATE+VARIABLE_FLAGS index:index=1 range:lastkey=0,keystep=1,limit=0]"},
    {.name = "fcall",
     .handler = nothing,
     .arity = -3,
     .flags = "movablekeys,no_mandatory_keys,noscript,skip_monitor,stale",
     .categories = "@scripting,@slow",
     .key_specs = "[ACCESS+RW+UPDATE index:index=2 keynum:keynumidx=0,firstkey=1,keystep=1]"},
    {.name = "xread",
     .handler = nothing,
     .arity = -4,
     .flags = "blocking,movablekeys,readonly",
     .categories = "@blocking,@read,@slow,@stream",
     .key_specs =
         "[ACCESS+RO keyword:keyword=STREAMS,startfrom=1 range:lastkey=-1,keystep=1,limit=2]"},
};

class IntrospectionTest : public AdminFixture {
 protected:
  IntrospectionTest() { executor.commands().add(kSamples); }
};

// The replies of redis-server 7.0.15, RESP3 and RESP2.
TEST_F(IntrospectionTest, Info) {
  client->set_protocol(3);
  const std::string get =
      "*10 $3 get :2 ~2 +readonly +fast :1 :1 :1 ~3 +@read +@string +@fast ~0 ~1 %3 $5 flags ~2 "
      "+RO +access $12 begin_search %2 $4 type $5 index $4 spec %1 $5 index :1 $9 find_keys %2 $4 "
      "type $5 range $4 spec %3 $7 lastkey :0 $7 keystep :1 $5 limit :0 ~0";
  EXPECT_EQ(run({"command", "info", "get", "nosuch"}), "*2 " + get + " _");
  client->set_protocol(2);
  EXPECT_EQ(run({"command", "info", "nosuch"}), "*1 *-1");
  const std::string listed = run({"command", "info", "client|list"});
  EXPECT_EQ(listed,
            "*1 *10 $11 client|list :-2 *4 +admin +noscript +loading +stale :0 :0 :0 *4 +@admin "
            "+@slow +@dangerous +@connection *1 $23 nondeterministic_output *0 *0");
}

TEST_F(IntrospectionTest, InfoOfOtherKeySpecs) {
  client->set_protocol(3);
  const std::string fcall = run({"command", "info", "fcall"});
  EXPECT_NE(fcall.find("find_keys %2 $4 type $6 keynum $4 spec %3 $9 keynumidx :0 $8 firstkey :1 "
                       "$7 keystep :1"),
            std::string::npos)
      << fcall;
  const std::string xread = run({"command", "info", "xread"});
  EXPECT_NE(xread.find("begin_search %2 $4 type $7 keyword $4 spec %2 $7 keyword $7 STREAMS $9 "
                       "startfrom :1"),
            std::string::npos)
      << xread;
}

TEST_F(IntrospectionTest, AllAndCount) {
  const std::string count = std::to_string(executor.commands().commands().size());
  EXPECT_EQ(run({"command", "count"}), ":" + count);
  EXPECT_TRUE(run({"command"}).starts_with("*" + count + " *10 "));
  EXPECT_EQ(run({"command"}), run({"command", "info"}));
  EXPECT_EQ(run({"command", "foo"}), "-ERR unknown subcommand 'foo'. Try COMMAND HELP.");
}

TEST_F(IntrospectionTest, Docs) {
  client->set_protocol(3);
  EXPECT_EQ(run({"command", "docs", "get", "nosuch"}),
            "%1 $3 get %5 $7 summary $17 Returns a string. $5 since $5 1.0.0 $5 group $6 string "
            "$10 complexity $4 O(1) $9 arguments *1 %4 $4 name $3 key $4 type $3 key "
            "$12 display_text $3 key $14 key_spec_index :0");
  const std::string container = run({"command", "docs", "config"});
  EXPECT_NE(container.find("$11 subcommands %5 $10 config|get %6 $7 summary "), std::string::npos)
      << container;
  EXPECT_TRUE(run({"command", "docs", "client|id"}).starts_with("%1 $9 client|id %4 "));
}

TEST_F(IntrospectionTest, List) {
  EXPECT_TRUE(run({"command", "list"})
                  .starts_with("*" + std::to_string(executor.commands().commands().size()) + " "));
  EXPECT_EQ(run({"command", "list", "filterby", "pattern", "config|RE*"}),
            "*2 $14 config|rewrite $16 config|resetstat");
  EXPECT_EQ(run({"command", "list", "filterby", "aclcat", "string"}), "*2 $3 get $3 set");
  EXPECT_EQ(run({"command", "list", "filterby", "module", "json"}), "*0");
  EXPECT_EQ(run({"command", "list", "filterby", "foo", "x"}), "-ERR syntax error");
  EXPECT_EQ(run({"command", "list", "x"}), "-ERR syntax error");
}

TEST_F(IntrospectionTest, GetKeys) {
  EXPECT_EQ(run({"command", "getkeys", "get", "a"}), "*1 $1 a");
  EXPECT_EQ(run({"command", "getkeys", "fcall", "f", "2", "a", "b", "c"}), "*2 $1 a $1 b");
  EXPECT_EQ(run({"command", "getkeys", "fcall", "f", "0"}), "*0");
  EXPECT_EQ(run({"command", "getkeys", "fcall", "f", "z"}), "*0");
  EXPECT_EQ(run({"command", "getkeys", "get", "a", "b"}),
            "-ERR Invalid number of arguments specified for command");
  EXPECT_EQ(run({"command", "getkeys", "xread", "count", "1", "a"}),
            "-ERR Invalid arguments specified for command");
  EXPECT_EQ(run({"command", "getkeys", "nosuch", "a"}), "-ERR Invalid command specified");
  EXPECT_EQ(run({"command", "getkeys", "client", "nosuch"}), "-ERR Invalid command specified");
  EXPECT_EQ(run({"command", "getkeys", "client", "list"}), "-ERR The command has no key arguments");
  EXPECT_EQ(run({"command", "getkeys", "get"}),
            "-ERR Invalid number of arguments specified for command");
}

TEST_F(IntrospectionTest, GetKeysAndFlags) {
  client->set_protocol(3);
  EXPECT_EQ(run({"command", "getkeysandflags", "set", "a", "b"}), "*1 *2 $1 a ~2 +OW +update");
  EXPECT_EQ(run({"command", "getkeysandflags", "set", "a", "get", "GET"}),
            "*1 *2 $1 a ~3 +RW +access +update");
  EXPECT_EQ(run({"command", "getkeysandflags", "watch", "a", "b"}),
            "*2 *2 $1 a ~1 +RO *2 $1 b ~1 +RO");
}

TEST_F(IntrospectionTest, Help) {
  EXPECT_TRUE(run({"command", "help"}).find("+COUNT +    Return how many") != std::string::npos);
}

}  // namespace
}  // namespace tandem
