#include <algorithm>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/families.h"
#include "server/commands/stream_arguments.h"
#include "server/exec/call.h"

namespace tandem {
namespace {

std::optional<int64_t> read_claim_number(Call& call, std::string_view text, std::string_view what) {
  const auto number = parse_int64(text);
  if (!number) call.reply.error("ERR Invalid " + std::string(what));
  return number;
}

struct ClaimOptions {
  std::vector<StreamId> ids;
  int64_t min_idle_ms = 0;
  int64_t delivered_ms = 0;            // the new delivery time
  std::optional<int64_t> retry_count;  // the new number of deliveries
  StreamId last_id;
  bool force = false;
  bool just_id = false;
};

// One option of XCLAIM at args[at], which is left at the last argument read.
bool read_claim_option(Call& call, size_t* at, ClaimOptions* options) {
  const std::string_view option = call.args[*at];
  const bool more = *at + 1 < call.args.size();
  if (equals_ignore_case(option, "force")) {
    options->force = true;
  } else if (equals_ignore_case(option, "justid")) {
    options->just_id = true;
  } else if (more && equals_ignore_case(option, "idle")) {
    const auto idle = read_claim_number(call, call.args[++*at], "IDLE option argument for XCLAIM");
    if (!idle) return false;
    options->delivered_ms = elapsed_ms(call.now_ms(), *idle);
  } else if (more && equals_ignore_case(option, "time")) {
    const auto time = read_claim_number(call, call.args[++*at], "TIME option argument for XCLAIM");
    if (!time) return false;
    options->delivered_ms = *time;
  } else if (more && equals_ignore_case(option, "retrycount")) {
    const auto count =
        read_claim_number(call, call.args[++*at], "RETRYCOUNT option argument for XCLAIM");
    if (!count) return false;
    options->retry_count = *count >= 0 ? count : std::nullopt;
  } else if (more && equals_ignore_case(option, "lastid")) {
    const auto id = read_stream_id(call, call.args[++*at]);
    if (!id) return false;
    options->last_id = *id;
  } else {
    call.reply.error("ERR Unrecognized XCLAIM option '" + std::string(option) + "'");
    return false;
  }
  return true;
}

bool read_claim_options(Call& call, ClaimOptions* options) {
  const auto idle = read_claim_number(call, call.args[4], "min-idle-time argument for XCLAIM");
  if (!idle) return false;
  options->min_idle_ms = std::max<int64_t>(*idle, 0);
  options->delivered_ms = call.now_ms();
  size_t at = 5;
  for (; at < call.args.size(); ++at) {
    const auto parsed = parse_stream_id(call.args[at]);
    if (!parsed) break;
    options->ids.push_back(parsed->id);
  }
  for (; at < call.args.size(); ++at) {
    if (!read_claim_option(call, &at, options)) return false;
  }
  // A time to come, or from before 1970, is taken for a client's mistake.
  if (options->delivered_ms < 0 || options->delivered_ms > call.now_ms()) {
    options->delivered_ms = call.now_ms();
  }
  return true;
}

// A claim in progress: who claims from which group, and what has become of it.
struct Claim {
  std::string_view key;
  std::string_view group_name;
  const StreamValue& stream;
  StreamGroup* group;
  StreamConsumer* consumer;
  std::vector<StreamId> claimed = {};
  std::vector<StreamId> deleted = {};  // were pending, but are no longer in the stream
  bool propagated = false;
};

// A pending entry is no longer in the stream: forgets it. The replica does the same when it is told
// to claim it.
void drop_deleted(Call& call, Claim* claim, const StreamId& id, const StreamPending& pending) {
  emit_claim(call, claim->key, claim->group_name, *claim->group, id, pending);
  claim->propagated = true;
  call.changed();
  claim->group->acknowledge(id);
  claim->deleted.push_back(id);
}

void give_to_claimer(Call& call, Claim* claim, const StreamId& id, int64_t delivered_ms,
                     std::optional<uint64_t> deliveries, bool count_delivery) {
  StreamPending* pending = claim->group->assign(id, claim->consumer);
  pending->delivered_ms = delivered_ms;
  if (deliveries) {
    pending->deliveries = *deliveries;
  } else if (count_delivery) {
    ++pending->deliveries;
  }
  claim->consumer->active_ms = call.now_ms();
  claim->claimed.push_back(id);
  emit_claim(call, claim->key, claim->group_name, *claim->group, id, *pending);
  claim->propagated = true;
  call.changed();
}

void claim_one(Call& call, Claim* claim, const StreamId& id, const ClaimOptions& options) {
  const StreamPending* pending = claim->group->find_pending(id);
  if (!claim->stream.contains(id)) {
    if (pending != nullptr) drop_deleted(call, claim, id, *pending);
    return;
  }
  if (pending == nullptr) {
    if (!options.force) return;
    // Creating it counts as its first delivery.
    claim->group->assign(id, claim->consumer)->deliveries = 1;
  } else if (options.min_idle_ms != 0 &&
             elapsed_ms(call.now_ms(), pending->delivered_ms) < options.min_idle_ms) {
    return;
  }
  give_to_claimer(call, claim, id, options.delivered_ms, options.retry_count, !options.just_id);
}

void reply_claimed(Call& call, const Claim& claim, bool just_id) {
  call.reply.array(claim.claimed.size());
  for (const StreamId& id : claim.claimed) {
    if (just_id) {
      reply_stream_id(call.reply, id);
      continue;
    }
    StreamReader reader(claim.stream, id, id);
    reader.next();
    reply_stream_entry(call.reply, &reader);
  }
}

// Both commands travel as what they did.
void finish_claim(Call& call, const Claim& claim, bool consumer_created) {
  call.emit_nothing();
  if (consumer_created && !claim.propagated) {
    emit_consumer_creation(call, claim.key, claim.group_name, claim.consumer->name());
  }
}

void xclaim_command(Call& call) {
  const std::string_view key = call.args[1];
  const auto stream = find_stream_for_write(call, key);
  if (!stream) return;
  StreamGroup* group = *stream != nullptr ? (*stream)->find_group(call.args[2]) : nullptr;
  if (group == nullptr) {
    reply_no_group(call, key, call.args[2]);
    return;
  }
  ClaimOptions options;
  if (!read_claim_options(call, &options)) return;
  const bool moved = options.last_id > group->last_delivered;
  if (moved) group->last_delivered = options.last_id;
  bool created = false;
  StreamConsumer* consumer = see_consumer(call, key, group, call.args[3], &created);
  Claim claim{key, call.args[2], **stream, group, consumer};
  for (const StreamId& id : options.ids) claim_one(call, &claim, id, options);
  finish_claim(call, claim, created);
  if (moved && !claim.propagated) {
    emit_group_position(call, key, call.args[2], *group);
    call.changed();
  }
  reply_claimed(call, claim, options.just_id);
}

struct AutoClaimOptions {
  int64_t min_idle_ms = 0;
  StreamId start;
  int64_t count = 100;
  bool just_id = false;
};

bool read_auto_claim_options(Call& call, AutoClaimOptions* options) {
  const auto idle = read_claim_number(call, call.args[4], "min-idle-time argument for XAUTOCLAIM");
  if (!idle) return false;
  options->min_idle_ms = std::max<int64_t>(*idle, 0);
  const auto start = read_interval_start(call, call.args[5]);
  if (!start) return false;
  options->start = *start;
  constexpr int64_t kMostCount = std::numeric_limits<int64_t>::max() / 16;
  for (size_t i = 6; i < call.args.size(); ++i) {
    if (equals_ignore_case(call.args[i], "count") && i + 1 < call.args.size()) {
      const auto count = parse_int64(call.args[++i]);
      if (!count || *count < 1 || *count > kMostCount) {
        call.reply.error("ERR COUNT must be > 0");
        return false;
      }
      options->count = *count;
    } else if (equals_ignore_case(call.args[i], "justid")) {
      options->just_id = true;
    } else {
      call.syntax_error();
      return false;
    }
  }
  return true;
}

// Returns where the next call should go on; 0-0 behind the last entry.
StreamId auto_claim(Call& call, Claim* claim, const AutoClaimOptions& options) {
  constexpr int64_t kLooksPerClaim = 10;
  int64_t looks = options.count * kLooksPerClaim;
  int64_t left = options.count;
  auto it = claim->group->pending().lower_bound(options.start);
  while (looks-- > 0 && left > 0 && !it.at_end()) {
    const StreamId id = it->id;
    if (!claim->stream.contains(id)) {
      drop_deleted(call, claim, id, it->value);
      --left;
      it = claim->group->pending().lower_bound(id);
      continue;
    }
    const int64_t idle_ms = elapsed_ms(call.now_ms(), it->value.delivered_ms);
    if (options.min_idle_ms == 0 || idle_ms >= options.min_idle_ms) {
      give_to_claimer(call, claim, id, call.now_ms(), std::nullopt, !options.just_id);
      --left;
    }
    ++it;
  }
  return it.at_end() ? StreamId() : it->id;
}

void xautoclaim_command(Call& call) {
  AutoClaimOptions options;
  if (!read_auto_claim_options(call, &options)) return;
  const std::string_view key = call.args[1];
  const auto stream = find_stream_for_write(call, key);
  if (!stream) return;
  StreamGroup* group = *stream != nullptr ? (*stream)->find_group(call.args[2]) : nullptr;
  if (group == nullptr) {
    reply_no_group(call, key, call.args[2]);
    return;
  }
  bool created = false;
  StreamConsumer* consumer = see_consumer(call, key, group, call.args[3], &created);
  Claim claim{key, call.args[2], **stream, group, consumer};
  const StreamId next = auto_claim(call, &claim, options);
  finish_claim(call, claim, created);
  call.reply.array(3);
  reply_stream_id(call.reply, next);
  reply_claimed(call, claim, options.just_id);
  call.reply.array(claim.deleted.size());
  for (const StreamId& id : claim.deleted) reply_stream_id(call.reply, id);
}

constexpr CommandRow kRows[] = {
    {.name = "xautoclaim",
     .handler = xautoclaim_command,
     .arity = -6,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@stream,@write",
     .tips = "nondeterministic_output",
     .key_specs = "[DELETE+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Gives a consumer the pending entries that have been idle for some time.",
     .since = "6.2.0",
     .group = "stream",
     .complexity = "O(log N + COUNT)"},
    {.name = "xclaim",
     .handler = xclaim_command,
     .arity = -6,
     .flags = "fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@stream,@write",
     .tips = "nondeterministic_output",
     .key_specs = "[RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Gives a consumer pending entries by their ids.",
     .since = "5.0.0",
     .group = "stream",
     .complexity = "O(log N) for each id"},
};

}  // namespace

std::span<const CommandRow> stream_claim_commands() { return kRows; }

}  // namespace tandem
