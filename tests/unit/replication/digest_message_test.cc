#include "replication/digest_message.h"

#include <gtest/gtest.h>

#include <string>

namespace tandem {
namespace {

std::string example() {
  DigestMessageWriter writer(77, 12345);
  writer.add_database(0, 3);
  writer.add_database(9, 1ULL << 40);
  writer.add_key(0, "one", 0xFEDCBA9876543210, {});
  writer.add_key(9, std::string("t\0o", 3), 2, {"member", ""});
  return std::move(writer).finish();
}

TEST(DigestMessage, IsReadAsItWasWritten) {
  const std::string text = example();
  ASSERT_TRUE(DigestMessage::recognises(text));
  const auto message = DigestMessage::parse(text);
  ASSERT_TRUE(message);
  EXPECT_EQ(message->salt, 77u);
  EXPECT_EQ(message->libraries, 12345u);
  ASSERT_EQ(message->databases.size(), 2u);
  EXPECT_EQ(message->databases[1].db, 9u);
  EXPECT_EQ(message->databases[1].keys, 1ULL << 40);
  ASSERT_EQ(message->keys.size(), 2u);
  EXPECT_EQ(message->keys[0].name, "one");
  EXPECT_EQ(message->keys[0].digest, 0xFEDCBA9876543210);
  EXPECT_TRUE(message->keys[0].members.empty());
  EXPECT_EQ(message->keys[1].db, 9u);
  EXPECT_EQ(message->keys[1].name, std::string_view("t\0o", 3));
  ASSERT_EQ(message->keys[1].members.size(), 2u);
  EXPECT_EQ(message->keys[1].members[0], "member");
}

TEST(DigestMessage, BothSidesSaltAKeyAlike) {
  DigestMessageWriter writer(77, std::nullopt);
  writer.add_key(0, "a", 0, {});
  const uint64_t second = writer.next_key_salt();
  const std::string text = std::move(writer).finish();
  EXPECT_EQ(DigestMessage::parse(text)->key_salt(1), second);
  EXPECT_NE(DigestMessage::parse(text)->key_salt(0), second);
  EXPECT_FALSE(DigestMessage::parse(text)->libraries);
}

TEST(DigestMessage, EveryCutIsRefused) {
  const std::string text = example();
  for (size_t length = 0; length < text.size(); ++length) {
    EXPECT_FALSE(DigestMessage::parse(text.substr(0, length))) << length;
  }
  EXPECT_FALSE(DigestMessage::parse(text + "x"));
  EXPECT_FALSE(DigestMessage::parse("hello"));
}

TEST(DigestMessage, EveryDamagedByteIsReadWithinBounds) {
  // Lengths and counts become anything; what is accepted holds no more than the text did.
  const std::string text = example();
  for (size_t at = 0; at < text.size(); ++at) {
    for (const char byte : {'\xff', '\x7f', '\x01', '\0'}) {
      std::string damaged = text;
      damaged[at] = byte;
      const auto message = DigestMessage::parse(damaged);
      if (!message) continue;
      size_t bytes = 0;
      for (const DigestMessage::Key& key : message->keys) bytes += key.name.size();
      EXPECT_LE(bytes, text.size());
    }
  }
}

TEST(DigestQuestion, IsReadAsItWasWrittenOrNotAtAll) {
  const std::string text = DigestQuestion{7, {"one", "", std::string("t\0o", 3)}}.text();
  const auto question = DigestQuestion::parse(text);
  ASSERT_TRUE(question);
  EXPECT_EQ(question->db, 7u);
  EXPECT_EQ(question->names, (std::vector<std::string>{"one", "", std::string("t\0o", 3)}));
  for (size_t length = 0; length < text.size(); ++length) {
    EXPECT_FALSE(DigestQuestion::parse(text.substr(0, length))) << length;
  }
  EXPECT_FALSE(DigestQuestion::parse(text + "x"));
  EXPECT_FALSE(DigestQuestion::parse(std::string("\0\0\0\0\xff\xff\xff\xff", 8)));
}

TEST(DigestMessage, LibrariesCountInAnyOrder) {
  EXPECT_EQ(libraries_digest({"a", "b"}), libraries_digest({"b", "a"}));
  EXPECT_NE(libraries_digest({"a", "b"}), libraries_digest({"a", "c"}));
  EXPECT_NE(libraries_digest({}), libraries_digest({""}));
}

}  // namespace
}  // namespace tandem
