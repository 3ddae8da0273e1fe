#include <algorithm>
#include <optional>

#include "server/base/directive.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"

namespace tandem {

namespace {

Error refuse(const char* reason) { return make_error(ErrorKind::kInvalid, reason); }
Error wrong_count() { return refuse("wrong number of arguments"); }

constexpr int64_t kMinHz = 1;
constexpr int64_t kMaxHz = 500;

// Out of bounds is corrected, not refused, up to what an int holds.
Status set_hz(Settings& settings, std::span<const std::string> words, bool) {
  if (words.size() != 1) return wrong_count();
  const auto value = parse_int64(words[0]);
  if (!value) return refuse("argument couldn't be parsed into an integer");
  if (*value < 0 || *value > INT32_MAX) {
    return refuse("argument must be between 0 and 2147483647 inclusive");
  }
  settings.hz = std::clamp(*value, kMinHz, kMaxHz);
  return {};
}

std::string get_hz(const Settings& settings) { return std::to_string(settings.hz); }

// A relative directory is relative to the one before, as if each line changed into it.
Status set_dir(Settings& settings, std::span<const std::string> words, bool) {
  if (words.size() != 1) return wrong_count();
  settings.dir = resolve_path(settings.dir, words[0]);
  return {};
}

std::string get_dir(const Settings& settings) { return settings.dir; }

std::vector<std::string> dir_lines(const Settings& settings) { return {quote(settings.dir)}; }

Status set_user(Settings& settings, std::span<const std::string> words, bool) {
  if (words.empty()) return wrong_count();
  settings.users.emplace_back(words.begin(), words.end());
  return {};
}

Status set_rename_command(Settings& settings, std::span<const std::string> words, bool) {
  if (words.size() != 2) return wrong_count();
  settings.renamed_commands.emplace_back(words[0], words[1]);
  return {};
}

Status refuse_module(Settings&, std::span<const std::string>, bool) {
  return refuse("Tandem has no modules; remove the line");
}

std::string no_value(const Settings&) { return ""; }

// Lines add up; an empty value clears.
Status set_functions_preload(Settings& settings, std::span<const std::string> words, bool more) {
  if (words.size() == 1 && words[0].empty()) words = {};
  std::vector<std::string>& paths = settings.functions_preload;
  if (!more || words.empty()) paths.clear();
  paths.insert(paths.end(), words.begin(), words.end());
  return {};
}

std::string get_functions_preload(const Settings& settings) {
  std::string text;
  for (const std::string& path : settings.functions_preload)
    text += (text.empty() ? "" : " ") + path;
  return text;
}

std::vector<std::string> functions_preload_lines(const Settings& settings) {
  std::vector<std::string> lines;
  for (const std::string& path : settings.functions_preload) lines.push_back(quote(path));
  return lines;
}

Status set_percentiles(Settings& settings, std::span<const std::string> words, bool) {
  std::vector<double> percentiles;
  if (words.size() == 1 && words[0].empty()) words = {};
  for (const std::string& word : words) {
    const auto value = parse_double(word);
    if (!value) return refuse("Invalid latency-tracking-info-percentiles parameters");
    if (*value < 0 || *value > 100) {
      return refuse("latency-tracking-info-percentiles parameters should sit between [0.0,100.0]");
    }
    percentiles.push_back(*value);
  }
  settings.latency_tracking_info_percentiles = std::move(percentiles);
  return {};
}

std::string get_percentiles(const Settings& settings) {
  std::string text;
  for (double percentile : settings.latency_tracking_info_percentiles) {
    std::string number = std::to_string(percentile);
    number.resize(number.find_last_not_of('0') + 1);
    if (number.back() == '.') number.pop_back();
    text += (text.empty() ? "" : " ") + number;
  }
  return text;
}

struct EventLetter {
  char letter;
  KeyspaceEvent event;
};
constexpr EventLetter kEventLetters[] = {
    {'g', kEventGeneric}, {'$', kEventString},    {'l', kEventList},    {'s', kEventSet},
    {'h', kEventHash},    {'z', kEventSortedSet}, {'x', kEventExpired}, {'e', kEventEvicted},
    {'t', kEventStream},  {'d', kEventModule},    {'n', kEventNew},
};
// These are printed even when A stands for all of the others.
constexpr EventLetter kOtherEventLetters[] = {
    {'K', kEventKeyspace}, {'E', kEventKeyevent}, {'m', kEventKeyMiss}};

std::optional<unsigned> event_of(char letter) {
  if (letter == 'A') return kEventAll;
  for (const EventLetter& each : kEventLetters) {
    if (each.letter == letter) return each.event;
  }
  for (const EventLetter& each : kOtherEventLetters) {
    if (each.letter == letter) return each.event;
  }
  return std::nullopt;
}

Status set_events(Settings& settings, std::span<const std::string> words, bool) {
  if (words.size() != 1) return wrong_count();
  unsigned events = 0;
  for (char letter : words[0]) {
    const auto event = event_of(letter);
    if (!event) return refuse("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.");
    events |= *event;
  }
  settings.notify_keyspace_events = events;
  return {};
}

std::string get_events(const Settings& settings) {
  const unsigned events = settings.notify_keyspace_events;
  std::string text;
  if ((events & kEventAll) == kEventAll) {
    text = "A";
  } else {
    for (const EventLetter& each : kEventLetters) {
      if (events & each.event) text += each.letter;
    }
  }
  for (const EventLetter& each : kOtherEventLetters) {
    if (events & each.event) text += each.letter;
  }
  return text;
}

std::vector<std::string> event_lines(const Settings& settings) {
  return {quote(get_events(settings))};
}

constexpr EnumName kShutdownFlags[] = {{"default", 0},
                                       {"save", kShutdownSave},
                                       {"nosave", kShutdownNosave},
                                       {"now", kShutdownNow},
                                       {"force", kShutdownForce}};

constexpr std::string_view kTitleVariables[] = {"title",    "listen-addr", "server-mode", "port",
                                                "tls-port", "unixsocket",  "config-file"};

const char* check_title_template(std::string_view text) {
  const char* const kReason = "template format is invalid or contains unknown variables";
  if (text.empty()) return kReason;
  while (true) {
    const size_t begin = text.find('{');
    if (begin == std::string_view::npos) return nullptr;
    const size_t end = text.find('}', begin);
    if (end == std::string_view::npos) return kReason;
    const std::string_view name = text.substr(begin + 1, end - begin - 1);
    if (std::ranges::find(kTitleVariables, name) == std::end(kTitleVariables)) return kReason;
    text.remove_prefix(end + 1);
  }
}

const char* check_shutdown_flags(int flags) {
  const bool both = (flags & kShutdownSave) != 0 && (flags & kShutdownNosave) != 0;
  return both ? "shutdown options SAVE and NOSAVE can't be used simultaneously" : nullptr;
}

constexpr EnumName kLogLevels[] = {{"debug", static_cast<int>(LogLevel::kDebug)},
                                   {"verbose", static_cast<int>(LogLevel::kVerbose)},
                                   {"notice", static_cast<int>(LogLevel::kNotice)},
                                   {"warning", static_cast<int>(LogLevel::kWarning)},
                                   {"nothing", static_cast<int>(LogLevel::kNothing)}};
constexpr EnumName kSupervised[] = {{"upstart", static_cast<int>(Supervised::kUpstart)},
                                    {"systemd", static_cast<int>(Supervised::kSystemd)},
                                    {"auto", static_cast<int>(Supervised::kAuto)},
                                    {"no", static_cast<int>(Supervised::kNo)}};
constexpr EnumName kProtectedActions[] = {{"no", static_cast<int>(ProtectedAction::kNo)},
                                          {"yes", static_cast<int>(ProtectedAction::kYes)},
                                          {"local", static_cast<int>(ProtectedAction::kLocal)}};
constexpr EnumName kAclPubsubDefaults[] = {
    {"allchannels", static_cast<int>(AclPubsubDefault::kAllChannels)},
    {"resetchannels", static_cast<int>(AclPubsubDefault::kResetChannels)}};

constexpr int64_t kMaxInt = INT32_MAX;
using S = Settings;

const Directive kRows[] = {
    {"daemonize", "", BoolField{&S::daemonize}, kImmutable},
    {"supervised", "", enum_field<&S::supervised>(kSupervised), kImmutable},
    {"pidfile", "", StringField{&S::pidfile}, kImmutable},
    {"set-proc-title", "", BoolField{&S::set_proc_title}, kImmutable},
    {"proc-title-template", "", StringField{&S::proc_title_template, check_title_template}},
    {"loglevel", "", enum_field<&S::loglevel>(kLogLevels)},
    {"logfile", "", StringField{&S::logfile}, kImmutable},
    {"hide-user-data-from-log", "", BoolField{&S::hide_user_data_from_log}},
    {"crash-log-enabled", "", BoolField{&S::crash_log_enabled}},
    {"databases", "", IntegerField{&S::databases, 1, kMaxInt}, kImmutable},
    {"hz", "", CustomField{set_hz, get_hz}},
    {"dynamic-hz", "", BoolField{&S::dynamic_hz}},
    {"dir", "", CustomField{set_dir, get_dir, dir_lines}, kProtected | kDenyLoading},
    {"shutdown-timeout", "", IntegerField{&S::shutdown_timeout, 0, kMaxInt}},
    {"shutdown-on-sigint", "",
     enum_field<&S::shutdown_on_sigint>(kShutdownFlags, check_shutdown_flags), kMultiWord},
    {"shutdown-on-sigterm", "",
     enum_field<&S::shutdown_on_sigterm>(kShutdownFlags, check_shutdown_flags), kMultiWord},
    {"requirepass", "", StringField{&S::requirepass}, kSensitive},
    {"aclfile", "", StringField{&S::aclfile}, kImmutable},
    {"user", "", CustomField{set_user, no_value}, kFileOnly | kMultiWord},
    {"acllog-max-len", "", IntegerField{&S::acllog_max_len, 0, INT64_MAX}},
    {"acl-pubsub-default", "", enum_field<&S::acl_pubsub_default>(kAclPubsubDefaults)},
    {"enable-protected-configs", "", enum_field<&S::enable_protected_configs>(kProtectedActions),
     kImmutable},
    {"enable-debug-command", "", enum_field<&S::enable_debug_command>(kProtectedActions),
     kImmutable},
    {"enable-module-command", "", enum_field<&S::enable_module_command>(kProtectedActions),
     kImmutable | kUnused},
    {"rename-command", "", CustomField{set_rename_command, no_value}, kFileOnly | kMultiWord},
    {"loadmodule", "", CustomField{refuse_module, no_value}, kFileOnly | kMultiWord},
    {"extended-redis-compatibility", "", BoolField{&S::extended_redis_compatibility}},
    {"slowlog-log-slower-than", "commandlog-execution-slower-than",
     IntegerField{&S::slowlog_log_slower_than, -1, INT64_MAX}},
    {"slowlog-max-len", "commandlog-slow-execution-max-len",
     IntegerField{&S::slowlog_max_len, 0, INT64_MAX}},
    {"commandlog-request-larger-than", "",
     IntegerField{&S::commandlog_request_larger_than, -1, INT64_MAX}},
    {"commandlog-large-request-max-len", "",
     IntegerField{&S::commandlog_large_request_max_len, 0, INT64_MAX}},
    {"commandlog-reply-larger-than", "",
     IntegerField{&S::commandlog_reply_larger_than, -1, INT64_MAX}},
    {"commandlog-large-reply-max-len", "",
     IntegerField{&S::commandlog_large_reply_max_len, 0, INT64_MAX}},
    {"latency-monitor-threshold", "", IntegerField{&S::latency_monitor_threshold, 0, INT64_MAX}},
    {"latency-tracking", "", BoolField{&S::latency_tracking}},
    {"latency-tracking-info-percentiles", "", CustomField{set_percentiles, get_percentiles},
     kMultiWord},
    {"notify-keyspace-events", "", CustomField{set_events, get_events, event_lines}},
    {"busy-reply-threshold", "lua-time-limit",
     IntegerField{&S::busy_reply_threshold, 0, INT64_MAX}},
    {"functions-preload", "",
     CustomField{set_functions_preload, get_functions_preload, functions_preload_lines},
     kImmutable},
    {"function-load-timeout", "", IntegerField{&S::function_load_timeout, 0, INT32_MAX}},
    {"lua-enable-insecure-api", "lua-enable-deprecated-api", BoolField{&S::lua_enable_insecure_api},
     kImmutable | kHidden},
};

}  // namespace

std::span<const Directive> process_directives() { return kRows; }

}  // namespace tandem
