// The server as a process: signals, crashes, its configuration file, and who may connect.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>

#include <filesystem>

#include "tests/support/await.h"
#include "tests/support/dataset.h"
#include "tests/support/process.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

TEST(Signals, SigtermSavesAndEndsCleanly) {
  ServerProcess server({"--save", "3600 100000", "--pidfile", "server.pid"});
  EXPECT_EQ(read_whole(server.file("server.pid")), std::to_string(server.process().pid()) + "\n");
  server.run("SET", "key", "value");
  EXPECT_EQ(server.terminate().code, 0);
  EXPECT_TRUE(server.logged("Received SIGTERM scheduling shutdown..."));
  EXPECT_FALSE(std::filesystem::exists(server.file("server.pid")));
  server.start();
  EXPECT_EQ(server.run("GET", "key"), "\"value\"");
}

TEST(Signals, SigintEndsCleanly) {
  ServerProcess server({"--unixsocket", "server.sock"});
  server.process().signal(SIGINT);
  EXPECT_EQ(server.wait().code, 0);
  EXPECT_TRUE(server.logged("Received SIGINT scheduling shutdown..."));
  EXPECT_FALSE(std::filesystem::exists(server.file("server.sock")));
}

TEST(Signals, SighupAndSigpipeAreIgnored) {
  ServerProcess server;
  server.process().signal(SIGHUP);
  server.process().signal(SIGPIPE);
  EXPECT_EQ(server.run("PING"), "PONG");
  EXPECT_TRUE(server.running());
}

TEST(Signals, ACrashReportNamesTheRunningCommand) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer reports crashes itself";
#endif
  ServerProcess server({"--busy-reply-threshold", "20"});
  RespClient runner = server.connect();
  runner.call("FUNCTION", "LOAD",
              "#!lua name=lib\nserver.register_function('spin', function() while true do end end)");
  runner.send("FCALL", "spin", "1", "some key");
  ASSERT_TRUE(eventually([&] { return server.run("PING").starts_with("(error) BUSY"); }));
  server.process().signal(SIGSEGV);
  EXPECT_NE(server.wait().code, 0);
  const std::string log = server.log();
  EXPECT_THAT(log, HasSubstr("crashed by signal: 11"));
  EXPECT_THAT(log, HasSubstr("command: 'FCALL' 'spin' '1' 'some key'"));
}

// DEBUG SEGFAULT, PANIC and ASSERT end the server, and not without a report.
TEST(Signals, DebugCrashesOnPurpose) {
  for (const auto& [subcommand, signal] :
       {std::pair("SEGFAULT", "SIGSEGV"), {"PANIC", "SIGABRT"}, {"ASSERT", "SIGABRT"}}) {
    ServerProcess server;
    RespClient client = server.connect();
    client.send("DEBUG", subcommand);
    EXPECT_NE(server.wait().code, 0);
    const std::string log = server.log();
    EXPECT_THAT(log, HasSubstr(std::string("DEBUG ") + subcommand));
#ifdef __SANITIZE_ADDRESS__
    (void)signal;  // the sanitizer takes the signals, and its report is another
#else
    EXPECT_THAT(log, HasSubstr(signal));
    EXPECT_THAT(log, HasSubstr(std::string("command: 'DEBUG' '") + subcommand + "'"));
    EXPECT_THAT(log, HasSubstr("=== TANDEM BUG REPORT END ==="));
#endif
  }
}

TEST(ConfigFile, RewriteKeepsCommentsAndAppliesAtTheNextStart) {
  ServerProcess server({}, tandem_server_path(), false);
  const std::string path = server.file("tandem.conf");
  write_whole(path,
              "# the operator's comment\n"
              "maxclients 500\n"
              "\n"
              "hash-max-listpack-entries 64\n");
  TempDir logs;
  const auto start = [&] {
    return std::make_unique<Process>(
        std::vector<std::string>{tandem_server_path(), path, "--port", server.port_text(), "--dir",
                                 server.dir(), "--bind", "127.0.0.1"},
        Process::Files{.stdout_path = logs.file("log"), .directory = server.dir()});
  };
  const auto answers = [&] {
    return eventually([&] {
      try {
        return server.run("PING") == "PONG";
      } catch (const std::exception&) {
        return false;
      }
    });
  };
  auto process = start();
  ASSERT_TRUE(answers());
  EXPECT_EQ(server.run("CONFIG", "SET", "maxclients", "321", "timeout", "77"), "OK");
  EXPECT_EQ(server.run("CONFIG", "SET", "save", "900 1 300 10"), "OK");
  EXPECT_EQ(server.run("CONFIG", "REWRITE"), "OK");
  process->signal(SIGTERM);
  EXPECT_EQ(process->wait().code, 0);

  const std::string text = read_whole(path);
  EXPECT_THAT(text, StartsWith("# the operator's comment\nmaxclients 321\n"));
  EXPECT_THAT(text, HasSubstr("hash-max-listpack-entries 64\n"));
  EXPECT_THAT(text, HasSubstr("timeout 77\n"));
  process = start();
  ASSERT_TRUE(answers());
  EXPECT_EQ(server.run("CONFIG", "GET", "maxclients"), "[\"maxclients\", \"321\"]");
  EXPECT_EQ(server.run("CONFIG", "GET", "timeout"), "[\"timeout\", \"77\"]");
  EXPECT_EQ(server.run("CONFIG", "GET", "save"), "[\"save\", \"900 1 300 10\"]");
}

TEST(ConfigFile, RewriteWithoutAFileIsRefused) {
  ServerProcess server;
  EXPECT_EQ(server.run("CONFIG", "REWRITE"),
            "(error) ERR The server is running without a config file");
}

TEST(ConfigSet, IsAllOrNothing) {
  ServerProcess server;
  EXPECT_THAT(server.run("CONFIG", "SET", "timeout", "5", "maxmemory-policy", "nonsense"),
              StartsWith("(error) ERR CONFIG SET failed (possibly related to argument "
                         "'maxmemory-policy')"));
  EXPECT_EQ(server.run("CONFIG", "GET", "timeout"), "[\"timeout\", \"0\"]");
}

TEST(Connections, UnixSocket) {
  ServerProcess server({"--unixsocket", "server.sock", "--unixsocketperm", "700"});
  RespClient client(server.file("server.sock"));
  EXPECT_EQ(client.run("SET", "key", "value"), "OK");
  EXPECT_EQ(server.run("GET", "key"), "\"value\"");
  struct stat status {};
  ASSERT_EQ(stat(server.file("server.sock").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700);
  EXPECT_EQ(run_program({"redis-cli", "-s", server.file("server.sock"), "GET", "key"}).out,
            "value\n");
}

TEST(Connections, BeyondMaxclientsAreRefused) {
  ServerProcess server({"--maxclients", "3"});
  RespClient first = server.connect();
  // The connections that awaited the start may not be gone yet.
  ASSERT_TRUE(eventually([&] {
    return first.text("INFO", "clients").find("connected_clients:1\r") != std::string::npos;
  }));
  RespClient second = server.connect();
  RespClient third = server.connect();
  for (RespClient* client : {&first, &second, &third}) EXPECT_EQ(client->run("PING"), "PONG");
  RespClient fourth = server.connect();
  EXPECT_EQ(fourth.read().text, "ERR max number of clients reached");
  EXPECT_TRUE(fourth.closed_by_server());
  EXPECT_EQ(first.run("CONFIG", "SET", "maxclients", "4"), "OK");
  EXPECT_EQ(server.run("PING"), "PONG");
}

TEST(Connections, APasswordIsRequired) {
  ServerProcess server({"--requirepass", "secret"});
  RespClient client = server.connect();
  EXPECT_EQ(client.run("GET", "key"), "(error) NOAUTH Authentication required.");
  EXPECT_EQ(client.run("AUTH", "wrong"),
            "(error) WRONGPASS invalid username-password pair or user is disabled.");
  EXPECT_EQ(client.run("AUTH", "secret"), "OK");
  EXPECT_EQ(client.run("GET", "key"), "(nil)");
  RespClient other = server.connect();
  EXPECT_THAT(other.run("HELLO", "3", "AUTH", "default", "secret"),
              HasSubstr("\"proto\": (integer) 3"));
  EXPECT_EQ(run_program({tandem_cli_path(), "-p", server.port_text(), "-a", "secret",
                         "--no-auth-warning", "PING"})
                .out,
            "PONG\n");
}

TEST(Connections, BeforeAuthRequestsAreSmall) {
  ServerProcess server({"--requirepass", "secret"});
  RespClient many = server.connect();
  many.send_raw("*11\r\n");
  EXPECT_EQ(many.read().text, "ERR Protocol error: unauthenticated multibulk length");
  EXPECT_TRUE(many.closed_by_server());
  RespClient big = server.connect();
  big.send_raw("*1\r\n$16385\r\n");
  EXPECT_EQ(big.read().text, "ERR Protocol error: unauthenticated bulk length");
  EXPECT_TRUE(big.closed_by_server());
}

TEST(Connections, IdleOnesAreClosedAfterTheTimeout) {
  ServerProcess server;
  RespClient idle = server.connect();
  EXPECT_EQ(idle.run("CONFIG", "SET", "timeout", "1"), "OK");
  EXPECT_TRUE(idle.closed_by_server());
}

TEST(Connections, Inline) {
  ServerProcess server;
  RespClient client = server.connect();
  client.send_raw("SET \"a key\" 'its value'\r\nGET \"a key\"\n\r\nPING\r\n");
  EXPECT_TRUE(client.read().is_text("OK"));
  EXPECT_TRUE(client.read().is_text("its value"));
  EXPECT_TRUE(client.read().is_text("PONG"));
}

TEST(Connections, ALongPipelineIsAnsweredInOrder) {
  ServerProcess server;
  RespClient client = server.connect();
  constexpr int kRequests = 20'000;
  std::string batch;
  for (int i = 0; i < kRequests; ++i) batch += encode_request({"ECHO", std::to_string(i)});
  client.send_raw(batch);
  for (int i = 0; i < kRequests; ++i) ASSERT_TRUE(client.read().is_text(std::to_string(i)));
}

TEST(Connections, AClientThatDoesNotReadIsClosed) {
  ServerProcess server({"--client-output-buffer-limit", "normal 1mb 0 0"});
  server.run("SET", "key", std::string(100'000, 'x'));
  RespClient client = server.connect();
  std::string batch;
  for (int i = 0; i < 500; ++i) batch += encode_request({"GET", "key"});
  client.send_raw(batch);
  EXPECT_TRUE(eventually([&] {
    return server.info("connected_clients") == "1" &&
           server.info("client_output_buffer_limit_disconnections") == "1";
  }));
  EXPECT_EQ(server.run("STRLEN", "key"), "(integer) 100000");
}

TEST(Connections, Resp3) {
  ServerProcess server;
  RespClient client = server.connect();
  EXPECT_THAT(client.run("HELLO", "3"), HasSubstr("\"server\": "));
  client.call("FUNCTION", "LOAD", R"lua(#!lua name=lib
server.register_function('all', function(keys)
  server.setresp(3)
  return {server.call('HGETALL', keys[1]), true, {double=0.5}, server.call('GET', 'none')}
end))lua");
  client.call("HSET", "hash", "a", "1", "b", "2");
  EXPECT_EQ(client.run("HGETALL", "hash"), R"({"a": "1", "b": "2"})");
  EXPECT_EQ(client.run("FCALL", "all", "1", "hash"),
            R"([{"a": "1", "b": "2"}, (true), (double) 0.5])");
  EXPECT_EQ(client.run("HELLO", "4"), "(error) NOPROTO unsupported protocol version");
  EXPECT_EQ(client.run("GET", "none"), "(nil)");
}

TEST(Connections, ClientsAreListedAndKilled) {
  ServerProcess server;
  RespClient client = server.connect();
  client.call("CLIENT", "SETNAME", "victim");
  const std::string id = std::to_string(client.call("CLIENT", "ID").integer);
  EXPECT_THAT(server.text("CLIENT", "LIST"), HasSubstr("id=" + id + " "));
  EXPECT_EQ(server.run("CLIENT", "KILL", "ID", id), "(integer) 1");
  EXPECT_TRUE(client.closed_by_server());
}

TEST(Connections, PausedWritesGoOnWhenThePauseEnds) {
  ServerProcess server;
  RespClient control = server.connect();
  RespClient writer = server.connect();
  EXPECT_EQ(control.run("CLIENT", "PAUSE", "60000", "WRITE"), "OK");
  writer.send("SET", "key", "value");
  EXPECT_EQ(control.run("GET", "key"), "(nil)");
  EXPECT_EQ(control.run("CLIENT", "UNPAUSE"), "OK");
  EXPECT_TRUE(writer.read().is_text("OK"));
  EXPECT_EQ(control.run("GET", "key"), "\"value\"");
}

TEST(Connections, AConfigurationFromStandardInput) {
  PortLease lease;
  TempDir dir;
  write_whole(dir.file("in"), "port " + std::to_string(lease.port()) +
                                  "\nbind 127.0.0.1\nsave \"\"\nmaxclients 77\n");
  Process process({tandem_server_path(), "-", "--dir", dir.path()},
                  {.stdin_path = dir.file("in"), .stdout_path = dir.file("log")});
  ASSERT_TRUE(eventually([&] {
    try {
      return RespClient(lease.port()).run("PING") == "PONG";
    } catch (const std::exception&) {
      return false;
    }
  }));
  EXPECT_EQ(RespClient(lease.port()).run("CONFIG", "GET", "maxclients"),
            "[\"maxclients\", \"77\"]");
  process.signal(SIGTERM);
  EXPECT_EQ(process.wait().code, 0);
}

TEST(Connections, QuitAndReset) {
  ServerProcess server;
  RespClient client = server.connect();
  EXPECT_EQ(client.run("SELECT", "3"), "OK");
  EXPECT_EQ(client.run("RESET"), "RESET");
  EXPECT_THAT(client.run("CLIENT", "INFO"), HasSubstr(" db=0 "));
  EXPECT_EQ(client.run("QUIT"), "OK");
  EXPECT_TRUE(client.closed_by_server());
}

// What is no request gets the protocol's error and a closed connection.
struct Malformed {
  const char* name;
  std::string bytes;
  const char* reply;

  friend void PrintTo(const Malformed& request, std::ostream* out) { *out << request.name; }
};

class ProtocolErrors : public ::testing::TestWithParam<Malformed> {};

TEST_P(ProtocolErrors, AreAnsweredAndTheConnectionIsClosed) {
  ServerProcess server;
  RespClient client = server.connect();
  client.send_raw(encode_request({"PING"}) + GetParam().bytes);
  EXPECT_TRUE(client.read().is_text("PONG"));
  EXPECT_EQ(client.read().text, GetParam().reply);
  EXPECT_TRUE(client.closed_by_server());
  EXPECT_EQ(server.run("PING"), "PONG");
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, ProtocolErrors,
    ::testing::Values(
        Malformed{"CountIsNoNumber", "*abc\r\n", "ERR Protocol error: invalid multibulk length"},
        Malformed{"CountTooLarge", "*2147483648\r\n",
                  "ERR Protocol error: invalid multibulk length"},
        Malformed{"NoBulk", "*1\r\n:1\r\n", "ERR Protocol error: expected '$', got ':'"},
        Malformed{"LengthIsNoNumber", "*1\r\n$x\r\n", "ERR Protocol error: invalid bulk length"},
        Malformed{"LengthNegative", "*1\r\n$-1\r\n", "ERR Protocol error: invalid bulk length"},
        Malformed{"LengthTooLarge", "*1\r\n$536870913\r\n",
                  "ERR Protocol error: invalid bulk length"},
        Malformed{"EndlessCount", "*" + std::string(70'000, '1'),
                  "ERR Protocol error: too big mbulk count string"},
        Malformed{"EndlessLength", "*1\r\n$" + std::string(70'000, '1'),
                  "ERR Protocol error: too big bulk count string"},
        Malformed{"EndlessInline", std::string(70'000, 'a'),
                  "ERR Protocol error: too big inline request"},
        Malformed{"UnbalancedQuotes", "SET \"a b\r\n",
                  "ERR Protocol error: unbalanced quotes in request"}),
    [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace tandem
