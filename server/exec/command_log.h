#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/settings.h"
#include "server/exec/command.h"

namespace tandem {

class Client;

// What a command was remarkable for.
enum class CommandLogKind : uint8_t { kSlow, kLargeRequest, kLargeReply };
inline constexpr size_t kCommandLogKinds = 3;

// A function and the library that has it.
struct FunctionOrigin {
  std::string function;
  std::string library;
};

// The name of the function that a request calls, as its client wrote it; empty when it calls none.
std::string_view called_function(const Command& command, Args args);

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
    // The function that the command called or was part of; empty: none.
    FunctionOrigin function;
  };

  explicit CommandLog(const Settings& settings) : settings_(settings) {}

  // From which value on the configuration wants commands to be kept; negative: none.
  int64_t threshold(CommandLogKind kind) const;
  // Keeps the command when `value` reaches the threshold. `function` is the name of the function
  // that it called or was part of.
  void add(CommandLogKind kind, uint64_t value, const Client& client, const Command& command,
           Args args, std::string_view function, int64_t time_s);

  // The newest first.
  const std::deque<Entry>& entries(CommandLogKind kind) const {
    return logs_[static_cast<size_t>(kind)].entries;
  }
  // Numbering goes on.
  void reset(CommandLogKind kind) { logs_[static_cast<size_t>(kind)].entries.clear(); }

  // Where the function of that name comes from; empty names when there is none. Set by who has the
  // functions.
  std::function<FunctionOrigin(std::string_view name)> find_function;

 private:
  struct Log {
    std::deque<Entry> entries;
    uint64_t next_id = 0;
  };

  const Settings& settings_;
  std::array<Log, kCommandLogKinds> logs_;
};

}  // namespace tandem
