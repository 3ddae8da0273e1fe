#include "server/commands/dataset_digest.h"
#include "server/store/hash_value.h"
#include "tests/unit/commands/admin_fixture.h"

namespace tandem {
namespace {

class DebugTest : public AdminFixture {
 protected:
  DebugTest() { config.mutable_settings().enable_debug_command = ProtectedAction::kYes; }

  std::string digest() { return run({"debug", "digest"}); }
  void set_hash(std::string_view key, std::vector<std::string> pairs) {
    auto hash = std::make_unique<HashValue>();
    for (size_t i = 0; i < pairs.size(); i += 2) hash->set(pairs[i], pairs[i + 1], HashLimits());
    keyspace.database(0).set_value(key, std::move(hash));
  }
};

// The digests are those that redis-server 7.0.15 gives for the same data.
TEST_F(DebugTest, DigestOfTheDataset) {
  Database& db = keyspace.database(0);
  EXPECT_EQ(digest(), "+0000000000000000000000000000000000000000");
  db.set_integer("a", 1);
  EXPECT_EQ(digest(), "+943d800368fb9c0e951138f1bc0e313ac769d91f");
  db.set_string("key:x", "hello world");
  db.set_integer("n", -12345);
  EXPECT_EQ(digest(), "+d8ac4bfe3b6f29c3afc0361f9c374c48e1ed6fe0");
  constexpr int64_t kFuture = 4102444800000;
  db.set_expiry(db.set_string("e", "v"), kFuture);
  EXPECT_EQ(digest(), "+ee6bacdd35532629b37b06f7e6b386486222eae1");
  keyspace.database(3).set_string("b", "binary");
  keyspace.database(15).set_string("z", "z");
  EXPECT_EQ(digest(), "+8b4309fa62c86f0ac4481bbf2ce74fc69809533c");
  set_hash("h", {"f1", "v1", "f2", "22", "f3", ""});
  db.set_expiry(db.peek("h"), kFuture);
  EXPECT_EQ(digest(), "+caebef6e0406fe1d1cd8eab4503f6a7396df3695");
  std::vector<std::string> pairs;
  for (int i = 0; i < 1000; ++i) {
    pairs.push_back("field:" + std::to_string(i));
    pairs.push_back("value:" + std::to_string(i));
  }
  set_hash("big", pairs);
  EXPECT_EQ(digest(), "+bcd9cffc474f5ee4b53ae1c8c7e6fdac5425a3a3");
  EXPECT_EQ(run({"debug", "digest-value", "a", "n", "e", "h", "big", "nosuch"}),
            "*6 +b4fc66738120fba0b5aa500ab5c2bf89cea1c5da "
            "+9364d007acb0ba24016c9866e6283671e674924f "
            "+311b17018163335616e089f6b951c82c477335ac "
            "+e2d83abc726220406edebc7a511804387e6f4f1e "
            "+269e7ece66fde4d37b7c42e8e74f9707b8aad4e9 "
            "+0000000000000000000000000000000000000000");
}

TEST_F(DebugTest, Populate) {
  EXPECT_EQ(run({"debug", "populate", "3"}), "+OK");
  char scratch[kMaxInt64Digits];
  Database& db = keyspace.database(0);
  EXPECT_EQ(db.peek("key:2")->string(scratch), "value:2");
  db.set_string("k:0", "mine");
  EXPECT_EQ(run({"debug", "populate", "2", "k", "4"}), "+OK");
  EXPECT_EQ(db.peek("k:0")->string(scratch), "mine");
  EXPECT_EQ(db.peek("k:1")->string(scratch), "valu");
  EXPECT_EQ(run({"debug", "populate", "1", "long", "200"}), "+OK");
  EXPECT_EQ(db.peek("long:0")->string(scratch), "value:0" + std::string(193, '\0'));
  EXPECT_EQ(db.size(), 6u);
  EXPECT_EQ(executor.dirty(), 0u);
  EXPECT_EQ(run({"debug", "populate", "a"}), "-ERR value is out of range, must be positive");
  EXPECT_EQ(run({"debug", "populate", "1", "k", "99999999999"}),
            "-ERR value is out of range, must be positive");
}

TEST_F(DebugTest, Object) {
  EXPECT_EQ(run({"debug", "object", "nosuch"}), "-ERR no such key");
  keyspace.database(0).set_string("k", "some text");
  clock.now_us += 3'000'000;
  const std::string reply = run({"debug", "object", "k"});
  EXPECT_TRUE(reply.starts_with("+Value at:0x")) << reply;
  EXPECT_NE(reply.find(" refcount:1 encoding:embstr serializedlength:"), std::string::npos);
  EXPECT_TRUE(reply.ends_with(" lru_seconds_idle:3")) << reply;
}

TEST_F(DebugTest, SetActiveExpire) {
  EXPECT_EQ(run({"debug", "set-active-expire", "0"}), "+OK");
  EXPECT_FALSE(executor.state().active_expire);
  EXPECT_EQ(run({"debug", "set-active-expire", "1"}), "+OK");
  EXPECT_TRUE(executor.state().active_expire);
}

TEST_F(DebugTest, SmallOnes) {
  EXPECT_EQ(run({"debug", "sleep", "0"}), "+OK");
  EXPECT_EQ(run({"debug", "jmap"}), "+OK");
  EXPECT_TRUE(run({"debug", "help"}).find("+DEBUG <subcommand>") != std::string::npos);
  EXPECT_EQ(run({"debug", "foo"}),
            "-ERR unknown subcommand or wrong number of arguments for 'foo'. Try DEBUG HELP.");
  EXPECT_EQ(run({"debug", "object"}),
            "-ERR unknown subcommand or wrong number of arguments for 'object'. Try DEBUG HELP.");
}

class DebugAccessTest : public AdminFixture {};

TEST_F(DebugAccessTest, IsOffUnlessEnabled) {
  constexpr std::string_view kRefusal =
      "-ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you "
      "can run it from a local connection, otherwise you need to set this option in the "
      "configuration file, and then restart the server.";
  EXPECT_EQ(run({"debug", "jmap"}), kRefusal);
  config.mutable_settings().enable_debug_command = ProtectedAction::kLocal;
  EXPECT_EQ(run({"debug", "jmap"}), "+OK");
  EXPECT_EQ(run(connect("10.0.0.1:9"), {"debug", "jmap"}), kRefusal);
}

TEST_F(DebugTest, RepliesOfEachType) {
  EXPECT_EQ(run({"debug", "protocol", "map"}), "*6 :0 :0 :1 :1 :2 :0");
  EXPECT_EQ(run({"debug", "protocol", "push"}), "-ERR RESP2 is not supported by this command");
  EXPECT_EQ(run({"debug", "protocol", "attrib"}), "$39 Some real reply following the attribute");
  client->set_protocol(3);
  EXPECT_EQ(run({"debug", "protocol", "map"}), "%3 :0 #f :1 #t :2 #f");
  EXPECT_EQ(run({"debug", "protocol", "set"}), "~3 :0 :1 :2");
  EXPECT_EQ(run({"debug", "protocol", "double"}), ",3.141");
  EXPECT_EQ(run({"debug", "protocol", "bignum"}), "(1234567999999999999999999999999999999");
  EXPECT_EQ(run({"debug", "protocol", "push"}),
            ">2 $16 server-cpu-usage :42 $40 Some real reply following the push reply");
  EXPECT_EQ(run({"debug", "protocol", "attrib"}),
            "|1 $14 key-popularity *2 $7 key:123 :90 $39 Some real reply following the attribute");
  EXPECT_EQ(run({"debug", "protocol", "x"}).find("-ERR Wrong protocol type name."), 0u);
  EXPECT_EQ(run({"debug", "error", "MYCODE of mine"}), "-MYCODE of mine");
  EXPECT_EQ(run({"debug", "stringmatch-len", "3", "a*"}), ":1");
  EXPECT_EQ(run({"debug", "stringmatch-len", "3", "a*b"}), ":0");
}

}  // namespace
}  // namespace tandem
