#include "tools/cli/options.h"

#include <gtest/gtest.h>

#include <map>

namespace tandem::cli {
namespace {

class OptionsTest : public testing::Test {
 protected:
  Result<Options> parse(std::vector<const char*> arguments) {
    Surroundings surroundings;
    surroundings.stdout_is_terminal = terminal_;
    surroundings.environment = [this](const char* name) -> const char* {
      auto found = environment_.find(name);
      return found == environment_.end() ? nullptr : found->second.c_str();
    };
    return parse_options(arguments, surroundings);
  }
  Options good(std::vector<const char*> arguments) {
    Result<Options> options = parse(std::move(arguments));
    EXPECT_TRUE(options.ok()) << (options.ok() ? "" : options.error().message);
    return options.ok() ? options.value() : Options();
  }
  std::string bad(std::vector<const char*> arguments) {
    Result<Options> options = parse(std::move(arguments));
    EXPECT_FALSE(options.ok());
    return options.ok() ? "" : options.error().message;
  }

  bool terminal_ = false;
  std::map<std::string, std::string> environment_;
};

TEST_F(OptionsTest, DefaultsAndCommand) {
  Options options = good({"GET", "-p", "--raw"});
  EXPECT_EQ(options.endpoint.to_string(), "127.0.0.1:6379");
  EXPECT_EQ(options.command, (std::vector<std::string>{"GET", "-p", "--raw"}));
  EXPECT_EQ(options.repeat, 1);
  EXPECT_FALSE(options.password);
}

TEST_F(OptionsTest, OutputModeFollowsTheTerminalUnlessAsked) {
  EXPECT_EQ(good({}).style.mode, OutputMode::kRaw);
  EXPECT_EQ(good({"--no-raw"}).style.mode, OutputMode::kTyped);
  terminal_ = true;
  EXPECT_EQ(good({}).style.mode, OutputMode::kTyped);
  EXPECT_TRUE(good({}).show_pushes);
  EXPECT_FALSE(good({"--show-pushes", "no"}).show_pushes);
  EXPECT_EQ(good({"--raw"}).style.mode, OutputMode::kRaw);
  EXPECT_EQ(good({"--json"}).protocol, ProtocolChoice::kPreferResp3);
  EXPECT_EQ(good({"--json", "-2"}).protocol, ProtocolChoice::kResp2);
  EXPECT_EQ(good({"-3"}).protocol, ProtocolChoice::kResp3);
}

TEST_F(OptionsTest, PasswordsAndTheirWarning) {
  EXPECT_TRUE(good({"-a", "pw"}).warn_of_password);
  EXPECT_FALSE(good({"-a", "pw", "--no-auth-warning"}).warn_of_password);
  environment_["REDISCLI_AUTH"] = "from redis";
  EXPECT_EQ(good({}).password, "from redis");
  EXPECT_FALSE(good({}).warn_of_password);
  environment_["VALKEYCLI_AUTH"] = "from valkey";
  EXPECT_EQ(good({}).password, "from valkey");
  EXPECT_EQ(good({"--pass", "given", "--user", "ann"}).password, "given");
}

TEST_F(OptionsTest, Uri) {
  Options options = good({"-u", "redis://ann:p%40%2fw@db.example:7000/3"});
  EXPECT_EQ(options.endpoint.to_string(), "db.example:7000");
  EXPECT_EQ(options.user, "ann");
  EXPECT_EQ(options.password, "p@/w");
  EXPECT_EQ(options.database, 3);
  options = good({"-u", "valkey://pw@[::1]:7000"});
  EXPECT_EQ(options.endpoint.to_string(), "[::1]:7000");
  EXPECT_EQ(options.user, "");
  EXPECT_EQ(options.password, "pw");
  EXPECT_EQ(good({"-u", "redis://[::1]"}).endpoint.to_string(), "[::1]:6379");
  EXPECT_EQ(good({"-u", "redis://host/"}).endpoint.to_string(), "host:6379");
  for (const char* uri : {"host", "http://host", "redis://host:x", "redis://host:70000",
                          "redis://host/x", "redis://a%4@host", "redis://a%zz@host"}) {
    EXPECT_NE(bad({"-u", uri}), "") << uri;
  }
}

TEST_F(OptionsTest, MistakesAreNamed) {
  EXPECT_EQ(bad({"--nosuch", "PING"}), "Unrecognized option or bad number of args for: '--nosuch'");
  EXPECT_EQ(bad({"-p"}), "Unrecognized option or bad number of args for: '-p'");
  EXPECT_EQ(bad({"-p", "70000"}), "Invalid server port.");
  EXPECT_EQ(bad({"-p", "x"}), "Invalid server port.");
}

TEST_F(OptionsTest, Snapshots) {
  Options options = good({"--functions-rdb", "f.rdb"});
  EXPECT_EQ(options.snapshot_path, "f.rdb");
  EXPECT_TRUE(options.functions_only);
  EXPECT_FALSE(good({"--rdb", "-"}).functions_only);
}

TEST_F(OptionsTest, QuotedInput) {
  EXPECT_EQ(good({"--quoted-input", "SET", "\"a\\x41\"", "plain"}).command,
            (std::vector<std::string>{"SET", "aA", "plain"}));
  EXPECT_EQ(bad({"--quoted-input", "ECHO", "'a'b"}), "Invalid quoted string");
}

}  // namespace
}  // namespace tandem::cli
