#include "tests/unit/commands/admin_fixture.h"

namespace tandem {
namespace {

using ConnectionTest = AdminFixture;

TEST_F(ConnectionTest, Ping) {
  EXPECT_EQ(run({"ping"}), "+PONG");
  EXPECT_EQ(run({"PING", "hello"}), "$5 hello");
  EXPECT_EQ(run({"ping", "a", "b"}), "-ERR wrong number of arguments for 'ping' command");
  EXPECT_EQ(run({"echo", "x"}), "$1 x");
}

TEST_F(ConnectionTest, Quit) {
  EXPECT_EQ(run({"quit"}), "+OK");
  EXPECT_TRUE(link_of(client).closed_after_flush);
}

TEST_F(ConnectionTest, Select) {
  EXPECT_EQ(run({"select", "15"}), "+OK");
  EXPECT_EQ(client->db, 15);
  EXPECT_EQ(run({"select", "16"}), "-ERR DB index is out of range");
  EXPECT_EQ(run({"select", "-1"}), "-ERR DB index is out of range");
  EXPECT_EQ(run({"select", "4294967297"}),
            "-ERR value is out of range, value must between -2147483648 and 2147483647");
  EXPECT_EQ(run({"select", "a"}), "-ERR value is not an integer or out of range");
  EXPECT_EQ(client->db, 15);
}

TEST_F(ConnectionTest, HelloDescribesTheServer) {
  EXPECT_EQ(run({"hello", "3"}),
            "%7 $6 server $6 tandem $7 version $5 7.2.4 $5 proto :3 $2 id :1 $4 mode $10 "
            "standalone $4 role $6 master $7 modules *0");
  EXPECT_EQ(client->protocol(), 3);
  EXPECT_TRUE(run({"hello"}).starts_with("%7 "));
  EXPECT_TRUE(run({"hello", "2", "setname", "me"}).starts_with("*14 "));
  EXPECT_EQ(client->name, "me");
  executor.state().is_replica = true;
  EXPECT_NE(run({"hello"}).find("$4 role $7 replica"), std::string::npos);
}

TEST_F(ConnectionTest, HelloRefuses) {
  EXPECT_EQ(run({"hello", "4"}), "-NOPROTO unsupported protocol version");
  EXPECT_EQ(run({"hello", "x"}), "-ERR Protocol version is not an integer or out of range");
  EXPECT_EQ(run({"hello", "3", "auth", "a", "b"}),
            "-WRONGPASS invalid username-password pair or user is disabled.");
  EXPECT_EQ(run({"hello", "3", "setname", "a b"}),
            "-ERR Client names cannot contain spaces, newlines or special characters.");
  EXPECT_EQ(run({"hello", "3", "foo"}), "-ERR Syntax error in HELLO option 'foo'");
  EXPECT_EQ(run({"hello", "3", "auth", "a"}), "-ERR Syntax error in HELLO option 'auth'");
  EXPECT_EQ(client->protocol(), 2);
}

TEST_F(ConnectionTest, AuthWithoutAPassword) {
  EXPECT_EQ(run({"auth", "a"}),
            "-ERR AUTH <password> called without any password configured for the default user. "
            "Are you sure your configuration is correct?");
  EXPECT_EQ(run({"auth", "default", "anything"}), "+OK");
  EXPECT_EQ(run({"auth", "x", "y"}),
            "-WRONGPASS invalid username-password pair or user is disabled.");
  EXPECT_EQ(run({"auth", "a", "b", "c"}), "-ERR syntax error");
}

TEST_F(ConnectionTest, AuthWithAPassword) {
  set_config({"requirepass", "secret"});
  Client* other = connect("127.0.0.1:50002");
  EXPECT_EQ(run(other, {"ping"}), "-NOAUTH Authentication required.");
  EXPECT_TRUE(
      run(other, {"hello", "3"}).starts_with("-NOAUTH HELLO must be called with the client"));
  EXPECT_EQ(other->protocol(), 2);
  EXPECT_EQ(run(other, {"auth", "wrong"}),
            "-WRONGPASS invalid username-password pair or user is disabled.");
  EXPECT_EQ(run(other, {"ping"}), "-NOAUTH Authentication required.");
  EXPECT_TRUE(run(other, {"hello", "3", "auth", "default", "secret"}).starts_with("%7 "));
  EXPECT_EQ(run(other, {"ping"}), "+PONG");
  Client* third = connect("127.0.0.1:50003");
  EXPECT_EQ(run(third, {"auth", "secret"}), "+OK");
  EXPECT_EQ(run(third, {"reset"}), "+RESET");
  EXPECT_EQ(run(third, {"ping"}), "-NOAUTH Authentication required.");
}

TEST_F(ConnectionTest, Reset) {
  run({"select", "3"});
  run({"hello", "3", "setname", "me"});
  run({"client", "setinfo", "lib-name", "lib"});
  run({"client", "no-touch", "on"});
  run({"multi"});
  EXPECT_EQ(run({"reset"}), "+RESET");
  EXPECT_EQ(client->db, 0);
  EXPECT_EQ(client->protocol(), 2);
  EXPECT_EQ(client->name, "");
  EXPECT_EQ(client->library_name, "lib");
  EXPECT_FALSE(client->no_touch);
  EXPECT_EQ(run({"exec"}), "-ERR EXEC without MULTI");
  run({"client", "reply", "off"});
  EXPECT_EQ(run({"ping"}), "");
  EXPECT_EQ(run({"reset"}), "+RESET");
  EXPECT_EQ(run({"ping"}), "+PONG");
}

using TransactionTest = AdminFixture;

TEST_F(TransactionTest, RunsTheQueue) {
  EXPECT_EQ(run({"multi"}), "+OK");
  EXPECT_EQ(run({"ping"}), "+QUEUED");
  EXPECT_EQ(run({"select", "99"}), "+QUEUED");
  EXPECT_EQ(run({"exec"}), "*2 +PONG -ERR DB index is out of range");
  EXPECT_EQ(run({"exec"}), "-ERR EXEC without MULTI");
}

TEST_F(TransactionTest, Discards) {
  EXPECT_EQ(run({"discard"}), "-ERR DISCARD without MULTI");
  run({"multi"});
  run({"ping"});
  EXPECT_EQ(run({"discard"}), "+OK");
  EXPECT_EQ(run({"ping"}), "+PONG");
}

TEST_F(TransactionTest, AbortsAfterAnErrorInTheQueue) {
  run({"multi"});
  EXPECT_EQ(run({"nosuch"}).substr(0, 28), "-ERR unknown command 'nosuch");
  EXPECT_EQ(run({"exec"}), "-EXECABORT Transaction discarded because of previous errors.");
  EXPECT_EQ(run({"ping"}), "+PONG");
}

TEST_F(TransactionTest, WatchSeesChanges) {
  EXPECT_EQ(run({"watch", "a", "b"}), "+OK");
  keyspace.database(0).set_string("b", "1");
  run({"multi"});
  run({"ping"});
  EXPECT_EQ(run({"exec"}), "*-1");
  run({"multi"});
  EXPECT_EQ(run({"exec"}), "*0");
}

TEST_F(TransactionTest, WatchSeesExpiry) {
  Database& db = keyspace.database(0);
  db.set_expiry(db.set_string("a", "1"), clock.wall_ms() + 10);
  run({"watch", "a"});
  clock.now_us += 20'000;
  run({"multi"});
  run({"ping"});
  EXPECT_EQ(run({"exec"}), "*-1");
}

TEST_F(TransactionTest, Unwatch) {
  run({"watch", "a"});
  EXPECT_EQ(run({"unwatch"}), "+OK");
  keyspace.database(0).set_string("a", "1");
  run({"multi"});
  EXPECT_EQ(run({"exec"}), "*0");
}

TEST_F(TransactionTest, NestedMultiAndWatchAreRefused) {
  run({"multi"});
  EXPECT_EQ(run({"multi"}), "-ERR Command not allowed inside a transaction");
  EXPECT_EQ(run({"exec"}), "-EXECABORT Transaction discarded because of previous errors.");
}

}  // namespace
}  // namespace tandem
