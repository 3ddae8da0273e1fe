#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/base/hash.h"

namespace tandem {

class Client;

// The three name spaces of subscriptions. Without a cluster a shard channel differs from a channel
// by its commands only.
enum class SubscriptionKind : uint8_t { kChannel, kPattern, kShardChannel };
inline constexpr size_t kSubscriptionKinds = 3;

// A name that at least one client has subscribed to.
struct Topic {
  std::string name;
  std::vector<Client*> subscribers;  // in no order
};

// What one client is subscribed to; a client without subscriptions has none of these.
class Subscriptions {
 public:
  size_t count(SubscriptionKind kind) const { return of(kind).size(); }
  bool empty() const;

 private:
  friend class PubSub;
  // Each topic with the client's place among its subscribers.
  using Places = std::unordered_map<Topic*, size_t>;

  Places& of(SubscriptionKind kind) { return places_[static_cast<size_t>(kind)]; }
  const Places& of(SubscriptionKind kind) const { return places_[static_cast<size_t>(kind)]; }

  std::array<Places, kSubscriptionKinds> places_;
};

// Who listens to what, and the delivery of messages. Subscribing, unsubscribing and forgetting one
// of a client's subscriptions take constant time; a message costs a look at its channel's
// subscribers and at every pattern. Belongs to the loop thread.
class PubSub {
 public:
  // False when the client was subscribed to the name already.
  bool subscribe(Client& client, SubscriptionKind kind, std::string_view name);
  // False when it was not.
  bool unsubscribe(Client& client, SubscriptionKind kind, std::string_view name);
  // The names the client is subscribed to.
  std::vector<std::string> names(const Client& client, SubscriptionKind kind) const;
  // Forgets all subscriptions of the client.
  void remove(Client& client);

  // Delivers a message to the channel's subscribers and to those of every pattern it matches.
  // Returns how often it was delivered: a client may get it more than once.
  size_t publish(std::string_view channel, std::string_view message);
  // The same for a shard channel, which no pattern matches.
  size_t publish_to_shard(std::string_view channel, std::string_view message);
  // Whether a message could reach anybody.
  bool has_listeners() const {
    return !of(SubscriptionKind::kChannel).empty() || !of(SubscriptionKind::kPattern).empty();
  }

  size_t topic_count(SubscriptionKind kind) const { return of(kind).size(); }
  size_t subscriber_count(SubscriptionKind kind, std::string_view name) const;
  template <typename Visit>
  void for_each_topic(SubscriptionKind kind, Visit&& visit) const {
    for (const auto& [name, topic] : of(kind)) visit(name);
  }
  // Clients with at least one subscription.
  size_t client_count() const { return clients_; }

 private:
  struct Hash {
    size_t operator()(std::string_view name) const { return hash_bytes(name); }
  };
  // The keys are views into the topics' names.
  using Topics = std::unordered_map<std::string_view, std::unique_ptr<Topic>, Hash>;

  Topics& of(SubscriptionKind kind) { return topics_[static_cast<size_t>(kind)]; }
  const Topics& of(SubscriptionKind kind) const { return topics_[static_cast<size_t>(kind)]; }
  void leave(Topic& topic, SubscriptionKind kind, size_t place);
  void forget_if_empty(Client& client);
  void begin_message(std::string_view channel, std::string_view message);
  // `words` stand in front of the channel and the message.
  size_t deliver(const Topic& topic, std::initializer_list<std::string_view> words);
  void end_message();

  std::array<Topics, kSubscriptionKinds> topics_;
  size_t clients_ = 0;
  // The message that is being delivered, encoded once for all who get it: its channel and text, and
  // what stands in front of them, which depends on the protocol (RESP2, RESP3) and the pattern.
  std::string tail_;
  std::array<std::string, 2> heads_;
};

}  // namespace tandem
