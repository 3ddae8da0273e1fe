// The stream and snapshots in LZ4 frames between a primary and its replicas.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "replication/replica_stream.h"
#include "replication/stream_compressor.h"
#include "replication/stream_decoder.h"
#include "tests/unit/replication/fake_loop.h"
#include "tests/unit/replication/test_node.h"

namespace tandem {
namespace {

// What a decoder makes of a whole stream that comes in pieces; nothing once it fails.
std::optional<std::string> decode(std::string_view wire, size_t piece_bytes) {
  StreamDecoder decoder;
  std::string out, held;
  while (!wire.empty()) {
    held += wire.substr(0, piece_bytes);
    wire.remove_prefix(std::min(piece_bytes, wire.size()));
    size_t taken = 0;
    if (decoder.undecided()) {
      const Result<size_t> looked = decoder.look(held);
      if (!looked.ok()) return std::nullopt;
      taken = looked.value();
    }
    while (decoder.compressed()) {
      const size_t before = out.size();
      const Result<size_t> step = decoder.unpack(std::string_view(held).substr(taken), &out);
      if (!step.ok()) return std::nullopt;
      taken += step.value();
      EXPECT_LE(out.size() - before, 64u * 1024);
      if (step.value() == 0 && out.size() == before) break;
    }
    held.erase(0, taken);
  }
  return decoder.undecided() || decoder.compressed() ? out : held;
}

std::string stream_of(std::initializer_list<std::string> pieces) {
  StreamCompressor compressor;
  std::string wire = compressor.beginning();
  uint64_t offset = 1;
  for (const std::string& piece : pieces) {
    wire += compressor.pack(offset, piece);
    offset += piece.size();
  }
  return wire;
}

TEST(StreamDecoder, GivesBackWhatWasPackedHoweverItComes) {
  const std::string large(64 * 1024, 'x');
  const std::string wire = stream_of({"*1\r\n$4\r\nPING\r\n", large, "end"});
  EXPECT_LT(wire.size(), 1000u);
  for (size_t piece : {1, 2, 7, 100, 100'000}) {
    EXPECT_EQ(decode(wire, piece), "*1\r\n$4\r\nPING\r\n" + large + "end") << piece;
  }
  // Whatever has been sent so far can be read.
  EXPECT_EQ(decode(stream_of({"one"}), 1), "one");
}

TEST(StreamDecoder, LeavesAPlainStreamAlone) {
  EXPECT_EQ(decode("*1\r\n$4\r\nPING\r\n", 1), "*1\r\n$4\r\nPING\r\n");
  EXPECT_EQ(decode("VCR", 1), "VCR");
}

TEST(StreamDecoder, RefusesOtherEnvelopesDamageAndAnEnd) {
  const std::string wire = stream_of({"some text that is packed, packed, packed"});
  for (size_t i = 3; i < 7; ++i) {
    std::string other = wire;
    ++other[i];
    EXPECT_FALSE(decode(other, 100)) << i;
  }
  std::string damaged = wire;
  damaged[wire.size() - 8] ^= 1;  // a block has a checksum
  EXPECT_FALSE(decode(damaged, 100));
  EXPECT_FALSE(decode(wire + std::string(4, '\0'), 100)) << "the mark that ends a frame";
}

TEST(StreamDecoder, SurvivesAnything) {
  std::mt19937 random(11);
  const std::string wire = stream_of({std::string(5000, 'a'), std::string(300, 'b'), "c"});
  for (int round = 0; round < 2000; ++round) {
    std::string hostile = wire;
    for (int change = 0; change < 3; ++change) {
      hostile[7 + random() % (hostile.size() - 7)] = static_cast<char>(random());
    }
    const auto out = decode(hostile, 1 + random() % 200);
    EXPECT_LE(out.value_or("").size(), 4u << 20);
  }
}

TEST(StreamCompressor, PacksOnceForReplicasAtTheSamePlace) {
  Backlog backlog(0, 1 << 20);
  const auto compressor = std::make_shared<StreamCompressor>();
  const auto open_stream = [&](uint64_t offset) {
    auto stream = std::make_shared<ReplicaStream>(
        &backlog, offset, compressor, [] { return UINT64_MAX; }, [](size_t, size_t) {});
    stream->open();
    return stream;
  };
  const auto drain = [](ReplicaStream& stream) {
    std::string wire;
    while (stream.sendable()) {
      const std::string_view piece = stream.front();
      wire += piece;
      stream.consume(piece.size());
    }
    return wire;
  };
  const auto first = open_stream(1);
  backlog.append(std::string(1000, 'a'));
  std::string first_wire = drain(*first);
  const auto second = open_stream(1001);
  backlog.append(std::string(1000, 'b'));
  first_wire += drain(*first);
  const std::string second_wire = drain(*second);
  EXPECT_EQ(compressor->packed_count(), 2u);
  EXPECT_EQ(decode(first_wire, 10), std::string(1000, 'a') + std::string(1000, 'b'));
  EXPECT_EQ(decode(second_wire, 10), std::string(1000, 'b'));
}

constexpr const char* kFast = "repl-diskless-sync-delay 0\nsave \"\"\n";

class CompressionTest : public testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<TestNode> start(const std::string& host, const std::string& configuration) {
    return std::make_unique<TestNode>(&world_, host, &disks_[host], kFast + configuration);
  }
  bool synced() {
    return world_.run_until([this] { return replica_->in_sync_with(*primary_); });
  }

  // Waits for the replies of so many requests, and returns the last.
  ReplyValue replies(TestClient& client, int count) {
    std::optional<ReplyValue> last;
    EXPECT_TRUE(world_.run_until([&] {
      while (count > 0) {
        std::optional<ReplyValue> reply = client.next();
        if (!reply) return false;
        last = std::move(reply);
        --count;
      }
      return true;
    }));
    return last.value_or(ReplyValue());
  }

  FakeWorld world_;
  std::map<std::string, MemoryEnv> disks_;
  std::unique_ptr<TestNode> primary_, replica_;
};

TEST_P(CompressionTest, SnapshotAndStreamTakeLessOnTheWire) {
  primary_ = start("p", std::string("repl-compression lz4\nrdbcompression no\n") + GetParam());
  TestClient on_primary(&world_, "p");
  for (int i = 0; i < 200; ++i) {
    on_primary.ask({"SET", "key" + std::to_string(i), std::string(1000, 'x')});
  }
  replica_ = start("r", "replicaof p 6379\n");
  ASSERT_TRUE(synced());
  // The stream's first bytes tell.
  ASSERT_TRUE(world_.run_until([&] { return replica_->info().link_compressed; }));
  const ReplicationInfo after_sync = replica_->info();
  EXPECT_TRUE(primary_->info().replicas.at(0).compressed);
  EXPECT_GT(after_sync.raw_bytes_in, 200'000u);
  EXPECT_LT(after_sync.bytes_in, after_sync.raw_bytes_in / 4);

  for (int i = 0; i < 200; ++i) on_primary.send({"SET", "key", std::string(1000, 'y')});
  on_primary.send({"SET", "last", "1"});
  EXPECT_EQ(replies(on_primary, 201).text, "OK");
  ASSERT_TRUE(synced());
  const ReplicationInfo in = replica_->info(), out = primary_->info();
  EXPECT_GT(in.raw_bytes_in - after_sync.raw_bytes_in, 200'000u);
  EXPECT_LT(in.bytes_in - after_sync.bytes_in, 50'000u);
  // Both sides count the same, but for the lines that introduce the snapshot.
  EXPECT_NEAR(static_cast<double>(in.raw_bytes_in), static_cast<double>(out.raw_bytes_out), 400);
  EXPECT_NEAR(static_cast<double>(in.bytes_in), static_cast<double>(out.bytes_out), 400);
  TestClient on_replica(&world_, "r");
  EXPECT_EQ(on_replica.ask({"STRLEN", "key"}), "1000");
  EXPECT_EQ(on_replica.ask({"DBSIZE"}), "202");
}

INSTANTIATE_TEST_SUITE_P(Diskless, CompressionTest, testing::Values("repl-diskless-sync yes\n"));
INSTANTIATE_TEST_SUITE_P(Disk, CompressionTest, testing::Values("repl-diskless-sync no\n"));

class CompressedPairTest : public CompressionTest {};

TEST_F(CompressedPairTest, ACutLinkResumesAtTheSameOffset) {
  primary_ = start("p", "repl-compression lz4\n");
  replica_ = start("r", "replicaof p 6379\n");
  ASSERT_TRUE(synced());
  TestClient on_primary(&world_, "p");
  // Cut in the midst of a stream that arrives in small pieces.
  world_.set_window(100);
  for (int i = 0; i < 50; ++i) on_primary.send({"INCRBY", "n", std::to_string(i)});
  world_.run_for(2);
  world_.cut("p", "r");
  on_primary.send({"INCRBY", "n", "1000"});
  EXPECT_EQ(replies(on_primary, 51).integer, 1000 + 49 * 25);
  ASSERT_TRUE(synced());
  EXPECT_EQ(primary_->info().stats.sync_full, 1u);
  EXPECT_GE(primary_->info().stats.sync_partial_ok, 1u);
  EXPECT_TRUE(replica_->info().link_compressed);
  TestClient on_replica(&world_, "r");
  EXPECT_EQ(on_replica.ask({"GET", "n"}), std::to_string(1000 + 49 * 25));
}

TEST_F(CompressedPairTest, EachLinkOfAChainHasItsPrimarysForm) {
  primary_ = start("p", "repl-compression lz4\n");
  replica_ = start("r", "replicaof p 6379\n");
  const auto last = start("s", "replicaof r 6379\nrepl-compression lz4\n");
  TestClient on_primary(&world_, "p");
  for (int i = 0; i < 100; ++i) on_primary.ask({"RPUSH", "list", std::string(100, 'x')});
  const auto all = [&] {
    return replica_->in_sync_with(*primary_) && last->in_sync_with(*primary_);
  };
  ASSERT_TRUE(world_.run_until(all));
  EXPECT_TRUE(replica_->info().link_compressed);
  EXPECT_FALSE(last->info().link_compressed) << "r compresses nothing";
  EXPECT_EQ(last->info().applied_offset, primary_->info().offset);
  EXPECT_EQ(last->info().id, primary_->info().id);

  // The option holds for links that come after it.
  TestClient on_replica(&world_, "r");
  replica_->config.mutable_settings().repl_compression = ReplCompression::kLz4;
  world_.cut("r", "s");
  on_primary.ask({"RPUSH", "list", "end"});
  ASSERT_TRUE(world_.run_until([&] { return all() && last->info().link_compressed; }));
  EXPECT_EQ(replica_->info().stats.sync_full, 1u);
}

TEST_F(CompressedPairTest, WhoDoesNotAskGetsAPlainStream) {
  primary_ = start("p", "repl-compression lz4\n");
  replica_ = start("r", "replicaof p 6379\n");
  ASSERT_TRUE(synced());
  TestClient plain(&world_, "p");
  plain.raw_mode = true;
  plain.send({"PSYNC", primary_->info().id, std::to_string(primary_->info().offset + 1)});
  TestClient on_primary(&world_, "p");
  on_primary.ask({"SET", "key", "value"});
  ASSERT_TRUE(world_.run_until([&] { return plain.raw.find("value") != std::string::npos; }));
  EXPECT_THAT(plain.raw, testing::StartsWith("+CONTINUE\r\n*"));
  ASSERT_TRUE(synced());
}

TEST_F(CompressedPairTest, AStreamThatCannotBeUnpackedEndsTheLink) {
  std::string id(40, 'a');
  replica_ = start("r", "");
  TestClient on_replica(&world_, "r");
  primary_ = start("p", "");
  // A host that answers like a primary, and then sends blocks with a wrong checksum.
  class Hostile final : public LinkHandler {
   public:
    size_t on_input(std::string_view input) override {
      received += input;
      std::string& out = answer;
      for (size_t at = 0; (at = received.find("*", at)) != std::string::npos; ++at) {
        if (received.compare(at, 3, "*1\r") == 0) out += "+PONG\r\n";
      }
      if (received.find("PSYNC") != std::string::npos) {
        std::string wire = stream_of({"*1\r\n$4\r\nPING\r\n"});
        wire.back() ^= 1;
        out = "+CONTINUE\r\n" + wire;
      } else if (received.find("REPLCONF") != std::string::npos) {
        out = "+OK\r\n+OK\r\n+OK\r\n";
      }
      link->output().append(out);
      out.clear();
      received.clear();
      return input.size();
    }
    void on_closed(std::string_view) override {
      closed = true;
      link = nullptr;
    }
    Link* link = nullptr;
    bool closed = false;
    std::string received, answer;
  };
  std::vector<std::unique_ptr<Hostile>> hostiles;
  FakeLoop host(&world_, "h");
  host.listen(kPort, [&](Link* link) {
    hostiles.push_back(std::make_unique<Hostile>());
    hostiles.back()->link = link;
    return hostiles.back().get();
  });
  on_replica.ask({"REPLICAOF", "h", "6379"});
  ASSERT_TRUE(world_.run_until([&] { return hostiles.size() > 1 && hostiles[0]->closed; }));
  // It goes on with a primary that can be read.
  on_replica.ask({"REPLICAOF", "p", "6379"});
  ASSERT_TRUE(synced());
}

}  // namespace
}  // namespace tandem
