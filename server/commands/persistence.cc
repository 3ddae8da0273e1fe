#include "persistence/persistence.h"

#include "server/base/strings.h"
#include "server/commands/families.h"
#include "server/commands/services.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"

namespace tandem {

namespace {

// Inside a transaction a snapshot would hold a part of it, and what follows would be applied to
// that part again: it has to wait for the end.
bool in_transaction(const Call& call) { return call.executor.call_depth() > 1; }

void save_command(Call& call) {
  Persistence& persistence = *call.services.persistence;
  if (persistence.child() == ChildPurpose::kSave) {
    return call.reply.error("ERR Background save already in progress");
  }
  if (!persistence.save().ok()) return call.reply.error("ERR");
  call.reply.ok();
}

void cancel_background_save(Call& call) {
  switch (call.services.persistence->cancel_background_save()) {
    case Persistence::Cancelled::kRunning:
      return call.reply.simple("Background saving cancelled");
    case Persistence::Cancelled::kScheduled:
      return call.reply.simple("Scheduled background saving cancelled");
    case Persistence::Cancelled::kNothing:
      return call.reply.error("ERR Background saving is currently not in progress or scheduled");
  }
}

// BGSAVE [SCHEDULE | CANCEL]
void bgsave_command(Call& call) {
  Persistence& persistence = *call.services.persistence;
  bool schedule = false;
  if (call.args.size() > 1) {
    if (call.args.size() == 2 && equals_ignore_case(call.args[1], "cancel")) {
      return cancel_background_save(call);
    }
    if (call.args.size() != 2 || !equals_ignore_case(call.args[1], "schedule")) {
      return call.syntax_error();
    }
    schedule = true;
  }
  if (persistence.child() == ChildPurpose::kSave) {
    return call.reply.error("ERR Background save already in progress");
  }
  if (persistence.child() != ChildPurpose::kNone || in_transaction(call)) {
    if (!schedule && !in_transaction(call)) {
      return call.reply.error(
          "ERR Another child process is active (AOF?): can't BGSAVE right now. Use BGSAVE SCHEDULE "
          "in order to schedule a BGSAVE whenever possible.");
    }
    persistence.schedule_background_save();
    return call.reply.simple("Background saving scheduled");
  }
  if (!persistence.start_background_save().ok()) return call.reply.error("ERR");
  call.reply.simple("Background saving started");
}

void bgrewriteaof_command(Call& call) {
  Persistence& persistence = *call.services.persistence;
  if (persistence.child() == ChildPurpose::kAofRewrite) {
    return call.reply.error("ERR Background append only file rewriting already in progress");
  }
  if (persistence.child() != ChildPurpose::kNone || in_transaction(call)) {
    persistence.schedule_rewrite();
    return call.reply.simple("Background append only file rewriting scheduled");
  }
  if (!persistence.start_rewrite().ok()) {
    return call.reply.error(
        "ERR Can't execute an AOF background rewriting. Please check the server logs for more "
        "information.");
  }
  call.reply.simple("Background append only file rewriting started");
}

void lastsave_command(Call& call) {
  call.reply.integer(call.services.persistence->last_save_time());
}

constexpr CommandRow kRows[] = {
    {.name = "save",
     .handler = save_command,
     .arity = 1,
     .flags = "admin,no_async_loading,no_multi,noscript",
     .categories = "@admin,@dangerous,@slow",
     .summary = "Writes a snapshot of the dataset to disk and waits for it.",
     .since = "1.0.0",
     .group = "server",
     .complexity = "O(N) where N is the number of keys in all databases"},
    {.name = "bgsave",
     .handler = bgsave_command,
     .arity = -1,
     .flags = "admin,no_async_loading,noscript",
     .categories = "@admin,@dangerous,@slow",
     .summary = "Writes a snapshot of the dataset to disk in the background.",
     .since = "1.0.0",
     .group = "server",
     .complexity = "O(1)"},
    {.name = "bgrewriteaof",
     .handler = bgrewriteaof_command,
     .arity = 1,
     .flags = "admin,no_async_loading,noscript",
     .categories = "@admin,@dangerous,@slow",
     .summary = "Rewrites the append-only file in the background.",
     .since = "1.0.0",
     .group = "server",
     .complexity = "O(1)"},
    {.name = "lastsave",
     .handler = lastsave_command,
     .arity = 1,
     .flags = "fast,loading,stale",
     .categories = "@admin,@dangerous,@fast",
     .tips = "nondeterministic_output",
     .summary = "Tells when the dataset was last saved, in Unix time.",
     .since = "1.0.0",
     .group = "server",
     .complexity = "O(1)"},
};

}  // namespace

std::span<const CommandRow> persistence_commands() { return kRows; }

}  // namespace tandem
