#include "server/exec/pubsub.h"

#include <cassert>
#include <utility>

#include "server/base/strings.h"
#include "server/exec/client.h"
#include "server/resp/resp_format.h"

namespace tandem {

namespace {

constexpr size_t kKeptBytes = 64 * 1024;  // of room for the next message

void append_bulk(std::string_view bytes, std::string* out) {
  const size_t before = out->size();
  out->resize(before + kRespHeaderBytes + bytes.size() + 2);
  char* const begin = out->data() + before;
  out->resize(before + static_cast<size_t>(write_resp_bulk(begin, bytes) - begin));
}

void encode_head(int protocol, std::initializer_list<std::string_view> words, std::string* head) {
  head->resize(kRespHeaderBytes);
  char* const begin = head->data();
  const char type = protocol == 2 ? '*' : '>';
  head->resize(static_cast<size_t>(write_resp_header(begin, type, words.size() + 2) - begin));
  for (std::string_view word : words) append_bulk(word, head);
}

}  // namespace

bool Subscriptions::empty() const {
  for (const Places& places : places_) {
    if (!places.empty()) return false;
  }
  return true;
}

bool PubSub::subscribe(Client& client, SubscriptionKind kind, std::string_view name) {
  Topics& topics = of(kind);
  auto found = topics.find(name);
  if (found == topics.end()) {
    auto topic = std::make_unique<Topic>();
    topic->name = name;
    const std::string_view key = topic->name;
    found = topics.emplace(key, std::move(topic)).first;
  }
  Topic* const topic = found->second.get();
  if (client.subscriptions == nullptr) {
    client.subscriptions = std::make_unique<Subscriptions>();
    ++clients_;
  }
  if (!client.subscriptions->of(kind).emplace(topic, topic->subscribers.size()).second) {
    return false;
  }
  topic->subscribers.push_back(&client);
  return true;
}

bool PubSub::unsubscribe(Client& client, SubscriptionKind kind, std::string_view name) {
  if (client.subscriptions == nullptr) return false;
  const auto found = of(kind).find(name);
  if (found == of(kind).end()) return false;
  Topic& topic = *found->second;
  auto& places = client.subscriptions->of(kind);
  const auto place = places.find(&topic);
  if (place == places.end()) return false;
  const size_t index = place->second;
  places.erase(place);
  leave(topic, kind, index);
  forget_if_empty(client);
  return true;
}

// Takes a subscriber out of a topic; the last one takes its place. A topic without any is gone.
void PubSub::leave(Topic& topic, SubscriptionKind kind, size_t place) {
  std::vector<Client*>& subscribers = topic.subscribers;
  assert(place < subscribers.size());
  if (place + 1 < subscribers.size()) {
    subscribers[place] = subscribers.back();
    subscribers[place]->subscriptions->of(kind)[&topic] = place;
  }
  subscribers.pop_back();
  if (subscribers.empty()) of(kind).erase(of(kind).find(topic.name));
}

void PubSub::forget_if_empty(Client& client) {
  if (!client.subscriptions->empty()) return;
  client.subscriptions.reset();
  --clients_;
}

std::vector<std::string> PubSub::names(const Client& client, SubscriptionKind kind) const {
  std::vector<std::string> names;
  if (client.subscriptions == nullptr) return names;
  names.reserve(client.subscriptions->count(kind));
  for (const auto& [topic, place] : std::as_const(*client.subscriptions).of(kind)) {
    names.push_back(topic->name);
  }
  return names;
}

void PubSub::remove(Client& client) {
  if (client.subscriptions == nullptr) return;
  for (size_t i = 0; i < kSubscriptionKinds; ++i) {
    const auto kind = static_cast<SubscriptionKind>(i);
    for (const auto& [topic, place] : client.subscriptions->of(kind)) leave(*topic, kind, place);
  }
  client.subscriptions.reset();
  --clients_;
}

size_t PubSub::publish(std::string_view channel, std::string_view message) {
  if (!has_listeners()) return 0;
  begin_message(channel, message);
  size_t delivered = 0;
  const Topics& channels = of(SubscriptionKind::kChannel);
  if (const auto found = channels.find(channel); found != channels.end()) {
    delivered += deliver(*found->second, {"message"});
  }
  for (const auto& [pattern, topic] : of(SubscriptionKind::kPattern)) {
    if (glob_match(pattern, channel)) delivered += deliver(*topic, {"pmessage", pattern});
  }
  end_message();
  return delivered;
}

size_t PubSub::publish_to_shard(std::string_view channel, std::string_view message) {
  const Topics& channels = of(SubscriptionKind::kShardChannel);
  const auto found = channels.find(channel);
  if (found == channels.end()) return 0;
  begin_message(channel, message);
  const size_t delivered = deliver(*found->second, {"smessage"});
  end_message();
  return delivered;
}

void PubSub::begin_message(std::string_view channel, std::string_view message) {
  tail_.clear();
  append_bulk(channel, &tail_);
  append_bulk(message, &tail_);
}

size_t PubSub::deliver(const Topic& topic, std::initializer_list<std::string_view> words) {
  for (std::string& head : heads_) head.clear();
  for (Client* client : topic.subscribers) {
    std::string& head = heads_[client->protocol() == 2 ? 0 : 1];
    if (head.empty()) encode_head(client->protocol(), words, &head);
    client->push(head, tail_);
  }
  return topic.subscribers.size();
}

void PubSub::end_message() {
  if (tail_.capacity() > kKeptBytes) tail_ = {};
}

size_t PubSub::subscriber_count(SubscriptionKind kind, std::string_view name) const {
  const auto found = of(kind).find(name);
  return found == of(kind).end() ? 0 : found->second->subscribers.size();
}

}  // namespace tandem
