#include "server/commands/dump.h"

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "persistence/dump_payload.h"
#include "persistence/persistence.h"
#include "persistence/rdb_format.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/services.h"
#include "server/exec/executor.h"

namespace tandem {
namespace {

struct RestoreOptions {
  bool replace = false;
  bool absolute_ttl = false;
  std::optional<int64_t> idle_seconds;
  std::optional<int64_t> frequency;
};

bool read_idle_time(Call& call, std::string_view text, RestoreOptions* options) {
  options->idle_seconds = read_integer(call, text);
  if (!options->idle_seconds) return false;
  if (*options->idle_seconds >= 0) return true;
  call.reply.error("ERR Invalid IDLETIME value, must be >= 0");
  return false;
}

bool read_frequency(Call& call, std::string_view text, RestoreOptions* options) {
  options->frequency = read_integer(call, text);
  if (!options->frequency) return false;
  if (*options->frequency >= 0 && *options->frequency <= 255) return true;
  call.reply.error("ERR Invalid FREQ value, must be >= 0 and <= 255");
  return false;
}

bool read_restore_options(Call& call, RestoreOptions* options) {
  const Args args = call.args;
  for (size_t i = 4; i < args.size(); ++i) {
    const bool has_value = i + 1 < args.size();
    if (equals_ignore_case(args[i], "replace")) {
      options->replace = true;
    } else if (equals_ignore_case(args[i], "absttl")) {
      options->absolute_ttl = true;
    } else if (has_value && !options->frequency && equals_ignore_case(args[i], "idletime")) {
      if (!read_idle_time(call, args[++i], options)) return false;
    } else if (has_value && !options->idle_seconds && equals_ignore_case(args[i], "freq")) {
      if (!read_frequency(call, args[++i], options)) return false;
    } else {
      call.syntax_error();
      return false;
    }
  }
  return true;
}

// The time at which the restored key expires, kNoExpiry for a TTL of 0.
std::optional<int64_t> read_restore_ttl(Call& call, bool absolute) {
  const auto ttl_ms = read_integer(call, call.args[2]);
  if (!ttl_ms) return std::nullopt;
  int64_t deadline_ms = *ttl_ms;
  if (*ttl_ms < 0 || (!absolute && __builtin_add_overflow(*ttl_ms, call.now_ms(), &deadline_ms))) {
    call.reply.error("ERR Invalid TTL value, must be >= 0");
    return std::nullopt;
  }
  return *ttl_ms == 0 ? kNoExpiry : deadline_ms;
}

// The value in the payload at args[3]; replies when there is none. A string is put into *text.
std::optional<RdbValue> decode_payload(Call& call, std::string* text) {
  const std::string_view payload = call.args[3];
  const auto value = check_payload_footer(payload);
  if (!value.ok()) {
    call.reply.error("ERR " + value.error().message);
    return std::nullopt;
  }
  const EncodingLimits limits = encoding_limits(call.executor.config().settings());
  auto decoded = decode_value_payload(payload, limits, text);
  if (!decoded.ok()) {
    call.reply.error("ERR Bad data format");
    return std::nullopt;
  }
  if (rdb::is_packed(static_cast<uint8_t>(payload[0])) && call.services.persistence != nullptr) {
    call.services.persistence->count_payload_check();
  }
  return std::move(decoded).value();
}

struct StoreValue {
  Database& db;
  std::string_view key;

  Entry* operator()(std::string_view bytes) const { return db.set_string(key, bytes); }
  Entry* operator()(int64_t number) const { return db.set_integer(key, number); }
  Entry* operator()(std::unique_ptr<Value>& value) const {
    return db.set_value(key, std::move(value));
  }
};

// What travels: the same payload with the time at which the key expires, so that the time the
// command takes to arrive does not lengthen the key's life.
void emit_restore(Call& call, int64_t deadline_ms, bool absolute_ttl) {
  if (deadline_ms == kNoExpiry || absolute_ttl) {
    call.changed();
    return;
  }
  char digits[kMaxInt64Digits];
  std::vector<std::string_view> effect(call.args.begin(), call.args.end());
  effect[2] = format_int64(deadline_ms, std::span(digits));
  effect.push_back("ABSTTL");
  call.emit(effect);
}

// IDLETIME counts while keys are chosen by when they were used, FREQ while by how often.
void restore_access(Call& call, const RestoreOptions& options, Entry* entry) {
  if (call.keyspace.access().frequency) {
    if (!options.frequency) return;
    const auto counter = static_cast<uint32_t>(*options.frequency);
    entry->set_access_clock(AccessClock::with_frequency(counter, call.now_ms()));
  } else if (options.idle_seconds) {
    entry->set_access_clock(AccessClock::idle_for(*options.idle_seconds, call.now_ms()));
  }
}

}  // namespace

void dump_command(Call& call) {
  const Entry* entry = call.db().find(call.args[1]);
  if (entry == nullptr) {
    call.reply.null();
  } else {
    call.reply.bulk(dump_value(*entry));
  }
}

void restore_command(Call& call) {
  RestoreOptions options;
  if (!read_restore_options(call, &options)) return;
  const std::string_view key = call.args[1];
  Database& db = call.db();
  const bool exists = db.find_for_write(key) != nullptr;
  if (exists && !options.replace) {
    call.reply.error("BUSYKEY Target key name already exists.");
    return;
  }
  const auto deadline_ms = read_restore_ttl(call, options.absolute_ttl);
  if (!deadline_ms) return;
  std::string text;
  auto value = decode_payload(call, &text);
  if (!value) return;
  if (*deadline_ms != kNoExpiry && already_expired(call, *deadline_ms)) {
    if (exists) {
      db.erase(key);
      call.emit({"DEL", key});
      call.notify(kEventGeneric, "del", key);
    }
    call.reply.ok();
    return;
  }
  if (exists) db.erase(key);  // what is restored is a new key
  Entry* entry = std::visit(StoreValue{db, key}, *value);
  if (*deadline_ms != kNoExpiry) entry = db.set_expiry(entry, *deadline_ms);
  restore_access(call, options, entry);
  emit_restore(call, *deadline_ms, options.absolute_ttl);
  call.notify(kEventGeneric, "restore", key);
  call.reply.ok();
}

}  // namespace tandem
