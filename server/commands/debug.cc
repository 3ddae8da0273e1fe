// DEBUG: looks inside the server, for tests and for operators in need.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "persistence/dump_payload.h"
#include "persistence/persistence.h"
#include "replication/replication.h"
#include "server/base/config.h"
#include "server/base/log.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/dataset_digest.h"
#include "server/commands/debug_protocol.h"
#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/commands/services.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"

namespace tandem {
namespace {

constexpr std::string_view kNotAllowed =
    "ERR DEBUG command not allowed. If the enable-debug-command option is set to \"local\", you "
    "can "
    "run it from a local connection, otherwise you need to set this option in the configuration "
    "file, and then restart the server.";

bool allowed(const Call& call) {
  switch (call.executor.config().settings().enable_debug_command) {
    case ProtectedAction::kYes:
      return true;
    case ProtectedAction::kLocal:
      return call.client.link() == nullptr || call.client.link()->peer_is_loopback();
    case ProtectedAction::kNo:
      return false;
  }
  return false;
}

// The whole server sleeps: that is what it is for.
void debug_sleep(Call& call) {
  const auto seconds = parse_double(call.args[2]);
  constexpr double kLongest = 1e9;
  if (seconds && *seconds > 0) {
    std::this_thread::sleep_for(std::chrono::duration<double>(std::min(*seconds, kLongest)));
  }
  call.reply.ok();
}

// On purpose: for tests of what follows a crash. The compiler must not see that nothing is there.
void debug_segfault(Call&) {
  log_warning("DEBUG SEGFAULT");
  const volatile uintptr_t nowhere = 8;
  *reinterpret_cast<volatile char*>(nowhere) = 0;
}

void debug_abort(Call& call) {
  log_warning("DEBUG " + std::string(call.args[1]) + ": the server was told to abort");
  std::abort();
}

void debug_reload(Call& call) {
  bool save = true, flush = true, merge = false;
  for (std::string_view option : call.args.subspan(2)) {
    if (equals_ignore_case(option, "nosave")) {
      save = false;
    } else if (equals_ignore_case(option, "noflush")) {
      flush = false;
    } else if (equals_ignore_case(option, "merge")) {
      merge = true;
    } else {
      return call.reply.error(
          "ERR DEBUG RELOAD only supports the MERGE, NOFLUSH and NOSAVE options.");
    }
  }
  const ReloadMode mode = flush   ? ReloadMode::kReplace
                          : merge ? ReloadMode::kMerge
                                  : ReloadMode::kAdd;
  Persistence& persistence = *call.services.persistence;
  if (save) {
    if (const Status saved = persistence.save(); !saved) {
      return call.reply.error("ERR " + saved.error().to_string());
    }
  }
  if (const Status loaded = persistence.reload_from_rdb(mode); !loaded) {
    log_warning("DEBUG RELOAD: " + loaded.error().to_string());
    return call.reply.error("ERR Error trying to load the RDB dump, check server logs.");
  }
  log_warning("DB reloaded by DEBUG RELOAD");
  call.reply.ok();
}

void debug_loadaof(Call& call) {
  if (const Status loaded = call.services.persistence->reload_from_aof(); !loaded) {
    log_warning("DEBUG LOADAOF: " + loaded.error().to_string());
    return call.reply.error("ERR Error trying to load the AOF files, check server logs.");
  }
  log_warning("Append Only File loaded by DEBUG LOADAOF");
  call.reply.ok();
}

void debug_digest(Call& call) { call.reply.simple(dataset_digest(call.keyspace)); }

void debug_digest_value(Call& call) {
  const Args keys = call.args.subspan(2);
  call.reply.array(keys.size());
  for (std::string_view key : keys) call.reply.simple(value_digest(call.db().peek(key)));
}

void debug_object(Call& call) {
  const Entry* entry = call.db().peek(call.args[2]);
  if (entry == nullptr) return call.reply.error("ERR no such key");
  // A dump is the value's record between the type and a footer of version and checksum.
  constexpr size_t kTypeAndFooter = 1 + 2 + 8;
  const size_t serialized = dump_value(*entry).size() - kTypeAndFooter;
  const uint32_t idle_s = AccessClock::idle_seconds(entry->access_clock(), call.now_ms());
  char text[256];
  const int length = std::snprintf(
      text, sizeof text,
      "Value at:%p refcount:1 encoding:%.*s serializedlength:%zu lru:%u lru_seconds_idle:%u",
      static_cast<const void*>(entry), static_cast<int>(entry->encoding_name().size()),
      entry->encoding_name().data(), serialized, entry->access_clock(), idle_s);
  call.reply.simple({text, static_cast<size_t>(length)});
}

// "value:N", cut or filled with zero bytes to `size` unless that is 0.
std::string populated_value(int64_t number, int64_t size) {
  std::string value = "value:" + std::to_string(number);
  if (size > 0) value.resize(static_cast<size_t>(size));
  return value;
}

// DEBUG POPULATE count [prefix] [size]: for tests, so it reaches neither the AOF nor replicas.
void debug_populate(Call& call) {
  constexpr std::string_view kOutOfRange = "ERR value is out of range, must be positive";
  const auto count = parse_int64(call.args[2]);
  if (!count || *count < 0) return call.reply.error(kOutOfRange);
  const std::string prefix(call.args.size() > 3 ? call.args[3] : "key");
  int64_t size = 0;
  if (call.args.size() > 4) {
    const auto given = parse_int64(call.args[4]);
    if (!given || *given < 0 || *given > call.executor.config().settings().proto_max_bulk_len) {
      return call.reply.error(kOutOfRange);
    }
    size = *given;
  }
  Database& db = call.db();
  for (int64_t i = 0; i < *count; ++i) {
    const std::string key = prefix + ':' + std::to_string(i);
    if (db.peek(key) == nullptr) db.set_string(key, populated_value(i, size));
  }
  call.reply.ok();
}

void debug_set_active_expire(Call& call) {
  call.executor.state().active_expire = call.args[2] != "0";
  call.reply.ok();
}

void debug_change_repl_id(Call& call) {
  log_notice("Changing replication IDs after receiving change-repl-id");
  call.services.replication->change_replication_id();
  call.reply.ok();
}

void debug_jmap(Call& call) { call.reply.ok(); }

void debug_error(Call& call) { call.reply.error(call.args[2]); }

void debug_log(Call& call) {
  log_warning("DEBUG LOG: " + std::string(call.args[2]));
  call.reply.ok();
}

// DEBUG REPLICATE command [argument ...]: an effect of nothing, which lets a replica diverge.
void debug_replicate(Call& call) {
  call.executor.effects().add(call.client.db, call.args.subspan(2));
  call.reply.ok();
}

// How long the match of a pattern and a text of so many letters takes.
void debug_stringmatch_len(Call& call) {
  const auto length = parse_int64(call.args[2]);
  if (!length || *length < 0 || *length > call.executor.config().settings().proto_max_bulk_len) {
    return call.not_an_integer();
  }
  const std::string text(static_cast<size_t>(*length), 'a');
  call.reply.integer(glob_match(call.args[3], text) ? 1 : 0);
}

void debug_help(Call& call) {
  reply_help(
      call,
      {{"ASSERT", "Abort the server, as a check inside it that fails does."},
       {"CHANGE-REPL-ID",
        "Begin a new replication history, which no replica of before can resume."},
       {"DIGEST", "Return a digest of the whole dataset, equal for equal data."},
       {"DIGEST-VALUE <key> [<key> ...]", "Return digests of the values of these keys."},
       {"ERROR <string>", "Reply an error of this text."},
       {"JMAP", "Do nothing."},
       {"LOADAOF", "Write out what the AOF has buffered and load the dataset anew from it."},
       {"LOG <message>", "Write <message> to the log."},
       {"OBJECT <key>", "Show how the value of <key> is held."},
       {"PANIC", "Abort the server."},
       {"POPULATE <count> [<prefix>] [<size>]",
        "Create <count> string keys named <prefix>:<number>; the prefix is 'key' unless\n"
        "given. They reach neither the AOF nor replicas."},
       {"PROTOCOL <type>",
        "Reply a value of this type: string, integer, double, bignum, null, array, set, map,\n"
        "attrib, push, verbatim, true or false."},
       {"RELOAD [MERGE] [NOFLUSH] [NOSAVE]",
        "Save the RDB file and load the dataset anew from it. With NOSAVE, load the file\n"
        "that is there. With NOFLUSH, add to the dataset, which has to have no key of the\n"
        "file, unless MERGE has those of the file replace them."},
       {"REPLICATE <command> [<arg> ...]",
        "Send this to replicas and to the AOF without running it here."},
       {"SEGFAULT", "Crash the server with an access to memory that it does not have."},
       {"SET-ACTIVE-EXPIRE <0|1>",
        "Stop or start the removal of expired keys that nobody looks at."},
       {"SLEEP <seconds>", "Stop the server for <seconds>, which may have decimals."},
       {"STRINGMATCH-LEN <length> <pattern>", "Match a pattern with a text of so many letters."}});
}

struct DebugSubcommand {
  std::string_view name;
  size_t min_args, max_args;  // with DEBUG and the name
  Handler handler;
};

constexpr DebugSubcommand kSubcommands[] = {
    {"segfault", 2, SIZE_MAX, debug_segfault},
    {"panic", 2, SIZE_MAX, debug_abort},
    {"assert", 2, SIZE_MAX, debug_abort},
    {"sleep", 3, 3, debug_sleep},
    {"reload", 2, SIZE_MAX, debug_reload},
    {"loadaof", 2, 2, debug_loadaof},
    {"digest", 2, 2, debug_digest},
    {"digest-value", 2, SIZE_MAX, debug_digest_value},
    {"object", 3, 3, debug_object},
    {"populate", 3, 5, debug_populate},
    {"set-active-expire", 3, 3, debug_set_active_expire},
    {"change-repl-id", 2, 2, debug_change_repl_id},
    {"jmap", 2, SIZE_MAX, debug_jmap},
    {"error", 3, 3, debug_error},
    {"log", 3, 3, debug_log},
    {"protocol", 3, 3, debug_protocol},
    {"replicate", 3, SIZE_MAX, debug_replicate},
    {"stringmatch-len", 4, 4, debug_stringmatch_len},
    {"help", 2, 2, debug_help},
};

void debug_command(Call& call) {
  if (!allowed(call)) return call.reply.error(kNotAllowed);
  for (const DebugSubcommand& sub : kSubcommands) {
    if (equals_ignore_case(call.args[1], sub.name) && call.args.size() >= sub.min_args &&
        call.args.size() <= sub.max_args) {
      return sub.handler(call);
    }
  }
  reply_unknown_subcommand(call);
}

constexpr CommandRow kRows[] = {
    {.name = "debug",
     .handler = debug_command,
     .arity = -2,
     .flags = "admin,loading,noscript,stale",
     .categories = "@admin,@dangerous,@slow",
     .summary = "Commands that look inside the server, for tests.",
     .since = "1.0.0",
     .group = "server",
     .complexity = "That of its subcommands"},
};

}  // namespace

std::span<const CommandRow> debug_commands() { return kRows; }

}  // namespace tandem
