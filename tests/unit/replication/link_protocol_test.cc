// What a replica reads from its primary before the stream: the answers to its handshake, and the
// snapshot.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "replication/primary_handshake.h"
#include "replication/snapshot_receiver.h"

namespace tandem {
namespace {

using Kind = PrimaryHandshake::Kind;
const std::string kId(40, 'a');

PrimaryHandshake::Options options() {
  PrimaryHandshake::Options options;
  options.listening_port = 6380;
  options.history_id = kId;
  options.next_offset = 12;
  return options;
}

// Brings a handshake to where PSYNC has been sent.
PrimaryHandshake after_psync() {
  PrimaryHandshake handshake(options());
  handshake.on_line("+PONG");
  for (int i = 0; i < 3; ++i) handshake.on_line("+OK");
  return handshake;
}

TEST(PrimaryHandshake, AsksInOrderForTheMissingPart) {
  PrimaryHandshake::Options with_password = options();
  with_password.user = "u";
  with_password.password = "p";
  with_password.announce_ip = "10.1.1.1";
  PrimaryHandshake handshake(with_password);
  EXPECT_EQ(handshake.begin(), "*1\r\n$4\r\nPING\r\n");
  // A primary that wants a password first is there all the same.
  EXPECT_EQ(handshake.on_line("-NOAUTH Authentication required.").send,
            "*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$1\r\np\r\n"
            "*3\r\n$8\r\nREPLCONF\r\n$14\r\nlistening-port\r\n$4\r\n6380\r\n"
            "*3\r\n$8\r\nREPLCONF\r\n$10\r\nip-address\r\n$8\r\n10.1.1.1\r\n"
            "*7\r\n$8\r\nREPLCONF\r\n$4\r\ncapa\r\n$3\r\neof\r\n$4\r\ncapa\r\n$6\r\npsync2\r\n"
            "$4\r\ncapa\r\n$3\r\nlz4\r\n"
            "*3\r\n$8\r\nREPLCONF\r\n$7\r\nversion\r\n$5\r\n9.0.0\r\n");
  for (int i = 0; i < 4; ++i) EXPECT_EQ(handshake.on_line("+OK").send, "");
  // A Redis 7.0 has no such option.
  EXPECT_EQ(handshake.on_line("-ERR Unrecognized REPLCONF option: version").send,
            "*3\r\n$5\r\nPSYNC\r\n$40\r\n" + kId + "\r\n$2\r\n12\r\n");
}

TEST(PrimaryHandshake, UnderstandsTheAnswersToPsync) {
  const std::string other(40, 'b');
  PrimaryHandshake full = after_psync();
  EXPECT_EQ(full.on_line("").kind, Kind::kGoOn);  // keeps the link alive
  const auto outcome = full.on_line("+FULLRESYNC " + other + " 1234");
  EXPECT_EQ(outcome.kind, Kind::kFullSync);
  EXPECT_EQ(outcome.id, other);
  EXPECT_EQ(outcome.offset, 1234u);
  EXPECT_EQ(after_psync().on_line("+CONTINUE").kind, Kind::kContinue);
  EXPECT_EQ(after_psync().on_line("+CONTINUE " + other).id, other);
}

TEST(PrimaryHandshake, FollowsAServerThatTookOverWithoutBeingHeard) {
  PrimaryHandshake::Options take_over = options();
  take_over.take_over = true;
  const auto after_refusal = [&] {
    PrimaryHandshake handshake(take_over);
    handshake.on_line("+PONG");
    for (int i = 0; i < 2; ++i) handshake.on_line("+OK");
    EXPECT_TRUE(handshake.on_line("+OK").send.ends_with("FAILOVER\r\n"));
    const auto again = handshake.on_line("-ERR PSYNC FAILOVER can't be sent to a master.");
    EXPECT_EQ(again.kind, Kind::kGoOn);
    EXPECT_EQ(again.send, "*3\r\n$5\r\nPSYNC\r\n$40\r\n" + kId + "\r\n$2\r\n12\r\n");
    return handshake;
  };
  const std::string other(40, 'b');
  EXPECT_EQ(after_refusal().on_line("+CONTINUE " + other).kind, Kind::kContinue);
  // A primary with a history of its own is none that this server handed over to.
  const auto strange = after_refusal().on_line("+FULLRESYNC " + other + " 1234");
  EXPECT_EQ(strange.kind, Kind::kFailed);
  EXPECT_TRUE(strange.refused);
}

TEST(PrimaryHandshake, FailsOnAnythingElse) {
  EXPECT_EQ(PrimaryHandshake(options()).on_line("-ERR no").kind, Kind::kFailed);
  EXPECT_EQ(PrimaryHandshake(options()).on_line("HTTP/1.1 400").kind, Kind::kFailed);
  for (const char* line : {"+FULLRESYNC", "+FULLRESYNC abc 12", "+FULLRESYNC  ", "-LOADING Redis",
                           "-NOMASTERLINK Can't", "-ERR unknown command", "$12"}) {
    EXPECT_EQ(after_psync().on_line(line).kind, Kind::kFailed) << line;
  }
  EXPECT_EQ(after_psync().on_line("+FULLRESYNC " + kId + " -3").kind, Kind::kFailed);
  PrimaryHandshake::Options with_password = options();
  with_password.password = "p";
  PrimaryHandshake wrong(with_password);
  wrong.on_line("+PONG");
  EXPECT_EQ(wrong.on_line("-WRONGPASS invalid").kind, Kind::kFailed);
}

// Feeds `bytes` in pieces, as a link shows them: what was not taken comes again.
struct Received {
  std::string snapshot;
  std::string rest;
  bool done = false;
  bool failed = false;
};
Received receive(const std::string& bytes, size_t piece) {
  Received received;
  StringSink sink(&received.snapshot);
  SnapshotReceiver receiver(&sink);
  std::string shown;
  for (size_t at = 0; at < bytes.size() && !received.failed; at += piece) {
    shown += bytes.substr(at, piece);
    if (receiver.done()) continue;
    const auto taken = receiver.receive(shown);
    received.failed = !taken.ok();
    if (taken.ok()) shown.erase(0, taken.value());
  }
  received.done = receiver.done();
  received.rest = shown;
  return received;
}

TEST(SnapshotReceiver, TakesACountedSnapshotAndNoMore) {
  for (size_t piece : {1, 3, 7, 1000}) {
    const Received received = receive("\n\n$11\r\nhello worldSTREAM", piece);
    EXPECT_TRUE(received.done);
    EXPECT_EQ(received.snapshot, "hello world");
    EXPECT_EQ(received.rest, "STREAM");
  }
}

TEST(SnapshotReceiver, FindsTheMarkWhereverPiecesEnd) {
  const std::string mark = "0a1b2c3d4e5f60718293a4b5c6d7e8f9aabbccdd";
  // A false start of the mark, and the mark's own beginning at the end of the content.
  const std::string content = "data" + mark.substr(0, 39) + "x" + mark.substr(0, 20);
  for (size_t piece = 1; piece < 130; ++piece) {
    const Received received = receive("$EOF:" + mark + "\r\n" + content + mark + "*1", piece);
    EXPECT_TRUE(received.done) << piece;
    EXPECT_EQ(received.snapshot, content) << piece;
    EXPECT_EQ(received.rest, "*1") << piece;
  }
  EXPECT_FALSE(receive("$EOF:" + mark + "\r\n" + content, 16).done);
}

TEST(SnapshotReceiver, RefusesWhatIsNoSnapshot) {
  for (const char* header : {"-ERR no\r\n", "$-1\r\n", "$abc\r\n", "+OK\r\n", "$EOF:short\r\n",
                             "$99999999999999999999\r\n"}) {
    EXPECT_TRUE(receive(header, 100).failed) << header;
  }
  EXPECT_TRUE(receive(std::string(2000, '$'), 100).failed);
}

}  // namespace
}  // namespace tandem
