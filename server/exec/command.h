#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/base/clock.h"
#include "server/base/result.h"
#include "server/exec/latency_histogram.h"

namespace tandem {

class Call;
struct Services;

// A request: the command's name and its arguments, views into the connection's input that are valid
// for the call.
using Args = std::span<const std::string_view>;

// Runs a command: checks its arguments, writes exactly one reply, and reports its changes to the
// Call.
using Handler = void (*)(Call&);

// The CommandFlags of a request that runs what declares flags of its own, as a function does; `own`
// are those of its row.
using FlagsOf = uint32_t (*)(Services&, Args, uint32_t own);

// What dispatch and COMMAND know of a command, one bit each; COMMAND prints those that have a name.
enum CommandFlag : uint32_t {
  kWrite = 1u << 0,
  kReadonly = 1u << 1,
  kDenyOom = 1u << 2,
  kAdmin = 1u << 3,
  kPubSub = 1u << 4,
  kNoScript = 1u << 5,
  kBlocking = 1u << 6,
  kLoading = 1u << 7,
  kStale = 1u << 8,
  kSkipMonitor = 1u << 9,
  kSkipCommandlog = 1u << 10,
  kAsking = 1u << 11,
  kFast = 1u << 12,
  kNoAuth = 1u << 13,
  kMayReplicate = 1u << 14,
  kNoMulti = 1u << 15,
  kMovableKeys = 1u << 16,
  kAllowBusy = 1u << 17,
  kNoAsyncLoading = 1u << 18,
  kNoMandatoryKeys = 1u << 19,
  // Not printed by COMMAND; a row names them in extra_flags.
  kSubscriberMay = 1u << 29,       // runs for a RESP2 client that has subscribed
  kTransactionControl = 1u << 30,  // runs at once inside MULTI instead of being queued
  kRunsTransaction = 1u << 31,     // EXEC
};

// One row of the command table, as it stands at the end of a family's file. The texts are those
// that COMMAND INFO prints (comma-separated flags and categories, `first,last,step`, tips separated
// by ';', key specs in brackets), so that a row can be compared with what a Valkey server says. A
// subcommand is named "container|sub"; a container that only has subcommands has no handler.
struct CommandRow {
  std::string_view name;
  Handler handler = nullptr;
  int arity = 0;     // with the name; negative: at least. What COMMAND INFO says
  int own_args = 0;  // how many arguments more Tandem takes than Valkey's arity tells
  std::string_view flags;
  std::string_view keys = "0,0,0";
  std::string_view categories;
  std::string_view tips = {};
  std::string_view key_specs = {};
  std::string_view summary = {};
  std::string_view since = {};
  std::string_view group = {};
  std::string_view complexity = {};
  uint32_t extra_flags = 0;  // CommandFlags that have no text
  FlagsOf flags_of = nullptr;
};

struct KeySpec {
  enum class Begin : uint8_t { kUnknown, kIndex, kKeyword };
  enum class Find : uint8_t { kUnknown, kRange, kKeynum };
  std::vector<std::string> flags;  // "RO", "ACCESS", …
  Begin begin = Begin::kUnknown;
  int index = 0;        // kIndex
  std::string keyword;  // kKeyword
  int start_from = 0;   // kKeyword
  Find find = Find::kUnknown;
  int last_key = 0, key_step = 0, limit = 0;             // kRange
  int keynum_index = 0, first_key = 0, keynum_step = 0;  // kKeynum
};

// Counters of COMMANDSTATS.
struct CommandStats {
  uint64_t calls = 0;
  uint64_t ticks = 0;  // of tick_count()
  // How long the last one took that was timed, and how many more need not be (CallWatch).
  uint64_t last_ticks = 0;
  uint32_t untimed_left = 0;
  uint64_t rejected = 0;
  uint64_t failed = 0;
  // How long calls took; null until one was recorded.
  std::unique_ptr<LatencyHistogram> latencies;

  uint64_t microseconds() const { return ticks / ticks_per_us(); }
};

// A registered command. Lives as long as the table.
struct Command {
  const CommandRow* row = nullptr;
  Handler handler = nullptr;
  std::string name;       // lower case; "function|load" for a subcommand
  std::string last_name;  // "load" for a subcommand, else the same
  int arity = 0;
  size_t own_args = 0;
  uint32_t flags = 0;
  int first_key = 0, last_key = 0, key_step = 0;
  size_t likely_key = 0;  // where a request's first key most likely stands; 0: unknown
  std::vector<std::string> flag_names, categories, tips;
  std::vector<KeySpec> key_specs;
  Command* container = nullptr;
  std::vector<std::unique_ptr<Command>> subcommands;
  CommandStats stats;

  bool is(uint32_t flag) const { return (flags & flag) != 0; }
  bool accepts_arg_count(size_t count) const {
    return arity >= 0 ? count - static_cast<size_t>(arity) <= own_args
                      : count >= static_cast<size_t>(-arity);
  }
  const Command* find_subcommand(std::string_view sub) const;
};

// Position of one key among the arguments.
struct KeyPosition {
  size_t index = 0;
  const KeySpec* spec = nullptr;  // how it is used
};

// All commands by name.
class CommandTable {
 public:
  CommandTable();
  ~CommandTable();
  CommandTable(const CommandTable&) = delete;
  CommandTable& operator=(const CommandTable&) = delete;

  // Adds rows; a container's row comes before its subcommands'. A malformed row is a programming
  // error.
  void add(std::span<const CommandRow> rows);
  // The same command under a second name, from the configuration's rename-command. An empty name
  // removes it.
  Status rename(std::string_view from, std::string_view to);

  // The top-level command, in any case; null when there is none.
  Command* find(std::string_view name);
  // The command a request runs: the subcommand when its container has one of that name, else the
  // command itself (whose handler is then null for an unknown subcommand).
  Command* resolve(Args args);
  // The same when find(args[0]) is known.
  Command* resolve(Command* command, Args args);
  const std::vector<std::unique_ptr<Command>>& commands() const { return commands_; }
  void reset_stats();

 private:
  struct Index;
  std::vector<std::unique_ptr<Command>> commands_;
  std::unique_ptr<Index> index_;
};

// Where the keys are, from the key specs. kInvalid when the arguments do not fit them ("Invalid
// arguments specified for command").
Result<std::vector<KeyPosition>> find_keys(const Command& command, Args args);

}  // namespace tandem
