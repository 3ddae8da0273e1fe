#include "tests/unit/commands/admin_fixture.h"

namespace tandem {
namespace {

using ClientCommandTest = AdminFixture;

TEST_F(ClientCommandTest, IdAndNames) {
  EXPECT_EQ(run({"client", "id"}), ":1");
  EXPECT_EQ(run({"client", "getname"}), "$-1");
  EXPECT_EQ(run({"client", "setname", "worker-1"}), "+OK");
  EXPECT_EQ(run({"client", "getname"}), "$8 worker-1");
  EXPECT_EQ(run({"client", "setname", "a\nb"}),
            "-ERR Client names cannot contain spaces, newlines or special characters.");
  EXPECT_EQ(run({"client", "setname", ""}), "+OK");
  EXPECT_EQ(run({"client", "getname"}), "$-1");
}

TEST_F(ClientCommandTest, SetInfo) {
  EXPECT_EQ(run({"client", "setinfo", "LIB-NAME", "lib"}), "+OK");
  EXPECT_EQ(run({"client", "setinfo", "lib-ver", "1.2"}), "+OK");
  EXPECT_EQ(client->library_name + client->library_version, "lib1.2");
  EXPECT_EQ(run({"client", "setinfo", "lib-ver", "1 2"}),
            "-ERR lib-ver cannot contain spaces, newlines or special characters.");
  EXPECT_EQ(run({"client", "setinfo", "what", "x"}), "-ERR Unrecognized option 'what'");
}

TEST_F(ClientCommandTest, InfoHasAllFieldsInTheirOrder) {
  run({"hello", "3", "setname", "me"});
  clock.now_us += 7'900'000;
  run({"multi"});
  run({"ping"});
  run({"exec"});
  const std::string line = run({"client", "info"});
  EXPECT_EQ(line.substr(0, line.find("argv-mem")),
            "=" + line.substr(1, 3) +
                " txt:id=1 addr=127.0.0.1:50001 laddr=127.0.0.1:6379 fd=8 name=me age=7 idle=0 "
                "flags=N capa= db=0 sub=0 psub=0 ssub=0 multi=-1 watch=0 qbuf=26 qbuf-free=16358 ");
  EXPECT_NE(line.find(" argv-mem=10 multi-mem=0 rbs="), std::string::npos) << line;
  EXPECT_NE(line.find(" events=r cmd=client|info user=default redir=-1 resp=3 lib-name= lib-ver= "
                      "tot-net-in=0 tot-net-out=0 tot-cmds=3\n"),
            std::string::npos)
      << line;
}

TEST_F(ClientCommandTest, Flags) {
  Client* local = connect("/tmp/socket:0");
  run(local, {"client", "no-evict", "on"});
  run(local, {"client", "no-touch", "on"});
  run(local, {"watch", "k"});
  run(local, {"multi"});
  keyspace.database(0).set_string("k", "v");
  EXPECT_NE(run({"client", "list"}).find("flags=xdUeT "), std::string::npos);
  local->set_kind(ClientKind::kReplica);
  EXPECT_NE(run({"client", "list", "type", "replica"}).find("flags=SxdUeT "), std::string::npos);
}

TEST_F(ClientCommandTest, ListIsOrderedAndFiltered) {
  connect("127.0.0.1:50002");
  Client* third = connect("127.0.0.1:50003");
  const auto ids = [this](std::vector<std::string_view> words) {
    const std::string reply = run(client, words);
    std::string found;
    for (size_t at = 0; (at = reply.find("id=", at)) != std::string::npos; at += 3) {
      if (at > 0 && (reply[at - 1] == ' ' || reply[at - 1] == '\n')) found += reply[at + 3];
    }
    return found;
  };
  EXPECT_EQ(ids({"client", "list"}), "123");
  EXPECT_EQ(ids({"client", "list", "id", "3", "1", "9"}), "13");
  EXPECT_EQ(ids({"client", "list", "id", "3", "1", "skipme", "yes"}), "3");
  EXPECT_EQ(ids({"client", "list", "addr", "127.0.0.1:50002"}), "2");
  EXPECT_EQ(ids({"client", "list", "user", "default", "laddr", "127.0.0.1:6379"}), "123");
  EXPECT_EQ(ids({"client", "list", "type", "pubsub"}), "");
  third->created_ms -= 5000;
  EXPECT_EQ(ids({"client", "list", "maxage", "5"}), "3");
  EXPECT_EQ(run({"client", "list", "type", "xx"}), "-ERR Unknown client type 'xx'");
  EXPECT_EQ(run({"client", "list", "id", "a"}), "-ERR Invalid client ID");
  EXPECT_EQ(run({"client", "list", "id"}), "-ERR syntax error");
  EXPECT_EQ(run({"client", "list", "foo", "bar"}), "-ERR syntax error");
}

TEST_F(ClientCommandTest, KillByAddress) {
  Client* other = connect("127.0.0.1:50002");
  EXPECT_EQ(run({"client", "kill", "127.0.0.1:50002"}), "+OK");
  EXPECT_TRUE(link_of(other).closed_now);
  EXPECT_EQ(run({"client", "kill", "127.0.0.1:1"}), "-ERR No such client");
  EXPECT_EQ(run({"client", "kill", "127.0.0.1:50001"}), "+OK");
  EXPECT_TRUE(link_of(client).closed_after_flush);
}

TEST_F(ClientCommandTest, KillByFilters) {
  Client* second = connect("127.0.0.1:50002");
  Client* third = connect("127.0.0.1:50003");
  EXPECT_EQ(run({"client", "kill", "id", "2", "99"}), ":1");
  EXPECT_TRUE(link_of(second).closed_now);
  EXPECT_FALSE(link_of(third).closed_now);
  EXPECT_EQ(run({"client", "kill", "type", "normal", "addr", "127.0.0.1:50003"}), ":1");
  EXPECT_TRUE(link_of(third).closed_now);
  EXPECT_EQ(run({"client", "kill", "id", "1"}), ":0");
  EXPECT_EQ(run({"client", "kill", "id", "1", "skipme", "no"}), ":1");
  EXPECT_TRUE(link_of(client).closed_after_flush);
}

TEST_F(ClientCommandTest, KillRefuses) {
  EXPECT_EQ(run({"client", "kill", "id", "abc"}), "-ERR client-id should be greater than 0");
  EXPECT_EQ(run({"client", "kill", "id", "0"}), "-ERR client-id should be greater than 0");
  EXPECT_EQ(run({"client", "kill", "skipme", "x"}), "-ERR syntax error");
  EXPECT_EQ(run({"client", "kill", "type", "x"}), "-ERR Unknown client type 'x'");
  EXPECT_EQ(run({"client", "kill", "user", "nouser"}), "-ERR No such user 'nouser'");
  EXPECT_EQ(run({"client", "kill", "maxage", "x"}),
            "-ERR maxage is not an integer or out of range");
  EXPECT_EQ(run({"client", "kill", "maxage", "0"}), "-ERR maxage should be greater than 0");
  EXPECT_EQ(run({"client", "kill", "id", "3", "addr"}), "-ERR syntax error");
}

TEST_F(ClientCommandTest, PausesAddUp) {
  EXPECT_EQ(run({"client", "pause", "1000", "write"}), "+OK");
  const DispatchState& state = executor.state();
  EXPECT_EQ(state.paused_until_ms, clock.monotonic_ms() + 1000);
  EXPECT_TRUE(state.pause_writes_only);
  EXPECT_EQ(run({"client", "pause", "10"}), "+OK");
  EXPECT_EQ(state.paused_until_ms, clock.monotonic_ms() + 1000);
  EXPECT_FALSE(state.pause_writes_only);
  EXPECT_EQ(run({"client", "pause", "2000", "WRITE"}), "+OK");
  EXPECT_EQ(state.paused_until_ms, clock.monotonic_ms() + 2000);
  EXPECT_FALSE(state.pause_writes_only);

  Client* other = connect("127.0.0.1:50002");
  EXPECT_EQ(run(other, {"ping"}), "");
  EXPECT_TRUE(other->blocked());
  EXPECT_EQ(run({"client", "unpause"}), "+OK");
  EXPECT_FALSE(other->blocked());
  EXPECT_EQ(run(other, {"ping"}), "+PONG");
}

TEST_F(ClientCommandTest, PauseRefuses) {
  EXPECT_EQ(run({"client", "pause", "a"}), "-ERR timeout is not an integer or out of range");
  EXPECT_EQ(run({"client", "pause", "-1"}), "-ERR timeout is negative");
  EXPECT_EQ(run({"client", "pause", "1", "foo"}), "-ERR CLIENT PAUSE mode must be WRITE or ALL");
  EXPECT_EQ(run({"client", "pause", "9223372036854775807"}), "-ERR timeout is out of range");
}

TEST_F(ClientCommandTest, ReplyModes) {
  EXPECT_EQ(run({"client", "reply", "on"}), "+OK");
  EXPECT_EQ(run({"client", "reply", "off"}), "");
  EXPECT_EQ(run({"ping"}), "");
  EXPECT_EQ(run({"client", "reply", "skip"}), "");
  EXPECT_EQ(client->reply_mode(), ReplyMode::kOff);
  EXPECT_EQ(run({"client", "reply", "on"}), "+OK");
  EXPECT_EQ(run({"ping"}), "+PONG");
  EXPECT_EQ(run({"client", "reply", "x"}), "-ERR syntax error");
}

TEST_F(ClientCommandTest, Switches) {
  EXPECT_EQ(run({"client", "no-evict", "on"}), "+OK");
  EXPECT_TRUE(client->no_evict);
  EXPECT_EQ(run({"client", "no-evict", "off"}), "+OK");
  EXPECT_FALSE(client->no_evict);
  EXPECT_EQ(run({"client", "no-touch", "maybe"}), "-ERR syntax error");
}

TEST_F(ClientCommandTest, Help) {
  EXPECT_TRUE(
      run({"client", "help"})
          .find("+CLIENT <subcommand> [<arg> [value] [opt] ...]. Subcommands are: "
                "+CAPA <option> [<option> ...] +    Say what this connection's client can do. ") !=
      std::string::npos);
  EXPECT_EQ(run({"client", "foo"}), "-ERR unknown subcommand 'foo'. Try CLIENT HELP.");
}

}  // namespace
}  // namespace tandem
