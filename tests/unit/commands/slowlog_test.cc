#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/commands/admin_fixture.h"

namespace tandem {
namespace {

using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// One of the log's entries, spelled out: 1: id, time, value, arguments, address, name.
class SlowlogTest : public AdminFixture {
 protected:
  void log_everything() { set_config({"slowlog-log-slower-than", "0"}); }
};

TEST_F(SlowlogTest, FastCommandsAreNotLogged) {
  run({"PING"});
  EXPECT_EQ(run({"SLOWLOG", "LEN"}), ":0");
  EXPECT_EQ(run({"SLOWLOG", "GET"}), "*0");
}

TEST_F(SlowlogTest, AnEntryTellsOfTheCommandAndItsClient) {
  run({"CLIENT", "SETNAME", "somebody"});
  log_everything();
  run({"ECHO", "hello"});
  set_config({"slowlog-log-slower-than", "-1"});
  const std::string entries = run({"SLOWLOG", "GET"});
  EXPECT_THAT(entries, StartsWith("*1 *6 :0 :1700000000 :"));
  EXPECT_THAT(entries, EndsWith("*2 $4 ECHO $5 hello $15 127.0.0.1:50001 $8 somebody"));
  EXPECT_EQ(run({"COMMANDLOG", "GET", "-1", "slow"}), entries);
}

TEST_F(SlowlogTest, NewestFirstAndOnlyAsManyAsConfigured) {
  set_config({"slowlog-max-len", "3"});
  log_everything();
  for (const char* text : {"1", "2", "3", "4", "5"}) run({"ECHO", text});
  set_config({"slowlog-log-slower-than", "-1"});
  EXPECT_EQ(run({"SLOWLOG", "LEN"}), ":3");
  EXPECT_THAT(run({"SLOWLOG", "GET", "1"}), StartsWith("*1 *6 :4 "));
  const std::string all = run({"SLOWLOG", "GET", "-1"});
  EXPECT_THAT(all, StartsWith("*3 *6 :4 "));
  EXPECT_THAT(all, HasSubstr("$1 3 "));
  EXPECT_THAT(all, Not(HasSubstr("$1 2 ")));
  EXPECT_EQ(run({"SLOWLOG", "RESET"}), "+OK");
  EXPECT_EQ(run({"SLOWLOG", "LEN"}), ":0");
}

TEST_F(SlowlogTest, LongRequestsAreCut) {
  log_everything();
  std::vector<std::string_view> words(40, "x");
  words[0] = "COMMAND";
  words[1] = "INFO";
  const std::string long_word(200, 'y');
  words[2] = long_word;
  run(client, words);
  const std::string entry = run({"SLOWLOG", "GET", "1"});
  EXPECT_THAT(entry, HasSubstr("*32 $7 COMMAND $4 INFO $147 " + std::string(128, 'y') +
                               "... (72 more bytes) "));
  EXPECT_THAT(entry, HasSubstr("$22 ... (9 more arguments) $15 127.0.0.1:50001"));
}

TEST_F(SlowlogTest, SecretsAreNotKept) {
  log_everything();
  run({"AUTH", "someone", "secret1"});
  run({"HELLO", "2", "AUTH", "someone", "secret2", "SETNAME", "me"});
  run({"CONFIG", "SET", "masterauth", "secret3", "hz", "11"});
  const std::string entries = run({"SLOWLOG", "GET"});
  EXPECT_THAT(entries, Not(HasSubstr("secret")));
  EXPECT_THAT(entries, HasSubstr("$4 AUTH $10 (redacted) $10 (redacted)"));
  EXPECT_THAT(entries, HasSubstr("$10 (redacted) $2 hz $2 11"));
  EXPECT_THAT(entries, HasSubstr("$7 SETNAME $2 me"));
}

TEST_F(SlowlogTest, ATransactionIsLoggedByItsCommands) {
  log_everything();
  run({"MULTI"});
  run({"ECHO", "inside"});
  run({"SLOWLOG", "RESET"});
  run({"ECHO", "last"});
  run({"EXEC"});
  set_config({"slowlog-log-slower-than", "-1"});
  const std::string entries = run({"SLOWLOG", "GET"});
  EXPECT_THAT(entries, HasSubstr("$4 last"));
  EXPECT_THAT(entries, Not(HasSubstr("EXEC")));
}

TEST_F(SlowlogTest, LargeRequestsAndReplies) {
  set_config({"commandlog-request-larger-than", "100", "commandlog-reply-larger-than", "100"});
  const std::string large(100, 'z');
  client->on_input("*2\r\n$4\r\nECHO\r\n$100\r\n" + large + "\r\n");
  client->on_input("*1\r\n$4\r\nPING\r\n*3\r\n$7\r\nCOMMAND\r\n$4\r\nINFO\r\n$4\r\nping\r\n");
  // Refused: it does not run.
  client->on_input("*3\r\n$4\r\nECHO\r\n$100\r\n" + large + "\r\n$1\r\nx\r\n");
  link_of(client).output().truncate(0);
  EXPECT_EQ(run({"COMMANDLOG", "LEN", "large-request"}), ":1");
  EXPECT_EQ(run({"COMMANDLOG", "LEN", "Large-Reply"}), ":2");
  EXPECT_THAT(run({"COMMANDLOG", "GET", "-1", "large-request"}),
              StartsWith("*1 *6 :0 :1700000000 :122 *2 $4 ECHO $100 zz"));
  EXPECT_THAT(run({"COMMANDLOG", "GET", "-1", "large-reply"}),
              HasSubstr("*6 :0 :1700000000 :108 *2 $4 ECHO $100 zz"));
  EXPECT_EQ(run({"COMMANDLOG", "RESET", "large-reply"}), "+OK");
  EXPECT_EQ(run({"COMMANDLOG", "LEN", "large-reply"}), ":0");
  EXPECT_EQ(run({"COMMANDLOG", "LEN", "large-request"}), ":1");
}

TEST_F(SlowlogTest, LargeRepliesWithinATransaction) {
  set_config({"commandlog-reply-larger-than", "100"});
  run({"MULTI"});
  run({"ECHO", std::string(100, 'z')});
  run({"PING"});
  run({"EXEC"});
  EXPECT_THAT(run({"COMMANDLOG", "GET", "-1", "large-reply"}),
              StartsWith("*1 *6 :0 :1700000000 :108 *2 $4 ECHO $100 zz"));
}

TEST_F(SlowlogTest, Errors) {
  EXPECT_EQ(run({"SLOWLOG", "GET", "-2"}), "-ERR count should be greater than or equal to -1");
  EXPECT_EQ(run({"SLOWLOG", "GET", "x"}), "-ERR count should be greater than or equal to -1");
  EXPECT_EQ(run({"SLOWLOG", "GET", "1", "2"}),
            "-ERR unknown subcommand or wrong number of arguments for 'GET'. Try SLOWLOG HELP.");
  EXPECT_EQ(run({"COMMANDLOG", "LEN", "fast"}),
            "-ERR type should be one of the following: slow, large-request, large-reply");
  EXPECT_EQ(run({"COMMANDLOG", "GET", "1"}),
            "-ERR wrong number of arguments for 'commandlog|get' command");
}

}  // namespace
}  // namespace tandem
