#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "replication/digest_check.h"
#include "replication/digest_message.h"

// Any bytes as what a primary says in a PING and as what a replica asks: malformed ones are
// refused, others compared, and neither holds more than it was given.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tandem;
  const std::string text(reinterpret_cast<const char*>(data), size);
  Keyspace keyspace(2);
  keyspace.database(0).set_string("key", "value");
  size_t asked = 0;
  DigestCheck check(
      &keyspace, [] { return std::vector<std::string>(); },
      [&asked](std::string_view question) { asked += question.size(); });
  check.check(text);
  check.check(std::string(DigestMessage::kMagic) + text);
  (void)info_text(check.info());

  if (const auto question = DigestQuestion::parse(text)) {
    if (question->text() != text) __builtin_trap();
  }
  if (const auto message = DigestMessage::parse(text)) {
    size_t bytes = 0;
    for (const DigestMessage::Key& key : message->keys) {
      bytes += key.name.size();
      for (const std::string_view member : key.members) bytes += member.size();
    }
    if (bytes > size) __builtin_trap();
  }
  return 0;
}
