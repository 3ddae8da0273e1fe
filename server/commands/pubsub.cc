// SUBSCRIBE, PUBLISH and their kin.

#include <string>
#include <string_view>
#include <vector>

#include "server/base/strings.h"
#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"
#include "server/exec/pubsub.h"

namespace tandem {
namespace {

// What a change of a subscription is confirmed with. Confirmations are pushes, one for each name:
// CLIENT REPLY does not hold them back.
class Confirmations {
 public:
  Confirmations(Call& call, SubscriptionKind kind, std::string_view word)
      : reply_(call.client.encoder() != nullptr ? *call.client.encoder() : call.reply),
        client_(call.client),
        kind_(kind),
        word_(word) {}

  void add(std::string_view name) {
    begin();
    reply_.bulk(name);
    reply_.integer(remaining());
  }
  // There was no name.
  void add_none() {
    begin();
    reply_.null();
    reply_.integer(remaining());
  }

 private:
  void begin() {
    reply_.push(3);
    reply_.bulk(word_);
  }

  // Channels and patterns count together, shard channels by themselves.
  int64_t remaining() const {
    if (client_.subscriptions == nullptr) return 0;
    const Subscriptions& all = *client_.subscriptions;
    if (kind_ == SubscriptionKind::kShardChannel) return static_cast<int64_t>(all.count(kind_));
    return static_cast<int64_t>(all.count(SubscriptionKind::kChannel) +
                                all.count(SubscriptionKind::kPattern));
  }

  Reply& reply_;
  const Client& client_;
  const SubscriptionKind kind_;
  const std::string_view word_;
};

void subscribe(Call& call, SubscriptionKind kind) {
  Confirmations confirmations(call, kind, call.command.name);
  for (std::string_view name : call.args.subspan(1)) {
    call.executor.pubsub().subscribe(call.client, kind, name);
    confirmations.add(name);
  }
}

void unsubscribe(Call& call, SubscriptionKind kind) {
  PubSub& pubsub = call.executor.pubsub();
  Confirmations confirmations(call, kind, call.command.name);
  if (call.args.size() > 1) {
    for (std::string_view name : call.args.subspan(1)) {
      pubsub.unsubscribe(call.client, kind, name);
      confirmations.add(name);
    }
    return;
  }
  const std::vector<std::string> names = pubsub.names(call.client, kind);
  for (const std::string& name : names) {
    pubsub.unsubscribe(call.client, kind, name);
    confirmations.add(name);
  }
  if (names.empty()) confirmations.add_none();
}

void subscribe_command(Call& call) { subscribe(call, SubscriptionKind::kChannel); }
void psubscribe_command(Call& call) { subscribe(call, SubscriptionKind::kPattern); }
void unsubscribe_command(Call& call) { unsubscribe(call, SubscriptionKind::kChannel); }
void punsubscribe_command(Call& call) { unsubscribe(call, SubscriptionKind::kPattern); }
void sunsubscribe_command(Call& call) { unsubscribe(call, SubscriptionKind::kShardChannel); }

void ssubscribe_command(Call& call) {
  // The others may, since they always could; their confirmations break the array of EXEC.
  const bool in_transaction = call.executor.call_depth() > 1;
  if (in_transaction) {
    return call.reply.error("ERR SSUBSCRIBE isn't allowed for a DENY BLOCKING client");
  }
  subscribe(call, SubscriptionKind::kShardChannel);
}

void publish_command(Call& call) {
  const size_t delivered = call.executor.pubsub().publish(call.args[1], call.args[2]);
  call.emit_to_replicas();
  call.reply.integer(static_cast<int64_t>(delivered));
}

void spublish_command(Call& call) {
  const size_t delivered = call.executor.pubsub().publish_to_shard(call.args[1], call.args[2]);
  call.emit_to_replicas();
  call.reply.integer(static_cast<int64_t>(delivered));
}

void reply_topics(Call& call, SubscriptionKind kind) {
  if (call.args.size() > 3) return reply_unknown_subcommand(call);
  const bool all = call.args.size() == 2;
  std::vector<std::string_view> names;
  call.executor.pubsub().for_each_topic(kind, [&](std::string_view name) {
    if (all || glob_match(call.args[2], name)) names.push_back(name);
  });
  call.reply.array(names.size());
  for (std::string_view name : names) call.reply.bulk(name);
}

void reply_subscriber_counts(Call& call, SubscriptionKind kind) {
  const Args names = call.args.subspan(2);
  call.reply.array(names.size() * 2);
  for (std::string_view name : names) {
    call.reply.bulk(name);
    call.reply.integer(static_cast<int64_t>(call.executor.pubsub().subscriber_count(kind, name)));
  }
}

void pubsub_channels_command(Call& call) { reply_topics(call, SubscriptionKind::kChannel); }
void pubsub_shardchannels_command(Call& call) {
  reply_topics(call, SubscriptionKind::kShardChannel);
}
void pubsub_numsub_command(Call& call) {
  reply_subscriber_counts(call, SubscriptionKind::kChannel);
}
void pubsub_shardnumsub_command(Call& call) {
  reply_subscriber_counts(call, SubscriptionKind::kShardChannel);
}
void pubsub_numpat_command(Call& call) {
  call.reply.integer(
      static_cast<int64_t>(call.executor.pubsub().topic_count(SubscriptionKind::kPattern)));
}

void pubsub_help_command(Call& call) {
  reply_help(call,
             {{"CHANNELS [<pattern>]",
               "List the channels that have subscribers, or those of them that match."},
              {"NUMPAT", "Count the patterns that have subscribers."},
              {"NUMSUB [<channel> ...]",
               "Count the subscribers of each channel, without those of patterns."},
              {"SHARDCHANNELS [<pattern>]", "The same as CHANNELS, for shard channels."},
              {"SHARDNUMSUB [<shardchannel> ...]", "The same as NUMSUB, for shard channels."}});
}

constexpr std::string_view kSubscribeFlags = "loading,noscript,pubsub,stale";
constexpr std::string_view kPublishFlags = "fast,loading,pubsub,stale";
constexpr std::string_view kLookFlags = "loading,pubsub,stale";
constexpr std::string_view kSlow = "@pubsub,@slow";
constexpr std::string_view kShardChannels =
    "[NOT_KEY index:index=1 range:lastkey=-1,keystep=1,limit=0]";

constexpr CommandRow kRows[] = {
    {.name = "subscribe",
     .handler = subscribe_command,
     .arity = -2,
     .flags = kSubscribeFlags,
     .categories = kSlow,
     .summary = "Listens to channels.",
     .since = "2.0.0",
     .group = "pubsub",
     .complexity = "O(N) where N is the number of channels",
     .extra_flags = kSubscriberMay},
    {.name = "unsubscribe",
     .handler = unsubscribe_command,
     .arity = -1,
     .flags = kSubscribeFlags,
     .categories = kSlow,
     .summary = "Stops listening to channels, or to all.",
     .since = "2.0.0",
     .group = "pubsub",
     .complexity = "O(N) where N is the number of channels",
     .extra_flags = kSubscriberMay},
    {.name = "psubscribe",
     .handler = psubscribe_command,
     .arity = -2,
     .flags = kSubscribeFlags,
     .categories = kSlow,
     .summary = "Listens to all channels that match patterns.",
     .since = "2.0.0",
     .group = "pubsub",
     .complexity = "O(N) where N is the number of patterns",
     .extra_flags = kSubscriberMay},
    {.name = "punsubscribe",
     .handler = punsubscribe_command,
     .arity = -1,
     .flags = kSubscribeFlags,
     .categories = kSlow,
     .summary = "Stops listening to patterns, or to all.",
     .since = "2.0.0",
     .group = "pubsub",
     .complexity = "O(N) where N is the number of patterns",
     .extra_flags = kSubscriberMay},
    {.name = "ssubscribe",
     .handler = ssubscribe_command,
     .arity = -2,
     .flags = kSubscribeFlags,
     .keys = "1,-1,1",
     .categories = kSlow,
     .key_specs = kShardChannels,
     .summary = "Listens to shard channels.",
     .since = "7.0.0",
     .group = "pubsub",
     .complexity = "O(N) where N is the number of shard channels",
     .extra_flags = kSubscriberMay},
    {.name = "sunsubscribe",
     .handler = sunsubscribe_command,
     .arity = -1,
     .flags = kSubscribeFlags,
     .keys = "1,-1,1",
     .categories = kSlow,
     .key_specs = kShardChannels,
     .summary = "Stops listening to shard channels, or to all.",
     .since = "7.0.0",
     .group = "pubsub",
     .complexity = "O(N) where N is the number of shard channels",
     .extra_flags = kSubscriberMay},
    {.name = "publish",
     .handler = publish_command,
     .arity = 3,
     .flags = kPublishFlags,
     .categories = "@fast,@pubsub",
     .summary = "Sends a message to a channel.",
     .since = "2.0.0",
     .group = "pubsub",
     .complexity = "O(N+M) where N is the number of the channel's subscribers and M the number of "
                   "patterns that somebody listens to",
     .extra_flags = kMayReplicate},
    {.name = "spublish",
     .handler = spublish_command,
     .arity = 3,
     .flags = kPublishFlags,
     .keys = "1,1,1",
     .categories = "@fast,@pubsub",
     .key_specs = "[NOT_KEY index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Sends a message to a shard channel.",
     .since = "7.0.0",
     .group = "pubsub",
     .complexity = "O(N) where N is the number of the shard channel's subscribers",
     .extra_flags = kMayReplicate},
    {.name = "pubsub",
     .arity = -2,
     .categories = "@slow",
     .summary = "Shows who listens to what.",
     .since = "2.8.0",
     .group = "pubsub",
     .complexity = "Depends on subcommand."},
    {.name = "pubsub|channels",
     .handler = pubsub_channels_command,
     .arity = -2,
     .flags = kLookFlags,
     .categories = kSlow,
     .summary = "Lists the channels that have subscribers.",
     .since = "2.8.0",
     .group = "pubsub",
     .complexity = "O(N) where N is the number of channels that have subscribers"},
    {.name = "pubsub|numsub",
     .handler = pubsub_numsub_command,
     .arity = -2,
     .flags = kLookFlags,
     .categories = kSlow,
     .summary = "Counts the subscribers of channels.",
     .since = "2.8.0",
     .group = "pubsub",
     .complexity = "O(N) where N is the number of channels asked for"},
    {.name = "pubsub|numpat",
     .handler = pubsub_numpat_command,
     .arity = 2,
     .flags = kLookFlags,
     .categories = kSlow,
     .summary = "Counts the patterns that have subscribers.",
     .since = "2.8.0",
     .group = "pubsub",
     .complexity = "O(1)"},
    {.name = "pubsub|shardchannels",
     .handler = pubsub_shardchannels_command,
     .arity = -2,
     .flags = kLookFlags,
     .categories = kSlow,
     .summary = "Lists the shard channels that have subscribers.",
     .since = "7.0.0",
     .group = "pubsub",
     .complexity = "O(N) where N is the number of shard channels that have subscribers"},
    {.name = "pubsub|shardnumsub",
     .handler = pubsub_shardnumsub_command,
     .arity = -2,
     .flags = kLookFlags,
     .categories = kSlow,
     .summary = "Counts the subscribers of shard channels.",
     .since = "7.0.0",
     .group = "pubsub",
     .complexity = "O(N) where N is the number of shard channels asked for"},
    {.name = "pubsub|help",
     .handler = pubsub_help_command,
     .arity = 2,
     .flags = "loading,stale",
     .categories = "@slow",
     .summary = "Lists the subcommands.",
     .since = "6.2.0",
     .group = "pubsub",
     .complexity = "O(1)"},
};

}  // namespace

std::span<const CommandRow> pubsub_commands() { return kRows; }

}  // namespace tandem
