#include "server/exec/command_log.h"

#include <utility>

#include "server/base/config.h"
#include "server/base/strings.h"
#include "server/exec/client.h"

namespace tandem {
namespace {

// Whether the argument is a password or another secret.
bool is_secret(const Command& command, Args args, size_t index) {
  if (index == 0) return false;
  if (command.name == "auth") return true;
  if (command.name == "config|set") {
    return index >= 3 && index % 2 == 1 && Config::is_sensitive(args[index - 1]);
  }
  if (command.name != "hello") return false;
  // HELLO version AUTH user password.
  return (index >= 3 && equals_ignore_case(args[index - 1], "auth")) ||
         (index >= 4 && equals_ignore_case(args[index - 2], "auth"));
}

std::string shown(const Command& command, Args args, size_t index) {
  if (is_secret(command, args, index)) return "(redacted)";
  const std::string_view arg = args[index];
  constexpr size_t kMax = CommandLog::kMaxArgBytes;
  if (arg.size() <= kMax) return std::string(arg);
  return std::string(arg.substr(0, kMax)) + "... (" + std::to_string(arg.size() - kMax) +
         " more bytes)";
}

struct Limits {
  int64_t threshold;
  int64_t max_length;
};

Limits limits_of(const Settings& settings, CommandLogKind kind) {
  switch (kind) {
    case CommandLogKind::kSlow:
      return {settings.slowlog_log_slower_than, settings.slowlog_max_len};
    case CommandLogKind::kLargeRequest:
      return {settings.commandlog_request_larger_than, settings.commandlog_large_request_max_len};
    case CommandLogKind::kLargeReply:
      return {settings.commandlog_reply_larger_than, settings.commandlog_large_reply_max_len};
  }
  return {-1, 0};
}

}  // namespace

std::string_view called_function(const Command& command, Args args) {
  const bool calls = command.name == "fcall" || command.name == "fcall_ro";
  return calls && args.size() > 1 ? args[1] : std::string_view();
}

int64_t CommandLog::threshold(CommandLogKind kind) const {
  const Limits limits = limits_of(settings_, kind);
  return limits.max_length > 0 ? limits.threshold : -1;
}

void CommandLog::add(CommandLogKind kind, uint64_t value, const Client& client,
                     const Command& command, Args args, std::string_view function, int64_t time_s) {
  const int64_t least = threshold(kind);
  if (least < 0 || value < static_cast<uint64_t>(least) || command.is(kSkipCommandlog)) return;
  Log& log = logs_[static_cast<size_t>(kind)];
  Entry entry;
  entry.id = log.next_id++;
  entry.time_s = time_s;
  entry.value = value;
  const size_t kept = args.size() > kMaxArgs ? kMaxArgs - 1 : args.size();
  for (size_t i = 0; i < kept; ++i) entry.args.push_back(shown(command, args, i));
  if (kept < args.size()) {
    entry.args.push_back("... (" + std::to_string(args.size() - kept) + " more arguments)");
  }
  if (client.link() != nullptr) entry.client_address = client.link()->peer_address();
  entry.client_name = client.name;
  if (!function.empty() && find_function) entry.function = find_function(function);
  log.entries.push_front(std::move(entry));
  const auto max_length = static_cast<uint64_t>(limits_of(settings_, kind).max_length);
  while (log.entries.size() > max_length) log.entries.pop_back();
}

}  // namespace tandem
