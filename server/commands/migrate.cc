// MIGRATE: keys move to another server. This one goes on serving meanwhile.

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "persistence/dump_payload.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/families.h"
#include "server/commands/services.h"
#include "server/exec/executor.h"
#include "server/exec/outgoing.h"
#include "server/exec/watched_keys.h"
#include "server/resp/request_encoder.h"

namespace tandem {
namespace {

constexpr int64_t kDefaultTimeout_ms = 1000;
// The answers to RESTORE are a line each.
constexpr ReplyReader::Limits kReplyLimits = {
    .max_bulk_bytes = 0, .max_elements = 0, .max_depth = 1, .max_line_bytes = 64 * 1024};

struct MigrateOptions {
  bool copy = false, replace = false;
  size_t first_key = 3, key_count = 1;
};

// Keys on their way. What is sent is what they are when the target listens; once it has
// acknowledged them, they are deleted here, but for those that have changed since: nothing that a
// client was told is written may vanish. Goes on when the client leaves, since the target takes
// what was sent to it in any case.
class Migration {
 public:
  Migration(Call& call, const MigrateOptions& options, std::vector<std::string> keys)
      : executor_(call.executor),
        client_id_(call.client.id),
        db_(call.client.db),
        options_(options) {
    keys_.reserve(keys.size());  // watches point into it
    for (std::string& key : keys) keys_.push_back({.name = std::move(key)});
  }
  ~Migration() { unwatch(); }
  Migration(const Migration&) = delete;
  Migration& operator=(const Migration&) = delete;

  // The requests that restore what keys there still are.
  size_t write(OutputBuffer& out);
  void finish(const RemoteAnswer& answer);

 private:
  struct Key {
    std::string name;
    bool sent = false;
    bool changed = false;  // since it was sent
    int64_t expires_at_ms = kNoExpiry;
  };

  Database& db() { return executor_.keyspace().database(db_); }
  void restore(OutputBuffer& out, Key& key, const Entry& entry);
  void unwatch();
  bool has_expired(const Key& key) const;
  std::string settle(const RemoteAnswer& answer);
  void erase(const std::vector<std::string_view>& names);
  void reply(std::string_view error);

  Executor& executor_;
  const uint64_t client_id_;
  const int db_;
  const MigrateOptions options_;
  std::vector<Key> keys_;
};

size_t Migration::write(OutputBuffer& out) {
  executor_.refresh_time();
  unwatch();
  size_t requests = 0;
  for (Key& key : keys_) {
    const Entry* entry = db().peek(key.name);
    if (entry == nullptr) continue;
    restore(out, key, *entry);
    ++requests;
  }
  return requests;
}

void Migration::restore(OutputBuffer& out, Key& key, const Entry& entry) {
  key.sent = true;
  key.expires_at_ms = entry.has_expiry() ? entry.expires_at_ms() : kNoExpiry;
  executor_.watched_keys().add(db_, key.name, &key.changed);
  int64_t ttl_ms = 0;
  if (entry.has_expiry()) {
    ttl_ms = std::max<int64_t>(1, entry.expires_at_ms() - executor_.keyspace().now_ms());
  }
  char digits[kMaxInt64Digits];
  const std::string payload = dump_value_for_older(entry);
  const std::array<std::string_view, 5> words = {
      "RESTORE", key.name, format_int64(ttl_ms, std::span(digits)), payload, "REPLACE"};
  append_request(out, std::span(words).first(options_.replace ? 5 : 4));
}

void Migration::unwatch() {
  for (Key& key : keys_) {
    if (key.sent) executor_.watched_keys().remove(db_, key.name, &key.changed);
    key.sent = key.changed = false;
  }
}

void Migration::finish(const RemoteAnswer& answer) {
  executor_.refresh_time();
  reply(settle(answer));
}

// A key that has expired while it was away has expired at the target too.
bool Migration::has_expired(const Key& key) const {
  return key.expires_at_ms != kNoExpiry && key.expires_at_ms <= executor_.keyspace().now_ms();
}

// Deletes what has moved. Returns the error to be replied, empty when there is none.
std::string Migration::settle(const RemoteAnswer& answer) {
  std::string refused;
  if (answer.failure == RemoteAnswer::Failure::kRefused) refused = answer.reason;
  std::vector<std::string_view> moved;
  size_t changed = 0;
  auto reply = answer.replies.begin();
  for (const Key& key : keys_) {
    if (!key.sent) continue;
    if (reply == answer.replies.end()) break;
    const ReplyValue& told = *reply++;
    if (told.is_error()) {
      if (refused.empty()) refused = told.text;
    } else if (key.changed && !has_expired(key)) {
      ++changed;
    } else {
      moved.push_back(key.name);
    }
  }
  const bool may_write = !executor_.state().is_replica;
  if (!options_.copy && may_write && !moved.empty()) erase(moved);
  if (!refused.empty()) return "ERR Target instance replied with error: " + refused;
  switch (answer.failure) {
    case RemoteAnswer::Failure::kConnecting:
      return "IOERR error or timeout connecting to the client";
    case RemoteAnswer::Failure::kUnreachable:  // Valkey notices when it writes
    case RemoteAnswer::Failure::kWriting:
      return "IOERR error or timeout writing to target instance";
    case RemoteAnswer::Failure::kReading:
      return "IOERR error or timeout reading from target instance";
    case RemoteAnswer::Failure::kNone:
    case RemoteAnswer::Failure::kRefused:
      break;
  }
  if (options_.copy) return {};
  if (!may_write) {
    return "ERR This server has become a replica: the keys were copied and not deleted here";
  }
  if (changed == 0) return {};
  return "ERR " + std::to_string(changed) + " of " + std::to_string(keys_.size()) +
         " keys changed while being migrated and were kept: the target has their earlier values";
}

void Migration::erase(const std::vector<std::string_view>& names) {
  std::vector<std::string_view> effect = {"DEL"};
  executor_.effects().begin_unit();
  for (std::string_view name : names) {
    if (!db().erase(name)) continue;  // expired, or named twice
    effect.push_back(name);
    executor_.notify(db_, kEventGeneric, "del", name);
  }
  if (effect.size() > 1) {
    executor_.effects().add(db_, effect);
    executor_.set_dirty(executor_.dirty() + effect.size() - 1);
  }
  executor_.effects().end_unit();
  Client* client = executor_.find_client(client_id_);
  if (client == nullptr) return;
  client->last_write_offset = executor_.replication_offset();
  client->last_write_log_position = executor_.log_position();
}

void Migration::reply(std::string_view error) {
  const bool none_left =
      std::none_of(keys_.begin(), keys_.end(), [](const Key& key) { return key.sent; });
  Client* client = executor_.find_client(client_id_);
  if (client == nullptr || client->closing()) return;
  client->answer_blocked([&](Reply& out) {
    if (!error.empty()) {
      out.error(error);
    } else if (none_left) {
      out.simple("NOKEY");
    } else {
      out.ok();
    }
  });
}

// Replies when the options are wrong.
bool read_options(Call& call, MigrateOptions* options, RemoteServer* target) {
  const Args args = call.args;
  for (size_t i = 6; i < args.size(); ++i) {
    const size_t more = args.size() - 1 - i;
    if (equals_ignore_case(args[i], "copy")) {
      options->copy = true;
    } else if (equals_ignore_case(args[i], "replace")) {
      options->replace = true;
    } else if (equals_ignore_case(args[i], "auth") && more >= 1) {
      call.hide(++i);
      target->user.clear();
      target->password = args[i];
    } else if (equals_ignore_case(args[i], "auth2") && more >= 2) {
      call.hide(++i);
      target->user = args[i];
      call.hide(++i);
      target->password = args[i];
    } else if (equals_ignore_case(args[i], "keys")) {
      if (!args[3].empty()) {
        call.reply.error(
            "ERR When using MIGRATE KEYS option, the key argument must be set to the empty string");
        return false;
      }
      options->first_key = i + 1;
      options->key_count = more;
      return true;
    } else {
      call.syntax_error();
      return false;
    }
  }
  return true;
}

// MIGRATE host port key|"" db timeout [COPY] [REPLACE] [AUTH password | AUTH2 user password]
//         [KEYS key...]
void migrate_command(Call& call) {
  MigrateOptions options;
  RemoteServer target = {.host = std::string(call.args[1]),
                         .port = static_cast<int>(parse_int64(call.args[2]).value_or(0))};
  if (!read_options(call, &options, &target)) return;
  const auto timeout_ms = read_integer(call, call.args[5]);
  if (!timeout_ms) return;
  const auto target_db = read_integer(call, call.args[4]);
  if (!target_db) return;
  std::vector<std::string> keys;
  for (std::string_view key : call.args.subspan(options.first_key, options.key_count)) {
    if (call.db().find(key) != nullptr) keys.emplace_back(key);
  }
  if (keys.empty()) return call.reply.simple("NOKEY");
  if (!call.can_block()) {
    call.reply.error("ERR MIGRATE waits for its target, which transactions and scripts may not");
    return;
  }
  call.emit_nothing();
  const auto migration = std::make_shared<Migration>(call, options, std::move(keys));
  call.services.outgoing->ask(
      {.server = std::move(target),
       .database = std::to_string(*target_db),
       .write = [migration](OutputBuffer& out) { return migration->write(out); },
       .patience_ms = *timeout_ms > 0 ? *timeout_ms : kDefaultTimeout_ms,
       .limits = kReplyLimits},
      [migration](const RemoteAnswer& answer) { migration->finish(answer); });
  call.client.block();
}

constexpr CommandRow kRows[] = {
    {.name = "migrate",
     .handler = migrate_command,
     .arity = -6,
     .flags = "movablekeys,write",
     .keys = "3,3,1",
     .categories = "@dangerous,@keyspace,@slow,@write",
     .tips = "nondeterministic_output",
     .key_specs = "[ACCESS+DELETE+RW index:index=3 range:lastkey=0,keystep=1,limit=0] "
                  "[ACCESS+DELETE+INCOMPLETE+RW keyword:keyword=KEYS,startfrom=-2 "
                  "range:lastkey=-1,keystep=1,limit=0]",
     .summary = "Moves keys to another server.",
     .since = "2.6.0",
     .group = "generic",
     .complexity = "A DUMP and a DEL here and a RESTORE at the target for each key."},
};

}  // namespace

std::span<const CommandRow> migrate_commands() { return kRows; }

}  // namespace tandem
