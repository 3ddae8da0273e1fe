#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "persistence/rdb_writer.h"
#include "server/resp/reply_reader.h"
#include "server/store/value.h"
#include "tools/cli/aof_walk.h"
#include "tools/cli/library_source.h"

namespace tandem::cli {

// What a snapshot holds, gathered while it is read; after an error, what stands before it.
class RdbSummary : public AofVisitor {
 public:
  static constexpr size_t kTypes = 6;

  // Of keys or of a type's keys. Bytes are those of names and values in memory.
  struct Amount {
    uint64_t keys = 0;
    uint64_t elements = 0;
    uint64_t bytes = 0;
  };
  struct Database {
    uint64_t keys = 0;
    uint64_t with_expiry = 0;
  };
  struct BigKey {
    int db = 0;
    std::string name;
    ValueType type = ValueType::kString;
    uint64_t elements = 0;
    uint64_t bytes = 0;
  };

  // Keeps the names of that many keys that take most memory.
  explicit RdbSummary(size_t biggest = 0) : keep_(biggest) {}

  Status on_aux(std::string_view name, std::string_view value) override;
  Status on_library(std::string source) override;
  Status on_key(const RdbKey& key, RdbValue value) override;
  Status on_command(std::span<const std::string_view>, uint64_t) override { return {}; }

  const std::vector<std::pair<std::string, std::string>>& aux() const { return aux_; }
  const Libraries& libraries() const { return libraries_; }
  const std::map<int, Database>& databases() const { return databases_; }
  const Amount& of_type(ValueType type) const { return amounts_[static_cast<size_t>(type)]; }
  uint64_t keys() const { return keys_; }
  // Hashes with fields that expire: no version before 80 can hold the expiry.
  uint64_t hashes_with_expiring_fields() const { return expiring_; }
  // What was recorded of the keys' use.
  AccessRecord access() const { return access_; }
  // Biggest first.
  std::vector<BigKey> biggest() const;

  // "2 libraries and 100 keys".
  std::string counts() const;

 private:
  void keep_if_big(BigKey key);

  const size_t keep_;
  std::vector<std::pair<std::string, std::string>> aux_;
  Libraries libraries_;
  std::map<int, Database> databases_;
  std::array<Amount, kTypes> amounts_{};
  uint64_t keys_ = 0;
  uint64_t expiring_ = 0;
  AccessRecord access_ = AccessRecord::kNone;
  std::vector<BigKey> biggest_;  // a heap, the smallest on top
};

// What a file is, beside what it holds.
struct RdbFileFacts {
  std::string path;
  uint64_t bytes = 0;
  RdbEnd end;
};

// "RDB version 11", or that in an LZ4 frame.
std::string format_name(const RdbEnd& end);

// The report of `rdb inspect`, for people and as JSON.
std::string inspection_text(const RdbFileFacts& file, const RdbSummary& summary);
ReplyValue inspection_json(const RdbFileFacts& file, const RdbSummary& summary);

// "1 key", "2 keys".
std::string counted(uint64_t number, const char* singular, const char* plural);

}  // namespace tandem::cli
