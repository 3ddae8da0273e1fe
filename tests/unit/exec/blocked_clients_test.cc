#include "server/exec/blocked_clients.h"

#include <gtest/gtest.h>

#include <string>

#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/store/hash_value.h"
#include "tests/unit/exec/exec_fixture.h"

namespace tandem {
namespace {

// HTAKE key [key ...] timeout: takes a field from the first of these hashes.
void take_command(Call& call) {
  const auto deadline_ms = read_timeout(call, call.args.back(), TimeUnit::kSeconds);
  if (!deadline_ms) return;
  const Args keys = call.args.subspan(1, call.args.size() - 2);
  for (std::string_view key : keys) {
    Entry* entry = call.db().find_for_write(key);
    if (entry == nullptr) continue;
    if (!check_type(call, entry, ValueType::kHash)) return;
    auto* hash = static_cast<HashValue*>(entry->value());
    std::string field;
    hash->for_each([&field](std::string_view name, std::string_view) { field = name; });
    hash->erase(field);
    if (hash->size() == 0) {
      call.db().erase(key);
    } else {
      call.db().modified(key);
    }
    call.emit({"HDEL", key, field});
    call.reply.array(2);
    call.reply.bulk(key);
    call.reply.bulk(field);
    return;
  }
  if (!call.can_block()) return call.reply.null_array();
  call.block_on_keys(keys, ValueType::kHash, *deadline_ms);
}

// HFOLLOW key length: waits until the hash is longer than that, `$` being its length now. Replies
// its length, or that it is gone.
void follow_command(Call& call) {
  const Entry* entry = call.db().find(call.args[1]);
  if (call.args[2] != "$" && (entry == nullptr || entry->type() != ValueType::kHash)) {
    return call.reply.error("GONE");
  }
  const size_t size = entry != nullptr ? entry->value()->size() : 0;
  const std::string text = call.args[2] == "$" ? std::to_string(size) : std::string(call.args[2]);
  if (size > static_cast<size_t>(*parse_int64(text))) {
    return call.reply.integer(static_cast<int64_t>(size));
  }
  const std::pair<size_t, std::string_view> replaced[] = {{2, text}};
  call.block_on_keys(call.args.subspan(1, 1), ValueType::kHash, 0,
                     {.wake_when_gone = true, .replace = replaced});
}

constexpr CommandRow kRows[] = {
    {.name = "htake",
     .handler = take_command,
     .arity = -3,
     .flags = "blocking,write",
     .keys = "1,-2,1",
     .key_specs = "[ACCESS+DELETE+RW index:index=1 range:lastkey=-2,keystep=1,limit=0]"},
    {.name = "hfollow",
     .handler = follow_command,
     .arity = 3,
     .flags = "blocking,readonly",
     .keys = "1,1,1",
     .key_specs = "[RO index:index=1 range:lastkey=0,keystep=1,limit=0]"},
};

class BlockedClientsTest : public ExecFixture {
 protected:
  BlockedClientsTest() {
    executor_.commands().add(kRows);
    executor_.effects().add_sink(&recorder_);
  }
  ~BlockedClientsTest() override { executor_.effects().remove_sink(&recorder_); }

  // A client that is blocked in `words`.
  Peer& blocked(std::string_view words) {
    Peer& peer = connect();
    EXPECT_EQ(run(peer, words), "");
    EXPECT_TRUE(peer.client->blocked());
    EXPECT_TRUE(peer.link.paused);
    return peer;
  }
  uint64_t calls(std::string_view name) { return executor_.commands().find(name)->stats.calls; }

  UnitRecorder recorder_;
  Peer& writer_ = connect();
};

TEST_F(BlockedClientsTest, ServesInOrderOfArrivalAsManyAsThereIsFor) {
  Peer& first = blocked("htake k 0");
  Peer& second = blocked("htake k 0");
  Peer& third = blocked("htake k 0");
  EXPECT_EQ(run(writer_, "hset k a 1 b 2"), ":2|");
  EXPECT_EQ(take_output(first), "*2|$1|k|$1|b|");
  EXPECT_EQ(take_output(second), "*2|$1|k|$1|a|");
  EXPECT_FALSE(first.client->blocked());
  EXPECT_FALSE(first.link.paused);
  EXPECT_GT(first.link.flushes, 0);
  EXPECT_TRUE(third.client->blocked());
  EXPECT_EQ(run(writer_, "exists k"), ":0|");
  run(writer_, "hset k c 3");
  EXPECT_EQ(take_output(third), "*2|$1|k|$1|c|");
  EXPECT_EQ(executor_.blocked().key_count(), 0u);
}

TEST_F(BlockedClientsTest, EachServingIsAUnitBehindTheOneThatMadeTheKeyReady) {
  blocked("htake k 0");
  run(writer_, "hset k a 1");
  ASSERT_EQ(recorder_.units.size(), 2u);
  EXPECT_EQ(recorder_.units[0], resp("SELECT 0") + resp("hset k a 1"));
  EXPECT_EQ(recorder_.units[1], resp("HDEL k a"));
}

TEST_F(BlockedClientsTest, WaitsForTheEndOfTheTransaction) {
  Peer& peer = blocked("htake k other 0");
  run(writer_, "multi");
  run(writer_, "hset other x 1");
  run(writer_, "hset k a 1");
  run(writer_, "del k");
  EXPECT_EQ(run(writer_, "exec"), "*3|:1|:1|:1|");
  EXPECT_EQ(take_output(peer), "*2|$5|other|$1|x|");
}

TEST_F(BlockedClientsTest, AClientOfSeveralKeysIsServedOnce) {
  Peer& peer = blocked("htake a b a 0");
  run(writer_, "multi");
  run(writer_, "hset b x 1");
  run(writer_, "hset a y 1");
  run(writer_, "exec");
  EXPECT_EQ(take_output(peer), "*2|$1|a|$1|y|");
  EXPECT_EQ(run(writer_, "exists b"), ":1|");
}

TEST_F(BlockedClientsTest, AKeyOfAnotherTypeWakesNobody) {
  Peer& peer = blocked("htake k 0");
  run(writer_, "set k v");
  EXPECT_TRUE(peer.client->blocked());
  EXPECT_EQ(calls("htake"), 0u);
  run(writer_, "del k");
  run(writer_, "hset k a 1");
  EXPECT_EQ(take_output(peer), "*2|$1|k|$1|a|");
}

TEST_F(BlockedClientsTest, KeysThatArriveByOtherWays) {
  run(writer_, "hset source a 1");
  Peer& renamed = blocked("htake k 0");
  run(writer_, "rename source k");
  EXPECT_EQ(take_output(renamed), "*2|$1|k|$1|a|");

  run(writer_, "hset source b 1");
  Peer& copied = blocked("htake k 0");
  run(writer_, "copy source k");
  EXPECT_EQ(take_output(copied), "*2|$1|k|$1|b|");

  Peer& swapped = blocked("htake source2 0");
  run(writer_, "select 1");
  run(writer_, "hset source2 c 1");
  EXPECT_TRUE(swapped.client->blocked()) << "the key is in another database";
  run(writer_, "swapdb 0 1");
  EXPECT_EQ(take_output(swapped), "*2|$7|source2|$1|c|");
}

TEST_F(BlockedClientsTest, ABlockedClientOfAnotherDatabase) {
  Peer& peer = connect();
  run(peer, "select 3");
  EXPECT_EQ(run(peer, "htake k 0"), "");
  run(writer_, "hset k a 1");
  EXPECT_TRUE(peer.client->blocked());
  run(writer_, "move k 3");
  EXPECT_EQ(take_output(peer), "*2|$1|k|$1|a|");
  EXPECT_EQ(recorder_.units.back(), resp("SELECT 3") + resp("HDEL k a"));
}

TEST_F(BlockedClientsTest, RequestsBehindWaitTheirTurn) {
  Peer& peer = connect();
  EXPECT_EQ(send(peer, resp("htake k 0") + resp("ping")), "");
  run(writer_, "hset k a 1");
  EXPECT_EQ(redeliver(peer), "*2|$1|k|$1|a|+PONG|");
}

TEST_F(BlockedClientsTest, TimesOut) {
  int earlier = 0;
  executor_.blocked().on_earlier_deadline = [&earlier] { ++earlier; };
  Peer& later = blocked("htake k 0.0205");
  Peer& soon = blocked("htake k 0.0101");
  Peer& never = blocked("htake k 0");
  EXPECT_EQ(earlier, 2);
  EXPECT_EQ(executor_.blocked().with_deadline(), 2u);
  EXPECT_EQ(executor_.blocked().next_deadline_ms(), clock_.monotonic_ms() + 11);
  advance_ms(10);
  executor_.blocked().time_out();
  EXPECT_EQ(take_output(soon), "");
  advance_ms(1);
  executor_.blocked().time_out();
  EXPECT_EQ(take_output(soon), "*-1|");
  EXPECT_FALSE(soon.client->blocked());
  EXPECT_EQ(calls("htake"), 1u);
  advance_ms(10);
  executor_.blocked().time_out();
  EXPECT_EQ(take_output(later), "*-1|");
  EXPECT_TRUE(never.client->blocked());
  EXPECT_EQ(executor_.blocked().next_deadline_ms(), 0);
}

TEST_F(BlockedClientsTest, TimesOutNeverEarlier) {
  clock_.now_us += 999;
  Peer& peer = blocked("htake k 0.01");
  clock_.now_us += 9'999;  // ten milliseconds on the clock's face, a microsecond short of them
  executor_.blocked().time_out();
  EXPECT_EQ(take_output(peer), "");
  clock_.now_us += 1'000;
  executor_.blocked().time_out();
  EXPECT_EQ(take_output(peer), "*-1|");
}

TEST_F(BlockedClientsTest, TimesOutInResp3) {
  Peer& peer = connect();
  run(peer, "hello 3");
  run(peer, "htake k 0.001");
  advance_ms(1);
  executor_.blocked().time_out();
  EXPECT_EQ(take_output(peer), "_|");
}

TEST_F(BlockedClientsTest, TimeoutsAreReadAsValkeyReadsThem) {
  EXPECT_EQ(run("htake k -1"), "-ERR timeout is negative|");
  EXPECT_EQ(run("htake k abc"), "-ERR timeout is not a float or out of range|");
  EXPECT_EQ(run("htake k nan"), "-ERR timeout is not a float or out of range|");
  EXPECT_EQ(run("htake k 9223372036854776"), "-ERR timeout is out of range|");
  EXPECT_EQ(run("htake k inf"), "-ERR timeout is out of range|");
  EXPECT_EQ(run("htake k 9223372036854775.807"), "-ERR timeout is out of range|");
  EXPECT_EQ(run("htake k -inf"), "-ERR timeout is negative|");
  blocked("htake k -0.0001");  // rounds up to none
  EXPECT_EQ(executor_.blocked().next_deadline_ms(), 0);
}

TEST_F(BlockedClientsTest, BlockingAgainKeepsThePlaceTheDeadlineAndReplacedArguments) {
  run(writer_, "hset k a 1");
  Peer& follower = blocked("hfollow k $");
  run(writer_, "hset k a 2");
  EXPECT_TRUE(follower.client->blocked());
  Peer& taker = blocked("htake other 0");
  run(writer_, "hset k b 2");
  EXPECT_EQ(take_output(follower), ":2|");
  EXPECT_TRUE(taker.client->blocked());
  EXPECT_EQ(calls("hfollow"), 1u) << "however often it had to look";
}

TEST_F(BlockedClientsTest, WakesWhenTheKeyIsGoneOrOfAnotherType) {
  run(writer_, "hset k a 1");
  Peer& one = blocked("hfollow k $");
  Peer& taker = blocked("htake missing 0");
  run(writer_, "del k");
  EXPECT_EQ(take_output(one), "-GONE|");
  EXPECT_TRUE(taker.client->blocked());

  run(writer_, "hset k a 1");
  Peer& two = blocked("hfollow k $");
  EXPECT_EQ(executor_.blocked().wake_when_gone_key_count(), 1u);
  run(writer_, "set k v");
  EXPECT_EQ(take_output(two), "-GONE|");

  run(writer_, "del k");
  run(writer_, "hset k a 1");
  Peer& three = blocked("hfollow k $");
  run(writer_, "flushall");
  EXPECT_EQ(take_output(three), "-GONE|");

  run(writer_, "hset k a 1");
  run(writer_, "pexpire k 5");
  Peer& four = blocked("hfollow k $");
  advance_ms(10);
  run(writer_, "get k");
  EXPECT_EQ(take_output(four), "-GONE|");
}

TEST_F(BlockedClientsTest, DoesNotBlockInsideATransaction) {
  run(writer_, "multi");
  run(writer_, "htake k 0");
  EXPECT_EQ(run(writer_, "exec"), "*1|*-1|");
  EXPECT_FALSE(writer_.client->blocked());
}

TEST_F(BlockedClientsTest, WhoIsClosedIsNotServed) {
  Peer& closed = blocked("htake k 0");
  Peer& killed = blocked("htake k 0");
  Peer& alive = blocked("htake k 0");
  closed.client->on_closed("gone");
  run(writer_, "client kill id " + std::to_string(killed.client->id));
  EXPECT_TRUE(killed.link.closed);
  run(writer_, "hset k a 1");
  EXPECT_EQ(take_output(killed), "");
  EXPECT_EQ(take_output(alive), "*2|$1|k|$1|a|");
  killed.client->on_closed("killed");
  EXPECT_EQ(executor_.blocked().key_count(), 0u);
}

TEST_F(BlockedClientsTest, ClientUnblock) {
  Peer& peer = blocked("htake k 100");
  const std::string id = std::to_string(peer.client->id);
  EXPECT_EQ(run(writer_, "client unblock " + id), ":1|");
  EXPECT_EQ(take_output(peer), "*-1|");
  EXPECT_EQ(calls("htake"), 1u);
  EXPECT_EQ(run(writer_, "client unblock " + id), ":0|");
  EXPECT_EQ(executor_.blocked().with_deadline(), 0u);

  EXPECT_EQ(run(peer, "htake k 0"), "");
  EXPECT_EQ(run(writer_, "client unblock " + id + " error"), ":1|");
  EXPECT_EQ(take_output(peer), "-UNBLOCKED client unblocked via CLIENT UNBLOCK|");
  EXPECT_EQ(executor_.commands().find("htake")->stats.failed, 1u);
  EXPECT_EQ(run(peer, "ping"), "+PONG|");

  EXPECT_EQ(run(peer, "htake k 0"), "");
  EXPECT_EQ(run(writer_, "client unblock " + id + " timeout"), ":1|");
  EXPECT_EQ(run(writer_, "client unblock x"), "-ERR value is not an integer or out of range|");
  EXPECT_EQ(run(writer_, "client unblock 1 soon"),
            "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR|");
  EXPECT_EQ(run(writer_, "client unblock 99999"), ":0|");
}

TEST_F(BlockedClientsTest, APauseHoldsBackWhatWouldBeServed) {
  Peer& peer = blocked("htake k 0.1");
  const std::string id = std::to_string(peer.client->id);
  // Writes of others are paused too: the key is made by an expiry-free path, a primary's stream.
  auto primary = executor_.make_internal_client(ClientKind::kPrimary);
  run(writer_, "client pause 1000 write");
  const std::string_view hset[] = {"hset", "k", "a", "1"};
  executor_.execute(*primary, hset);
  EXPECT_EQ(take_output(peer), "");
  EXPECT_TRUE(peer.client->blocked());
  EXPECT_EQ(run(writer_, "client unblock " + id), ":0|") << "what is paused is not unblocked";
  advance_ms(200);
  executor_.blocked().time_out();
  EXPECT_TRUE(peer.client->blocked()) << "nor does it time out";
  EXPECT_EQ(run(writer_, "client unpause"), "+OK|");
  EXPECT_EQ(take_output(peer), "*2|$1|k|$1|a|");
}

TEST_F(BlockedClientsTest, RefusedOnceThisServerIsAReplica) {
  Peer& peer = blocked("htake k 0");
  executor_.blocked().refuse_all("UNBLOCKED changed");
  EXPECT_EQ(take_output(peer), "-UNBLOCKED changed|");
  EXPECT_TRUE(peer.link.closing_after_flush);
  EXPECT_EQ(executor_.blocked().key_count(), 0u);
}

TEST_F(BlockedClientsTest, TheChecksApplyAgain) {
  Peer& peer = blocked("htake k 0");
  executor_.state().misconf = "MISCONF no";
  auto primary = executor_.make_internal_client(ClientKind::kPrimary);
  const std::string_view hset[] = {"hset", "k", "a", "1"};
  executor_.execute(*primary, hset);
  EXPECT_EQ(take_output(peer), "-MISCONF no|");
  EXPECT_FALSE(peer.client->blocked());
}

TEST_F(BlockedClientsTest, ReplySkipSkipsTheLateReply) {
  Peer& peer = connect();
  send(peer, resp("client reply skip") + resp("htake k 0"));
  run(writer_, "hset k a 1");
  EXPECT_EQ(redeliver(peer), "");
  EXPECT_EQ(run(peer, "ping"), "+PONG|");
}

TEST_F(BlockedClientsTest, CountsOncePerRequest) {
  Peer& peer = blocked("htake k 0");
  const uint64_t before = executor_.stats().commands_processed;
  EXPECT_EQ(calls("htake"), 0u);
  run(writer_, "hset k a 1");
  EXPECT_EQ(calls("htake"), 1u);
  EXPECT_EQ(executor_.stats().commands_processed, before + 2);
  EXPECT_EQ(peer.client->commands_processed, 1u);
  EXPECT_EQ(peer.client->bytes_out, take_output(peer).size() + 5) << "with the five CRs";
}

// One push costs what one client costs, however many wait.
TEST_F(BlockedClientsTest, ManyWaitForOneKey) {
  constexpr size_t kClients = 5000;
  std::vector<Peer*> peers;
  for (size_t i = 0; i < kClients; ++i) peers.push_back(&blocked("htake k 0"));
  for (Peer* peer : peers) {
    run(writer_, "hset k a 1");
    ASSERT_EQ(take_output(*peer), "*2|$1|k|$1|a|");
  }
}

}  // namespace
}  // namespace tandem
