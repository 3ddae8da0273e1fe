#include "server/commands/arguments.h"

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <string>

#include "server/base/config.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/exec/executor.h"

namespace tandem {

bool read_integer(Call& call, std::string_view text, int64_t low, int64_t high, int64_t* value) {
  if (!read_int64(text, value)) {
    call.not_an_integer();
    return false;
  }
  if (*value >= low && *value <= high) return true;
  call.reply.error("ERR value is out of range, value must between " + std::to_string(low) +
                   " and " + std::to_string(high));
  return false;
}

std::optional<long double> read_float(Call& call, std::string_view text) {
  const std::optional<long double> number = parse_long_double(text);
  if (!number) call.reply.error("ERR value is not a valid float");
  return number;
}

std::optional<int> read_database(Call& call, std::string_view text) {
  const auto index = read_integer(call, text, INT32_MIN, INT32_MAX);
  if (!index) return std::nullopt;
  if (*index < 0 || *index >= call.keyspace.database_count()) {
    call.reply.error("ERR DB index is out of range");
    return std::nullopt;
  }
  return static_cast<int>(*index);
}

std::optional<int64_t> read_sample_count(Call& call, std::string_view text) {
  const std::optional<int64_t> count = parse_int64(text);
  if (count && *count != INT64_MIN) return count;
  call.reply.error(count ? "ERR value is out of range, value must between -9223372036854775807 and "
                           "9223372036854775807"
                         : "ERR value is not an integer or out of range");
  return std::nullopt;
}

void reply_invalid_expiry(Call& call) {
  call.reply.error("ERR invalid expire time in '" + call.command.name + "' command");
}

std::optional<int64_t> read_deadline(Call& call, std::string_view text, TimeUnit unit,
                                     bool absolute) {
  const auto amount = read_integer(call, text);
  if (!amount) return std::nullopt;
  int64_t deadline_ms = 0;
  if (*amount <= 0 || __builtin_mul_overflow(*amount, static_cast<int64_t>(unit), &deadline_ms) ||
      (!absolute && __builtin_add_overflow(deadline_ms, call.now_ms(), &deadline_ms))) {
    reply_invalid_expiry(call);
    return std::nullopt;
  }
  return deadline_ms;
}

std::optional<int64_t> read_timeout(Call& call, std::string_view text, TimeUnit unit) {
  int64_t timeout_ms = 0;
  const auto refuse = [&call](std::string_view error) {
    call.reply.error(error);
    return std::nullopt;
  };
  if (unit == TimeUnit::kSeconds) {
    const std::optional<long double> seconds = parse_long_double(text);
    if (!seconds) return refuse("ERR timeout is not a float or out of range");
    const long double exact_ms = std::ceil(*seconds * 1000);
    if (exact_ms >= 0x1p63L) return refuse("ERR timeout is out of range");
    timeout_ms = exact_ms < 0 ? -1 : static_cast<int64_t>(exact_ms);
  } else {
    const std::optional<int64_t> milliseconds = parse_int64(text);
    if (!milliseconds) return refuse("ERR timeout is not an integer or out of range");
    timeout_ms = *milliseconds;
  }
  if (timeout_ms < 0) return refuse("ERR timeout is negative");
  if (timeout_ms == 0) return 0;
  int64_t deadline_ms = 0;
  // Rounded up: the wait is never shorter than what was asked for.
  const int64_t started_ms = (call.executor.clock().monotonic_us() + 999) / 1000;
  if (__builtin_add_overflow(timeout_ms, started_ms, &deadline_ms)) {
    return refuse("ERR timeout is out of range");
  }
  return deadline_ms;
}

bool must_obey(const Call& call) {
  return call.client.kind == ClientKind::kPrimary || call.executor.state().loading;
}

bool check_string_length(Call& call, uint64_t length, uint64_t more) {
  uint64_t total = 0;
  const bool overflow = __builtin_add_overflow(length, more, &total);
  const auto limit = static_cast<uint64_t>(call.executor.config().settings().proto_max_bulk_len);
  if (!overflow && total <= limit) return true;
  if (!overflow && must_obey(call)) return true;
  call.reply.error("ERR string exceeds maximum allowed size (proto-max-bulk-len)");
  return false;
}

void set_raw_string(Database& db, std::string_view key, std::string_view bytes) {
  Entry* entry = db.set_string(key, bytes);
  if (entry->string_encoding() != StringEncoding::kRaw) db.make_raw(entry);
}

HashLimits hash_limits(const Call& call) { return hash_limits(call.executor.config().settings()); }

SetLimits set_limits(const Call& call) { return set_limits(call.executor.config().settings()); }

ListLimits list_limits(const Call& call) { return list_limits(call.executor.config().settings()); }

bool ScanOptions::matches(std::string_view text) const {
  return match.data() == nullptr || glob_match(match, text);
}

std::optional<uint64_t> read_cursor(Call& call, std::string_view text) {
  if (const auto cursor = parse_uint64(text)) return cursor;
  // What strtoull() makes of it counts too: "+1", "007".
  const std::string terminated(text);
  char* end = nullptr;
  errno = 0;
  const uint64_t cursor = std::strtoull(terminated.c_str(), &end, 10);
  if (errno == 0 && end != terminated.c_str() && *end == '\0' && !parse_int64(text)) return cursor;
  call.reply.error("ERR invalid cursor");
  return std::nullopt;
}

bool read_scan_options(Call& call, size_t first, ScanOf what, ScanOptions* options) {
  const Args args = call.args;
  for (size_t i = first; i < args.size(); ++i) {
    const bool has_value = i + 1 < args.size();
    if (has_value && equals_ignore_case(args[i], "count")) {
      const auto count = read_integer(call, args[++i]);
      if (!count) return false;
      if (*count < 1) {
        call.syntax_error();
        return false;
      }
      options->count = static_cast<size_t>(*count);
    } else if (has_value && equals_ignore_case(args[i], "match")) {
      // "*" is what everybody writes for "all".
      if (args[++i] != "*") options->match = args[i];
    } else if (has_value && what == ScanOf::kKeys && equals_ignore_case(args[i], "type")) {
      options->type = args[++i];
    } else if (equals_ignore_case(args[i], "novalues")) {
      if (what != ScanOf::kFields) {
        call.reply.error("ERR NOVALUES option can only be used in HSCAN");
        return false;
      }
      options->no_values = true;
    } else {
      call.syntax_error();
      return false;
    }
  }
  return true;
}

void reply_empty_scan(Call& call) {
  call.reply.array(2);
  call.reply.bulk("0");
  call.reply.array(0);
}

}  // namespace tandem
