#include "server/commands/dataset_digest.h"

#include <array>
#include <cassert>
#include <cstdint>
#include <cstdio>

#include "server/base/digest.h"
#include "server/base/numbers.h"
#include "server/store/hash_value.h"
#include "server/store/list_value.h"
#include "server/store/set_value.h"
#include "server/store/sorted_set_value.h"
#include "server/store/stream_value.h"

namespace tandem {
namespace {

// Twenty bytes into which more bytes are added, in any order or in a certain one.
class Digest {
 public:
  // The order of calls does not matter.
  void add_unordered(std::string_view bytes) {
    const auto hash = sha1(bytes);
    for (size_t i = 0; i < bytes_.size(); ++i) bytes_[i] ^= hash[i];
  }
  void add_ordered(std::string_view bytes) {
    add_unordered(bytes);
    bytes_ = sha1(view());
  }
  // As four bytes, the highest first.
  void add_number(uint32_t number) {
    const char bytes[] = {static_cast<char>(number >> 24), static_cast<char>(number >> 16),
                          static_cast<char>(number >> 8), static_cast<char>(number)};
    add_ordered({bytes, sizeof bytes});
  }
  std::string_view view() const {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }
  std::string hex() const {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text;
    for (unsigned char byte : bytes_) {
      text += kDigits[byte >> 4];
      text += kDigits[byte & 15];
    }
    return text;
  }

 private:
  std::array<unsigned char, 20> bytes_{};
};

void add_hash(const HashValue& hash, Digest* digest) {
  hash.for_each([&hash, digest](std::string_view field, std::string_view value) {
    Digest pair;
    pair.add_ordered(field);
    pair.add_ordered(value);
    if (hash.expires_at_ms(field) != Value::kNever) pair.add_unordered("!!hexpire!!");
    digest->add_unordered(pair.view());
  });
}

void add_set(const SetValue& set, Digest* digest) {
  SetValue::Scratch scratch;
  set.for_each(
      [&](const SetValue::Member& member) { digest->add_unordered(member.text(scratch)); });
}

void add_list(const ListValue& list, Digest* digest) {
  Listpack::Scratch scratch;
  list.visit([&](const ListValue::Element& element) {
    digest->add_ordered(element.text(scratch));
    return true;
  });
}

// Entries in their order; consumer groups do not count.
void add_stream(const StreamValue& stream, Digest* digest) {
  StreamReader reader(stream);
  while (reader.next()) {
    const StreamId& id = reader.id();
    digest->add_ordered(std::to_string(id.ms) + '.' + std::to_string(id.seq));
    reader.for_each_field([digest](std::string_view field, std::string_view value) {
      digest->add_ordered(field);
      digest->add_ordered(value);
    });
  }
}

void add_sorted_set(const SortedSetValue& set, Digest* digest) {
  set.for_each([digest](std::string_view member, double score) {
    char text[32];
    const int length = std::snprintf(text, sizeof text, "%.17g", score);
    Digest pair;
    pair.add_ordered(member);
    pair.add_ordered({text, static_cast<size_t>(length)});
    digest->add_unordered(pair.view());
  });
}

void add_value(const Entry& entry, Digest* digest) {
  // ValueType counts the types as Redis does, but for streams, between which and hashes it has
  // modules.
  const ValueType type = entry.type();
  digest->add_number(type == ValueType::kStream ? 6 : static_cast<uint32_t>(type));
  switch (type) {
    case ValueType::kString: {
      char scratch[kMaxInt64Digits];
      digest->add_ordered(entry.string(scratch));
      break;
    }
    case ValueType::kList:
      add_list(static_cast<const ListValue&>(*entry.value()), digest);
      break;
    case ValueType::kSet:
      add_set(static_cast<const SetValue&>(*entry.value()), digest);
      break;
    case ValueType::kSortedSet:
      add_sorted_set(static_cast<const SortedSetValue&>(*entry.value()), digest);
      break;
    case ValueType::kStream:
      add_stream(static_cast<const StreamValue&>(*entry.value()), digest);
      break;
    default:
      assert(type == ValueType::kHash);
      add_hash(static_cast<const HashValue&>(*entry.value()), digest);
  }
  if (entry.has_expiry()) digest->add_unordered("!!expire!!");
}

}  // namespace

std::string dataset_digest(Keyspace& keyspace) {
  static_assert(static_cast<int>(ValueType::kString) == 0 &&
                static_cast<int>(ValueType::kHash) == 4);
  Digest all;
  for (int i = 0; i < keyspace.database_count(); ++i) {
    const Database& db = keyspace.database(i);
    if (db.size() == 0) continue;
    all.add_number(static_cast<uint32_t>(i));
    db.for_each([&all](const Entry* entry) {
      Digest one;
      one.add_ordered(entry->key());
      add_value(*entry, &one);
      all.add_unordered(one.view());
    });
  }
  return all.hex();
}

std::string value_digest(const Entry* entry) {
  Digest digest;
  if (entry != nullptr) add_value(*entry, &digest);
  return digest.hex();
}

}  // namespace tandem
