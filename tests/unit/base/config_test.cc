#include "server/base/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "server/base/directive_table.h"
#include "server/base/posix_env.h"

namespace tandem {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using Pairs = std::vector<std::pair<std::string, std::string>>;

class ConfigTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "tandem-config-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = std::filesystem::canonical(pattern).string();
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string path(const std::string& name) const { return directory_ + "/" + name; }
  std::string write(const std::string& name, std::string_view text) {
    EXPECT_TRUE(write_file_atomically(*env_, path(name), text).ok());
    return path(name);
  }
  std::string load_error(std::string_view text) {
    Config config("/");
    const Status loaded = config.load_text(*env_, text, "t.conf");
    return loaded.ok() ? "" : loaded.error().message;
  }
  static std::string set(Config& config, std::vector<std::string_view> arguments,
                         Config::SetContext context = {}) {
    const Status done = config.set(arguments, context);
    return done.ok() ? "OK" : done.error().message;
  }
  static Pairs get(const Config& config, std::vector<std::string_view> patterns) {
    return config.get(patterns);
  }
  static std::string value(const Config& config, std::string_view name) {
    const Pairs found = config.get(std::span(&name, 1));
    return found.size() == 1 ? found[0].second : "(none)";
  }
  Status start(Config& config, std::vector<std::string> arguments) {
    auto parsed = parse_start_arguments(arguments);
    if (!parsed.ok()) return parsed.error();
    if (!parsed.value().config_file.empty()) {
      Status loaded = config.load_file(*env_, parsed.value().config_file);
      if (!loaded.ok()) return loaded;
    }
    return config.load_options(*env_, parsed.value());
  }

  std::unique_ptr<Env> env_ = make_posix_env([](std::function<void()>) {});
  std::string directory_;
};

TEST_F(ConfigTest, DefaultsAreThoseOfValkey) {
  const Config config("/var/lib/x");
  EXPECT_EQ(config.settings().port, 6379);
  EXPECT_EQ(value(config, "save"), "3600 1 300 100 60 10000");
  EXPECT_EQ(value(config, "bind"), "* -::*");
  EXPECT_EQ(value(config, "client-output-buffer-limit"),
            "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60");
  EXPECT_EQ(value(config, "dir"), "/var/lib/x");
  EXPECT_EQ(value(config, "maxmemory-policy"), "noeviction");
  EXPECT_EQ(value(config, "oom-score-adj-values"), "0 200 800");
  EXPECT_EQ(value(config, "latency-tracking-info-percentiles"), "50 99 99.9");
  EXPECT_EQ(value(config, "shutdown-on-sigterm"), "default");
}

// A default that its own directive refuses, or prints differently, could not be written to a file.
TEST_F(ConfigTest, EveryDefaultReadsBack) {
  const Config config("/");
  for (const Directive* directive : all_directives()) {
    if (directive->has(kFileOnly)) continue;
    Settings settings;
    settings.dir = "/";
    std::string text;
    for (const std::string& line : directive_lines(*directive, settings)) {
      text += std::string(directive->name) + " " + line + "\n";
    }
    Config other("/");
    const Status loaded = other.load_text(*env_, text, "defaults");
    EXPECT_TRUE(loaded.ok()) << text << loaded.error().message;
    EXPECT_EQ(value(config, directive->name), value(other, directive->name)) << text;
  }
}

TEST_F(ConfigTest, FileIsReadWithCommentsQuotesAndAliases) {
  const std::string file = write("a.conf",
                                 "# a comment\n\n  port 7000\r\nrequirepass \"a b\\x41\"\n"
                                 "dbfilename 'x y.rdb'\nslave-priority 7\nMaxMemory 2GB\n"
                                 "hash-max-ziplist-entries 5\nlogfile \"\"\nslaveof 10.0.0.1 6380\n"
                                 "masterauth secret\nuser alice on >pw ~* +@all\n"
                                 "rename-command FLUSHALL \"\"");
  Config config("/");
  const Status loaded = config.load_file(*env_, file);
  ASSERT_TRUE(loaded.ok()) << loaded.error().message;
  const Settings& settings = config.settings();
  EXPECT_EQ(settings.port, 7000);
  EXPECT_EQ(settings.requirepass, "a bA");
  EXPECT_EQ(settings.dbfilename, "x y.rdb");
  EXPECT_EQ(settings.replica_priority, 7);
  EXPECT_EQ(settings.maxmemory, int64_t{2} << 30);
  EXPECT_EQ(settings.hash_max_listpack_entries, 5);
  EXPECT_EQ(settings.replicaof_host, "10.0.0.1");
  EXPECT_EQ(settings.replicaof_port, 6380);
  EXPECT_EQ(settings.primaryauth, "secret");
  ASSERT_EQ(settings.users.size(), 1u);
  EXPECT_THAT(settings.users[0], ElementsAre("alice", "on", ">pw", "~*", "+@all"));
  ASSERT_EQ(settings.renamed_commands.size(), 1u);
  EXPECT_EQ(settings.renamed_commands[0].second, "");
  EXPECT_EQ(config.file(), file);
}

TEST_F(ConfigTest, ErrorsNameFileLineAndNearestDirective) {
  EXPECT_EQ(load_error("port 1\nmaxmemroy 5\n"),
            "t.conf:2: unknown directive 'maxmemroy'; did you mean 'maxmemory'?");
  EXPECT_EQ(load_error("appendonley yes"),
            "t.conf:1: unknown directive 'appendonley'; did you mean 'appendonly'?");
  EXPECT_EQ(load_error("completely-unlike-anything 1"),
            "t.conf:1: unknown directive 'completely-unlike-anything'");
  EXPECT_EQ(load_error("\n\nrequirepass \"abc"), "t.conf:3: unbalanced quotes");
  EXPECT_EQ(load_error("maxmemory"), "t.conf:1: maxmemory: wrong number of arguments");
  EXPECT_EQ(load_error("maxmemory 1 2"), "t.conf:1: maxmemory: wrong number of arguments");
  EXPECT_EQ(load_error("maxmemory x"), "t.conf:1: maxmemory: argument must be a memory value");
  EXPECT_EQ(load_error("replicaof a"), "t.conf:1: replicaof: wrong number of arguments");
  EXPECT_EQ(load_error("appendfilename a/b"),
            "t.conf:1: appendfilename: appendfilename can't be a path, just a filename");
  EXPECT_EQ(load_error("loadmodule /x.so"),
            "t.conf:1: loadmodule: Tandem has no modules; remove the line");
  EXPECT_EQ(load_error("include /nonexistent"),
            "t.conf:1: include: Can't open /nonexistent: No such file or directory");
  Config config("/");
  EXPECT_THAT(config.load_file(*env_, path("none.conf")).error().message,
              HasSubstr("none.conf: No such file or directory"));
}

TEST_F(ConfigTest, IncludesAreReadInPlaceAndByPattern) {
  write("b2.inc", "timeout 2\n");
  write("b1.inc", "timeout 1\nmaxclients 77\n");
  Config config("/");
  ASSERT_TRUE(
      config.load_text(*env_, "include " + path("b*.inc") + "\ninclude " + path("none*"), "t")
          .ok());
  EXPECT_EQ(config.settings().timeout, 2);
  EXPECT_EQ(config.settings().maxclients, 77);

  write("bad.inc", "\nport x\n");
  EXPECT_EQ(
      load_error("\ninclude " + path("bad.inc")),
      "t.conf:2: " + path("bad.inc") + ":2: port: argument couldn't be parsed into an integer");
  write("self.inc", "include " + path("self.inc") + "\n");
  EXPECT_THAT(load_error("include " + path("self.inc")), HasSubstr("does a file include itself?"));
}

TEST_F(ConfigTest, SavePointsOfAFileReplaceTheDefaultsAndAddUp) {
  Config config("/");
  ASSERT_TRUE(config.load_text(*env_, "save 900 1\nsave 10 5\n", "t").ok());
  EXPECT_EQ(value(config, "save"), "900 1 10 5");
  EXPECT_EQ(set(config, {"save", "1 2"}), "OK");
  EXPECT_EQ(value(config, "save"), "1 2");
  EXPECT_EQ(set(config, {"save", ""}), "OK");
  EXPECT_EQ(value(config, "save"), "");
}

TEST_F(ConfigTest, FunctionsToPreloadAddUpAndKeepTheirSpaces) {
  const std::string file =
      write("a.conf", "functions-preload '/a library.lua'\nfunctions-preload /dir\n");
  Config config("/");
  ASSERT_TRUE(start(config, {file, "--functions-preload", "b.rdb"}).ok());
  EXPECT_THAT(config.settings().functions_preload, ElementsAre("/a library.lua", "/dir", "b.rdb"));
  ASSERT_TRUE(config.rewrite(*env_).ok());
  Config again("/");
  ASSERT_TRUE(start(again, {file}).ok());
  EXPECT_EQ(again.settings().functions_preload, config.settings().functions_preload);
  Config cleared("/");
  ASSERT_TRUE(start(cleared, {file, "--functions-preload", ""}).ok());
  EXPECT_EQ(value(cleared, "functions-preload"), "");
}

TEST_F(ConfigTest, OptionsFollowTheFileAsRedisServerTakesThem) {
  const std::string file = write("a.conf", "save 900 1\nsave 10 5\nport 1\n");
  struct Case {
    std::vector<std::string> arguments;
    const char* name;
    const char* value;
  };
  const Case cases[] = {
      {{file, "--port", "2"}, "port", "2"},
      {{file, "--save", "60", "1"}, "save", "900 1 10 5 60 1"},
      {{file, "--save", "60 1 70 2"}, "save", "900 1 10 5 60 1 70 2"},
      {{file, "--save", ""}, "save", ""},
      {{file, "--save"}, "save", ""},
      {{file, "--save", "--port", "3"}, "save", ""},
      {{"--save", "60", "1", "--save", "70", "2"}, "save", "60 1 70 2"},
      {{"--port 6380"}, "port", "6380"},
      {{"--port", "0", "--save"}, "port", "0"},
      {{"--requirepass", "--secret"}, "requirepass", "--secret"},
      {{"--requirepass", "a \"b\" \x01"}, "requirepass", "a \"b\" \x01"},
      {{"--shutdown-on-sigint", "nosave force"}, "shutdown-on-sigint", "nosave force"},
      {{"--bind", "127.0.0.1", "-::1"}, "bind", "127.0.0.1 -::1"},
      {{"--replicaof", "127.0.0.1 6390"}, "replicaof", "127.0.0.1 6390"},
  };
  for (const Case& each : cases) {
    Config config("/");
    const Status loaded = start(config, each.arguments);
    ASSERT_TRUE(loaded.ok()) << loaded.error().message;
    EXPECT_EQ(value(config, each.name), each.value) << testing::PrintToString(each.arguments);
  }
}

TEST_F(ConfigTest, WrongOptionsAreNamed) {
  Config config("/");
  EXPECT_EQ(start(config, {"--port", "x"}).error().message,
            "command line: --port \"x\": port: argument couldn't be parsed into an integer");
  EXPECT_THAT(start(config, {"--prot", "1"}).error().message, HasSubstr("did you mean 'port'?"));
  EXPECT_THAT(start(config, {"--port"}).error().message, HasSubstr("wrong number of arguments"));
  EXPECT_FALSE(start(config, {"-p", "1"}).ok());
}

TEST_F(ConfigTest, DashAsksForStandardInput) {
  EXPECT_TRUE(parse_start_arguments(std::vector<std::string>{"-"}).value().from_stdin);
  const auto both = parse_start_arguments(std::vector<std::string>{"f", "--port", "1", "-"});
  EXPECT_TRUE(both.value().from_stdin);
  EXPECT_EQ(both.value().config_file, "f");
  EXPECT_THAT(both.value().lines, ElementsAre("port \"1\""));
}

TEST_F(ConfigTest, RelativeDirectoriesStartAtTheWorkingDirectory) {
  Config config("/srv/data");
  ASSERT_TRUE(config.load_text(*env_, "dir ./a/\ndir ../b\n", "t").ok());
  EXPECT_EQ(config.settings().dir, "/srv/data/b");
}

TEST_F(ConfigTest, GetMatchesNamesAndAliases) {
  const Config config("/");
  EXPECT_EQ(get(config, {"MAXMEMORY", "SaVe*"}),
            (Pairs{{"MAXMEMORY", "0"}, {"save", "3600 1 300 100 60 10000"}}));
  EXPECT_EQ(get(config, {"slave-priority"}), (Pairs{{"slave-priority", "100"}}));
  EXPECT_EQ(get(config, {"*-priority", "replica-priority"}),
            (Pairs{{"replica-priority", "100"}, {"slave-priority", "100"}}));
  EXPECT_EQ(get(config, {"MaxMemory", "MAXMEMORY", "maxmemor[y]"}), (Pairs{{"MaxMemory", "0"}}));
  EXPECT_EQ(get(config, {"nosuch", "no*such"}), Pairs{});
  EXPECT_EQ(get(config, {"key-load-dela?"}), Pairs{});
  EXPECT_EQ(get(config, {"key-load-delay"}), (Pairs{{"key-load-delay", "0"}}));
  EXPECT_EQ(get(config, {"user", "include", "rename-command", "loadmodule"}), Pairs{});
}

// Each text as redis-server 7.0.15 replies it.
TEST_F(ConfigTest, SetRefusesInValkeysWords) {
  Config config("/");
  auto failed = [](const std::string& name, const std::string& reason) {
    return "ERR CONFIG SET failed (possibly related to argument '" + name + "') - " + reason;
  };
  struct Case {
    const char *name, *value, *reason;
  };
  const Case cases[] = {
      {"maxmemory", "abc", "argument must be a memory value"},
      {"maxmemory", "-1", "argument must be a memory value"},
      {"port", "x", "argument couldn't be parsed into an integer"},
      {"port", "65536", "argument must be between 0 and 65535 inclusive"},
      {"timeout", "05", "argument couldn't be parsed into an integer"},
      {"maxclients", "0", "argument must be between 1 and 4294967295 inclusive"},
      {"appendonly", "maybe", "argument must be 'yes' or 'no'"},
      {"maxmemory-policy", "foo",
       "argument(s) must be one of the following: volatile-lru, volatile-lfu, volatile-random, "
       "volatile-ttl, allkeys-lru, allkeys-lfu, allkeys-random, noeviction"},
      {"maxmemory-clients", "500%", "percentage argument must be less or equal to 100"},
      {"maxmemory-clients", "-5", "argument must be a memory or percent value"},
      {"save", "60 a", "Invalid save parameters"},
      {"client-output-buffer-limit", "foo 1 2 3",
       "Invalid client class specified in buffer limit configuration."},
      {"client-output-buffer-limit", "normal 1 2",
       "Wrong number of arguments in buffer limit configuration."},
      {"client-output-buffer-limit", "normal 1 2 x",
       "Error in hard, soft or soft_seconds setting in buffer limit configuration."},
      {"notify-keyspace-events", "foo", "Invalid event class character. Use 'Ag$lshzxeKEtmdn'."},
      {"latency-tracking-info-percentiles", "101",
       "latency-tracking-info-percentiles parameters should sit between [0.0,100.0]"},
      {"shutdown-on-sigint", "save nosave",
       "shutdown options SAVE and NOSAVE can't be used simultaneously"},
      {"shutdown-on-sigint", "bogus",
       "argument(s) must be one of the following: default, save, nosave, now, force"},
      {"oom-score-adj", "bogus",
       "argument(s) must be one of the following: no, yes, relative, absolute"},
      {"oom-score-adj-values", "1 2 9999",
       "Invalid oom-score-adj-values, elements must be between -2000 and 2000."},
      {"proc-title-template", "{foo}", "template format is invalid or contains unknown variables"},
      {"bind", "1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7", "Too many bind addresses specified."},
      {"daemonize", "yes", "can't set immutable config"},
      {"slaveof", "x 1", "can't set immutable config"},
      {"dir", "/tmp", "can't set protected config"},
      {"dbfilename", "x", "can't set protected config"},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(set(config, {each.name, each.value}), failed(each.name, each.reason));
  }
  EXPECT_EQ(set(config, {"nosuch", "1"}),
            "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'");
  EXPECT_EQ(set(config, {"user", "x on"}),
            "ERR Unknown option or number of arguments for CONFIG SET - 'user'");
  EXPECT_EQ(set(config, {"maxmemory", "1", "maxmemory", "2"}),
            failed("maxmemory", "duplicate parameter"));
}

TEST_F(ConfigTest, SetIsAllOrNothing) {
  Config config("/");
  EXPECT_EQ(set(config, {"maxmemory", "100kb", "timeout", "5"}), "OK");
  EXPECT_EQ(config.settings().maxmemory, 102400);
  EXPECT_NE(set(config, {"maxmemory", "1", "timeout", "x"}), "OK");
  EXPECT_EQ(config.settings().maxmemory, 102400);
  EXPECT_EQ(config.settings().timeout, 5);
}

TEST_F(ConfigTest, ProtectedDirectivesFollowTheirSwitch) {
  Config config("/");
  ASSERT_TRUE(config.load_text(*env_, "enable-protected-configs local", "t").ok());
  EXPECT_NE(set(config, {"dbfilename", "x"}), "OK");
  EXPECT_EQ(set(config, {"dbfilename", "x"}, {.local = true}), "OK");
  EXPECT_EQ(set(config, {"appendonly", "yes"}, {.loading = true}),
            "LOADING Redis is loading the dataset in memory");
}

TEST_F(ConfigTest, EventClassesArePrintedInValkeysOrder) {
  Config config("/");
  const std::pair<const char*, const char*> cases[] = {
      {"KEA", "AKE"}, {"Kg$lshzxe", "g$lshzxeK"},
      {"gm", "gm"},   {"mnKA", "AKm"},
      {"KgE", "gKE"}, {"xd", "xd"},
      {"", ""},
  };
  for (const auto& [given, shown] : cases) {
    EXPECT_EQ(set(config, {"notify-keyspace-events", given}), "OK");
    EXPECT_EQ(value(config, "notify-keyspace-events"), shown);
  }
}

TEST_F(ConfigTest, HzIsCorrectedIntoItsBounds) {
  Config config("/");
  EXPECT_EQ(set(config, {"hz", "0"}), "OK");
  EXPECT_EQ(value(config, "hz"), "1");
  EXPECT_EQ(set(config, {"hz", "9999"}), "OK");
  EXPECT_EQ(value(config, "hz"), "500");
}

TEST_F(ConfigTest, CallbackRunsOnceWhenOneOfItsDirectivesChanged) {
  Config config("/");
  int calls = 0;
  int64_t seen_timeout = 0;
  config.on_change({"maxmemory", "maxmemory-policy"}, [&]() -> Status {
    ++calls;
    seen_timeout = config.settings().timeout;
    return {};
  });
  EXPECT_EQ(set(config, {"maxmemory", "5", "maxmemory-policy", "allkeys-lru", "timeout", "9"}),
            "OK");
  EXPECT_EQ(calls, 1);
  EXPECT_EQ(seen_timeout, 9);
  EXPECT_EQ(set(config, {"timeout", "8", "maxmemory", "5"}), "OK");
  EXPECT_EQ(calls, 1);
}

TEST_F(ConfigTest, FailedCallbackBringsTheOldValuesBack) {
  Config config("/");
  std::vector<int64_t> applied;
  config.on_change({"timeout"}, [&]() -> Status {
    applied.push_back(config.settings().timeout);
    return {};
  });
  config.on_change({"port"}, [&]() -> Status {
    if (config.settings().port == 1) return make_error(ErrorKind::kIo, "Unable to listen");
    return {};
  });
  EXPECT_EQ(set(config, {"timeout", "3", "port", "1"}),
            "ERR CONFIG SET failed (possibly related to argument 'port') - Unable to listen");
  EXPECT_EQ(config.settings().timeout, 0);
  EXPECT_EQ(config.settings().port, 6379);
  EXPECT_THAT(applied, ElementsAre(3, 0));
}

TEST_F(ConfigTest, UnusedDirectivesAreAcceptedCheckedAndListed) {
  Config config("/");
  ASSERT_TRUE(config
                  .load_text(*env_,
                             "cluster-enabled no\nio-threads 4\nactivedefrag no\n"
                             "io-threads 2\nport 1\n",
                             "t")
                  .ok());
  EXPECT_THAT(config.unused_directives_given(),
              ElementsAre("io-threads", "activedefrag", "cluster-enabled"));
  EXPECT_EQ(value(config, "io-threads"), "2");
  EXPECT_EQ(set(config, {"tls-port", "7777"}), "OK");
  EXPECT_EQ(value(config, "tls-port"), "7777");
  EXPECT_EQ(load_error("io-threads 0"),
            "t.conf:1: io-threads: argument must be between 1 and 256 inclusive");
}

TEST_F(ConfigTest, NamesOfOldVersionsAreReadAndForgotten) {
  Config config("/");
  const Status loaded =
      config.load_text(*env_, "list-max-ziplist-entries 512\nlua-replicate-commands yes\n", "t");
  EXPECT_TRUE(loaded.ok()) << loaded.error().message;
  EXPECT_EQ(get(config, {"list-max-ziplist-entries"}), Pairs{});
}

TEST_F(ConfigTest, RewriteChangesOnlyLinesThatNoLongerHold) {
  const std::string file =
      write("a.conf", "# my server\nport   6379\n\nmaxmemory 1gb # not a comment here\n");
  Config broken("/");
  EXPECT_FALSE(broken.load_file(*env_, file).ok());

  const std::string text =
      "# my server\nport   6379\n\n  maxmemory 1024mb\nslave-priority 100\n"
      "save 900 1\n# between\nsave 300 10\nuser bob on nopass\nrename-command KEYS \"\"\n"
      "replicaof 10.0.0.1 1";
  write("a.conf", text);
  Config config("/");
  ASSERT_TRUE(config.load_file(*env_, file).ok());
  ASSERT_TRUE(config.rewrite(*env_).ok());
  EXPECT_EQ(read_file(*env_, file, 4096).value(), text + "\n");

  EXPECT_EQ(set(config, {"maxmemory", "2gb", "slave-priority", "7", "save", "60 1", "timeout", "3",
                         "requirepass", "a \"b"}),
            "OK");
  config.mutable_settings().replicaof_host.clear();
  ASSERT_TRUE(config.rewrite(*env_).ok());
  const std::string expected =
      "# my server\nport   6379\n\nmaxmemory 2gb\nslave-priority 7\n"
      "save 60 1\n# between\nuser bob on nopass\nrename-command KEYS \"\"\n"
      "# Generated by CONFIG REWRITE\ntimeout 3\nrequirepass \"a \\\"b\"\n";
  EXPECT_EQ(read_file(*env_, file, 4096).value(), expected);

  Config again("/");
  ASSERT_TRUE(again.load_file(*env_, file).ok());
  EXPECT_EQ(again.settings().requirepass, "a \"b");
  EXPECT_EQ(set(again, {"hz", "20", "save", "60 1 70 2 80 3"}), "OK");
  ASSERT_TRUE(again.rewrite(*env_).ok());
  const std::string rewritten = read_file(*env_, file, 4096).value();
  EXPECT_EQ(rewritten.find("# Generated", rewritten.find("# Generated") + 1), std::string::npos);
  EXPECT_THAT(rewritten, HasSubstr("save 60 1\nsave 70 2\nsave 80 3\n# between\n"));
  EXPECT_TRUE(rewritten.ends_with("hz 20\n"));
}

TEST_F(ConfigTest, RewriteKeepsWhatTheCommandLineSet) {
  const std::string file = write("a.conf", "port 1\n");
  Config config("/");
  ASSERT_TRUE(start(config, {file, "--port", "2", "--save", "", "--activedefrag", "yes"}).ok());
  ASSERT_TRUE(config.rewrite(*env_).ok());
  Config again("/");
  ASSERT_TRUE(again.load_file(*env_, file).ok());
  EXPECT_EQ(again.settings().port, 2);
  EXPECT_TRUE(again.settings().save.empty());
  EXPECT_EQ(value(again, "activedefrag"), "yes");
}

TEST_F(ConfigTest, RewriteWithoutAFileIsRefused) {
  Config config("/");
  EXPECT_EQ(config.rewrite(*env_).error().message,
            "ERR The server is running without a config file");
}

TEST_F(ConfigTest, DebiansRedisConfLoads) {
  if (!env_->exists("/etc/redis/redis.conf")) GTEST_SKIP() << "no redis.conf here";
  Config config("/");
  const Status loaded = config.load_file(*env_, "/etc/redis/redis.conf");
  EXPECT_TRUE(loaded.ok()) << loaded.error().message;
}

}  // namespace
}  // namespace tandem
