// OBJECT and its subcommands.

#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"

namespace tandem {
namespace {

// The entry that OBJECT asks about, without touching it; replies null when there is none.
const Entry* find_object(Call& call) {
  const Entry* entry = call.db().peek(call.args[2]);
  if (entry == nullptr) call.reply.null();
  return entry;
}

void object_encoding_command(Call& call) {
  if (const Entry* entry = find_object(call)) call.reply.bulk(entry->encoding_name());
}

void object_refcount_command(Call& call) {
  // Values are never shared.
  if (find_object(call) != nullptr) call.reply.integer(1);
}

void object_idletime_command(Call& call) {
  const Entry* entry = find_object(call);
  if (entry == nullptr) return;
  if (call.keyspace.access().frequency) {
    call.reply.error(
        "ERR An LFU maxmemory policy is selected, idle time not tracked. Please note that when "
        "switching between policies at runtime LRU and LFU data will take some time to adjust.");
    return;
  }
  call.reply.integer(AccessClock::idle_seconds(entry->access_clock(), call.now_ms()));
}

void object_freq_command(Call& call) {
  const Entry* entry = find_object(call);
  if (entry == nullptr) return;
  if (!call.keyspace.access().frequency) {
    call.reply.error(
        "ERR An LFU maxmemory policy is not selected, access frequency not tracked. Please note "
        "that when switching between policies at runtime LRU and LFU data will take some time to "
        "adjust.");
    return;
  }
  call.reply.integer(call.keyspace.access().frequency_of(entry->access_clock(), call.now_ms()));
}

void object_help_command(Call& call) {
  reply_help(call, {{"ENCODING <key>", "How the value of the key is held in memory."},
                    {"FREQ <key>",
                     "How often the key is used: a logarithmic counter, kept while the maxmemory\n"
                     "policy is an LFU one."},
                    {"IDLETIME <key>", "Seconds since the key was last read or written, roughly."},
                    {"REFCOUNT <key>", "How many keys share the value."}});
}

constexpr CommandRow kRows[] = {
    {.name = "object",
     .arity = -2,
     .flags = "",
     .categories = "@slow",
     .summary = "Container of the commands that look at how keys are held.",
     .since = "2.2.3",
     .group = "generic",
     .complexity = "Depends on the subcommand"},
    {.name = "object|encoding",
     .handler = object_encoding_command,
     .arity = 3,
     .flags = "readonly",
     .keys = "2,2,1",
     .categories = "@keyspace,@read,@slow",
     .tips = "nondeterministic_output",
     .key_specs = "[RO index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Tells how the value of a key is encoded.",
     .since = "2.2.3",
     .group = "generic",
     .complexity = "O(1)"},
    {.name = "object|freq",
     .handler = object_freq_command,
     .arity = 3,
     .flags = "readonly",
     .keys = "2,2,1",
     .categories = "@keyspace,@read,@slow",
     .tips = "nondeterministic_output",
     .key_specs = "[RO index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the logarithmic access counter of a key.",
     .since = "4.0.0",
     .group = "generic",
     .complexity = "O(1)"},
    {.name = "object|help",
     .handler = object_help_command,
     .arity = 2,
     .flags = "loading,stale",
     .categories = "@keyspace,@slow",
     .summary = "Describes the subcommands.",
     .since = "6.2.0",
     .group = "generic",
     .complexity = "O(1)"},
    {.name = "object|idletime",
     .handler = object_idletime_command,
     .arity = 3,
     .flags = "readonly",
     .keys = "2,2,1",
     .categories = "@keyspace,@read,@slow",
     .tips = "nondeterministic_output",
     .key_specs = "[RO index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns how long a key has not been used.",
     .since = "2.2.3",
     .group = "generic",
     .complexity = "O(1)"},
    {.name = "object|refcount",
     .handler = object_refcount_command,
     .arity = 3,
     .flags = "readonly",
     .keys = "2,2,1",
     .categories = "@keyspace,@read,@slow",
     .tips = "nondeterministic_output",
     .key_specs = "[RO index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns how many keys share a value.",
     .since = "2.2.3",
     .group = "generic",
     .complexity = "O(1)"},
};

}  // namespace

std::span<const CommandRow> object_commands() { return kRows; }

}  // namespace tandem
