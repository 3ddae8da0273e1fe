#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "persistence/keyspace_loader.h"
#include "persistence/rdb_reader.h"
#include "persistence/rdb_writer.h"
#include "server/base/crc64.h"
#include "server/base/numbers.h"
#include "server/store/hash_value.h"
#include "server/store/keyspace.h"
#include "server/store/set_value.h"

namespace tandem {

// A keyspace's content in a form that can be compared and printed.
using Contents = std::map<std::pair<int, std::string>, std::string>;

inline std::string describe(const Entry& entry) {
  std::string text;
  if (entry.type() == ValueType::kString) {
    char scratch[kMaxInt64Digits];
    text = "string:" + std::string(entry.string(scratch));
  } else if (entry.type() == ValueType::kSet) {
    std::set<std::string> members;
    SetValue::Scratch scratch;
    static_cast<const SetValue*>(entry.value())->for_each([&](const auto& member) {
      members.emplace(member.text(scratch));
    });
    text = "set:";
    for (const std::string& member : members) text += member + ";";
  } else {
    std::map<std::string, std::string> fields;
    static_cast<const HashValue*>(entry.value())
        ->for_each(
            [&](std::string_view field, std::string_view value) { fields.emplace(field, value); });
    text = "hash:";
    for (const auto& [field, value] : fields) text += field + "=" + value + ";";
  }
  if (entry.has_expiry()) text += "@" + std::to_string(entry.expires_at_ms());
  return text;
}

inline Contents contents_of(Keyspace& keyspace) {
  Contents contents;
  for (int i = 0; i < keyspace.database_count(); ++i) {
    keyspace.database(i).for_each([&](const Entry* entry) {
      contents.emplace(std::pair(i, std::string(entry->key())), describe(*entry));
    });
  }
  return contents;
}

inline std::string snapshot_of(const SnapshotSource& source, const SnapshotOptions& options = {}) {
  std::string bytes;
  StringSink sink(&bytes);
  EXPECT_TRUE(write_snapshot(&sink, source, options).ok());
  return bytes;
}

inline std::string little_endian(uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
  return out;
}

// A snapshot made by hand: header, records, end mark and a right checksum.
inline std::string rdb_of(std::string_view records, std::string_view header = "REDIS0011") {
  std::string bytes = std::string(header) + std::string(records) + '\xff';
  return bytes + little_endian(crc64(0, bytes), 8);
}

}  // namespace tandem
