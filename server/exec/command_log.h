#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "server/base/settings.h"
#include "server/exec/command.h"

namespace tandem {

class Client;

// What a command was remarkable for.
enum class CommandLogKind : uint8_t { kSlow, kLargeRequest, kLargeReply };
inline constexpr size_t kCommandLogKinds = 3;

// The commands that lately took long, had a large request or made a large reply (COMMANDLOG,
// SLOWLOG). Secrets are not kept.
class CommandLog {
 public:
  static constexpr size_t kMaxArgs = 32;
  static constexpr size_t kMaxArgBytes = 128;

  struct Entry {
    uint64_t id = 0;
    int64_t time_s = 0;  // Unix time
    uint64_t value = 0;  // microseconds of a slow command, bytes of a request or reply
    // The first ones, cut where they are long; a last one says how many there are besides.
    std::vector<std::string> args;
    std::string client_address;
    std::string client_name;
  };

  explicit CommandLog(const Settings& settings) : settings_(settings) {}

  // From which value on the configuration wants commands to be kept; negative: none.
  int64_t threshold(CommandLogKind kind) const;
  // Keeps the command when `value` reaches the threshold.
  void add(CommandLogKind kind, uint64_t value, const Client& client, const Command& command,
           Args args, int64_t time_s);

  // The newest first.
  const std::deque<Entry>& entries(CommandLogKind kind) const {
    return logs_[static_cast<size_t>(kind)].entries;
  }
  // Numbering goes on.
  void reset(CommandLogKind kind) { logs_[static_cast<size_t>(kind)].entries.clear(); }

 private:
  struct Log {
    std::deque<Entry> entries;
    uint64_t next_id = 0;
  };

  const Settings& settings_;
  std::array<Log, kCommandLogKinds> logs_;
};

}  // namespace tandem
