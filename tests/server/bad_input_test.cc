// Files that cannot be loaded stop the start and stay as they are; libraries that cannot be loaded
// change nothing.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/support/await.h"
#include "tests/support/dataset.h"
#include "tests/support/pair.h"

namespace tandem {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::StartsWith;

// Starts a server that must refuse: exit code 1, a message with everything in `says` on both
// outputs' sum, and `path` left as it is.
void expect_refused(ServerProcess& server, const std::string& path,
                    const std::vector<std::string>& says) {
  const std::string before = read_whole(path);
  const Output output = server.start_that_fails();
  EXPECT_EQ(output.code, 1);
  for (const std::string& part : says) EXPECT_THAT(output.err, HasSubstr(part));
  EXPECT_EQ(read_whole(path), before);
}

class BadSnapshot : public ::testing::Test {
 protected:
  BadSnapshot() : server_({}, tandem_server_path(), false), path_(server_.file("dump.rdb")) {}

  // A real snapshot of a populated server.
  static std::string snapshot() {
    ServerProcess source({"--rdbcompression", "no"});
    populate(source);
    EXPECT_EQ(source.run("SAVE"), "OK");
    return read_whole(source.file("dump.rdb"));
  }
  void expect_refused_for(const std::string& content, const std::vector<std::string>& says) {
    write_whole(path_, content);
    expect_refused(server_, path_, says);
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(server_.dir()),
                            std::filesystem::directory_iterator()),
              1)
        << "the failed start left something behind";
  }

  ServerProcess server_;
  std::string path_;
};

TEST_F(BadSnapshot, IsNoRdb) {
  expect_refused_for("PNG\r\n and what follows", {"dump.rdb", "not an RDB file", "offset 0"});
}

TEST_F(BadSnapshot, IsEmpty) { expect_refused_for("", {"dump.rdb", "offset 0"}); }

TEST_F(BadSnapshot, IsOfAnotherProductsVersion) {
  expect_refused_for("REDIS0012\xff", {"dump.rdb", "12"});
}

TEST_F(BadSnapshot, IsCutShort) {
  const std::string whole = snapshot();
  for (const size_t size : {whole.size() - 1, whole.size() - 9, whole.size() / 2, size_t{10}})
    expect_refused_for(whole.substr(0, size), {"dump.rdb", "offset "});
}

TEST_F(BadSnapshot, HasAWrongChecksum) {
  std::string damaged = snapshot();
  damaged.at(damaged.find("value of 7") + 3) ^= 1;
  expect_refused_for(damaged, {"dump.rdb", "checksum", "offset "});
}

TEST_F(BadSnapshot, HoldsALibraryThatDoesNotLoad) {
  std::string damaged = snapshot();
  damaged.at(damaged.find("register_function")) = 'R';
  damaged.replace(damaged.size() - 8, 8, 8, '\0');  // no checksum to be wrong
  expect_refused_for(damaged, {"dump.rdb", "Error registering functions: "});
}

// The AOF of a populated server, copied beside a server that is to load it.
class BadAof : public ::testing::Test {
 protected:
  BadAof() : server_({"--appendonly", "yes", "--appendfsync", "always"}) {
    populate(server_);
    server_.terminate();
  }
  std::string aof(std::string_view name) const {
    return server_.file("appendonlydir/appendonly.aof." + std::string(name));
  }

  ServerProcess server_;
};

TEST_F(BadAof, HasABadByteInTheMiddle) {
  std::string text = read_whole(aof("1.incr.aof"));
  const size_t at = text.find("value of 7");
  const size_t header = text.rfind('$', at);
  text[header] = '!';
  write_whole(aof("1.incr.aof"), text);
  expect_refused(server_, aof("1.incr.aof"),
                 {"appendonly.aof.1.incr.aof", "offset " + std::to_string(header)});
}

TEST_F(BadAof, HoldsAnUnknownCommand) {
  const std::string text = read_whole(aof("1.incr.aof"));
  write_whole(aof("1.incr.aof"), text + encode_request({"NOSUCH", "command"}));
  expect_refused(server_, aof("1.incr.aof"),
                 {"appendonly.aof.1.incr.aof", "NOSUCH", "offset " + std::to_string(text.size())});
}

TEST_F(BadAof, IsCutShortAndMustNotBe) {
  const std::string text = read_whole(aof("1.incr.aof"));
  write_whole(aof("1.incr.aof"), text.substr(0, text.size() - 3));
  server_.start();  // by default what is cut is dropped
  EXPECT_EQ(server_.run("EXISTS", "key:7"), "(integer) 1");
  server_.terminate();

  ServerProcess strict({"--appendonly", "yes", "--aof-load-truncated", "no"}, tandem_server_path(),
                       false);
  std::filesystem::copy(server_.file("appendonlydir"), strict.file("appendonlydir"));
  const std::string path = strict.file("appendonlydir/appendonly.aof.1.incr.aof");
  write_whole(path, text.substr(0, text.size() - 3));
  expect_refused(strict, path, {"appendonly.aof.1.incr.aof", "aof-load-truncated"});
}

TEST_F(BadAof, EndsInsideATransaction) {
  const std::string text = read_whole(aof("1.incr.aof"));
  write_whole(aof("1.incr.aof"), text + encode_request({"SELECT", "0"}) +
                                     encode_request({"MULTI"}) +
                                     encode_request({"SET", "key:7", "half"}));
  server_.start();
  EXPECT_EQ(server_.run("GET", "key:7"), "\"value of 7\"");
  EXPECT_EQ(server_.run("SET", "after", "the repair"), "OK");
  server_.kill();
  server_.start();
  EXPECT_EQ(server_.run("GET", "after"), "\"the repair\"");
}

TEST_F(BadAof, HasADamagedBase) {
  const std::string path = aof("1.base.rdb");
  write_whole(path, "no snapshot at all");
  expect_refused(server_, path, {"appendonly.aof.1.base.rdb", "offset "});
}

TEST_F(BadAof, HasNoManifestOfItsFormat) {
  const std::string path = aof("manifest");
  write_whole(path, "file appendonly.aof.1.incr.aof seq one type i\n");
  expect_refused(server_, path, {"appendonly.aof.manifest"});
}

TEST_F(BadAof, LacksAFileOfItsManifest) {
  std::filesystem::remove(aof("1.incr.aof"));
  expect_refused(server_, aof("manifest"), {"appendonly.aof.1.incr.aof"});
}

class BadConfiguration : public ::testing::Test {
 protected:
  // Runs the server with a file of `text`.
  Output start(std::string_view text) {
    path_ = dir_.file("tandem.conf");
    write_whole(path_, text);
    const Output output = run_program({tandem_server_path(), path_});
    EXPECT_EQ(output.code, 1);
    EXPECT_EQ(read_whole(path_), text);
    return output;
  }

  TempDir dir_;
  std::string path_;
};

TEST_F(BadConfiguration, AnUnknownDirectiveIsNamedWithItsPlaceAndTheNearestName) {
  const Output output = start("port 0\n\nmaxclient 100\n");
  EXPECT_THAT(output.err, HasSubstr(path_));
  EXPECT_THAT(output.err, HasSubstr("maxclient"));
  EXPECT_THAT(output.err, HasSubstr("maxclients"));
  EXPECT_THAT(output.err, ::testing::ContainsRegex("(line |:)3"));
}

TEST_F(BadConfiguration, ABadValueIsNamedWithItsPlace) {
  const Output output = start("port 0\nappendfsync sometimes\n");
  EXPECT_THAT(output.err, HasSubstr(path_));
  EXPECT_THAT(output.err, HasSubstr("appendfsync"));
  EXPECT_THAT(output.err, ::testing::ContainsRegex("(line |:)2"));
}

TEST_F(BadConfiguration, ABadOptionIsNamed) {
  const Output output = run_program({tandem_server_path(), "--prot", "0"});
  EXPECT_EQ(output.code, 1);
  EXPECT_THAT(output.err, HasSubstr("prot"));
  EXPECT_THAT(output.err, HasSubstr("port"));
}

TEST_F(BadConfiguration, AFileThatIsNotThere) {
  const Output output = run_program({tandem_server_path(), "/nonexistent/tandem.conf"});
  EXPECT_EQ(output.code, 1);
  EXPECT_THAT(output.err, HasSubstr("/nonexistent/tandem.conf"));
}

TEST_F(BadConfiguration, APortThatIsTaken) {
  ServerProcess server;
  const Output output = run_program({tandem_server_path(), "--port", server.port_text(), "--bind",
                                     "127.0.0.1", "--dir", dir_.path()});
  EXPECT_EQ(output.code, 1);
  EXPECT_THAT(output.err, HasSubstr(server.port_text()));
}

// A library is loaded whole or not at all, and what it would have replaced stays.
class BadLibrary : public ::testing::Test {
 protected:
  BadLibrary() {
    server_.run("FUNCTION", "LOAD", example_library());
    before_ = server_.text("FUNCTION", "DUMP");
  }
  // Loads it with and without REPLACE.
  void expect_refused(const std::string& code, const std::string& error) {
    EXPECT_THAT(server_.run("FUNCTION", "LOAD", "REPLACE", code), StartsWith("(error) " + error));
    EXPECT_EQ(server_.text("FUNCTION", "DUMP"), before_);
    EXPECT_EQ(server_.run("FCALL", "put", "1", "key", "value"), "\"value\"");
  }

  ServerProcess server_;
  std::string before_;
};

TEST_F(BadLibrary, DoesNotCompile) {
  expect_refused("#!lua name=lib\nthis is no Lua", "ERR Error compiling function: ");
}

TEST_F(BadLibrary, RegistersNothing) {
  expect_refused("#!lua name=lib\n", "ERR No functions registered");
}

TEST_F(BadLibrary, FailsAfterARegistration) {
  expect_refused(
      "#!lua name=lib\nserver.register_function('one', function() end)\nerror('no further')",
      "ERR Error registering functions: ");
}

TEST_F(BadLibrary, CallsTheServerWhileItLoads) {
  expect_refused("#!lua name=lib\nserver.call('SET', 'key', 'x')",
                 "ERR Error registering functions: ");
}

TEST_F(BadLibrary, LoopsForEver) {
  expect_refused("#!lua name=lib\nwhile true do end", "ERR Error registering functions: ");
}

TEST_F(BadLibrary, HasNoShebang) {
  expect_refused("server.register_function('one', function() end)", "ERR Missing library metadata");
}

TEST_F(BadLibrary, NamesAFunctionOfAnother) {
  server_.run("FUNCTION", "LOAD",
              "#!lua name=other\nserver.register_function('taken', function() end)");
  before_ = server_.text("FUNCTION", "DUMP");
  expect_refused("#!lua name=lib\nserver.register_function('taken', function() end)",
                 "ERR Function taken already exists");
}

TEST_F(BadLibrary, IsThereAlready) {
  EXPECT_EQ(server_.run("FUNCTION", "LOAD", example_library()),
            "(error) ERR Library 'lib' already exists");
}

TEST_F(BadLibrary, ComesFromADamagedDump) {
  const std::string good = before_;
  for (size_t at = 0; at < good.size(); at += 7) {
    std::string bad = good;
    bad[at] ^= 0x20;
    EXPECT_EQ(server_.run("FUNCTION", "RESTORE", bad, "REPLACE"),
              "(error) ERR DUMP payload version or checksum are wrong");
  }
  EXPECT_EQ(server_.run("FUNCTION", "RESTORE", good), "(error) ERR Library lib already exists");
  EXPECT_EQ(server_.text("FUNCTION", "DUMP"), before_);
}

// A primary played by the test: answers a replica's handshake with a full sync.
class FakePrimary {
 public:
  int port() const { return listener_.port(); }

  // Takes the next connection through the handshake up to PSYNC.
  RespClient accept_until_psync() {
    RespClient link = listener_.accept();
    while (true) {
      const ReplyValue request = link.read();
      const std::string& name = request.elements.at(0).text;
      if (name == "PSYNC") return link;
      link.send_raw(name == "PING" ? "+PONG\r\n" : "+OK\r\n");
    }
  }

  static std::string full_resync() {
    return "+FULLRESYNC 0123456789abcdef0123456789abcdef01234567 0\r\n";
  }

 private:
  Listener listener_;
};

class HostilePrimary : public ::testing::Test {
 protected:
  HostilePrimary() {
    populate(replica_);
    digest_ = replica_.run("DEBUG", "DIGEST");
    functions_ = libraries(replica_);
    ServerProcess source;
    source.run("SET", "the primary's", "key");
    source.run("SAVE");
    snapshot_ = read_whole(source.file("dump.rdb"));
    EXPECT_EQ(replica_.run("REPLICAOF", "127.0.0.1", std::to_string(primary_.port())), "OK");
  }

  // Sends what follows the full sync's header, ends the link, and awaits that the replica comes
  // again, having given up the first attempt. It must have kept what it had.
  void expect_dropped(const std::string& transfer) {
    {
      RespClient link = primary_.accept_until_psync();
      link.send_raw(FakePrimary::full_resync() + transfer);
      link.close();
    }
    RespClient again = primary_.accept_until_psync();
    EXPECT_EQ(replica_.run("DEBUG", "DIGEST"), digest_);
    EXPECT_EQ(libraries(replica_), functions_);
    EXPECT_EQ(replica_.run("FCALL_RO", "take", "1", "key:7"), "\"value of 7\"");
    EXPECT_EQ(replica_.info("master_link_status"), "down");
    EXPECT_EQ(std::distance(std::filesystem::directory_iterator(replica_.dir()),
                            std::filesystem::directory_iterator()),
              0)
        << "a temporary file is left";
  }
  static std::string announced(size_t size) { return "$" + std::to_string(size) + "\r\n"; }

  ServerProcess replica_;
  FakePrimary primary_;
  std::string digest_;
  std::vector<std::string> functions_;
  std::string snapshot_;
};

const std::string kEndMark(40, 'e');

TEST_F(HostilePrimary, EndsAfterAPartOfTheSnapshot) {
  expect_dropped(announced(snapshot_.size()) + snapshot_.substr(0, snapshot_.size() / 2));
}

TEST_F(HostilePrimary, EndsAfterAPartOfADisklessSnapshot) {
  expect_dropped("$EOF:" + kEndMark + "\r\n" + snapshot_);
}

TEST_F(HostilePrimary, SendsADamagedSnapshot) {
  std::string damaged = snapshot_;
  damaged.at(damaged.find("the primary's") + 2) ^= 1;
  expect_dropped(announced(damaged.size()) + damaged);
}

TEST_F(HostilePrimary, SendsNoSnapshot) { expect_dropped(announced(5) + "hello"); }

TEST_F(HostilePrimary, SendsABadHeader) { expect_dropped("$abc\r\n"); }

TEST_F(HostilePrimary, SendsAWholeSnapshotInTheEnd) {
  expect_dropped(announced(snapshot_.size()) + snapshot_.substr(0, 20));
  // expect_dropped() has left the second attempt; the third one succeeds.
  RespClient link = primary_.accept_until_psync();
  link.send_raw(FakePrimary::full_resync() + "$EOF:" + kEndMark + "\r\n" + snapshot_ + kEndMark +
                encode_request({"SELECT", "2"}) + encode_request({"SET", "streamed", "key"}));
  EXPECT_TRUE(eventually([&] { return replica_.info("master_link_status") == "up"; }));
  EXPECT_EQ(replica_.run("GET", "the primary's"), "\"key\"");
  RespClient client = replica_.connect();
  client.call("SELECT", "2");
  EXPECT_TRUE(eventually([&] { return client.run("GET", "streamed") == "\"key\""; }));
  EXPECT_EQ(replica_.run("FUNCTION", "LIST"), "[]");
}

TEST_F(HostilePrimary, StreamsWhatIsNoCommand) {
  RespClient link = primary_.accept_until_psync();
  link.send_raw(FakePrimary::full_resync() + announced(snapshot_.size()) + snapshot_);
  ASSERT_TRUE(eventually([&] { return replica_.info("master_link_status") == "up"; }));
  link.send_raw("*1\r\n$-5\r\n");
  RespClient again = primary_.accept_until_psync();
  EXPECT_EQ(replica_.run("GET", "the primary's"), "\"key\"");
}

}  // namespace
}  // namespace tandem
