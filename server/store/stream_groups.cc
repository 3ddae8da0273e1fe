#include "server/store/stream_groups.h"

#include <utility>

namespace tandem {

namespace {

// What a node of std::map takes beside its value.
constexpr size_t kMapNodeBytes = 4 * sizeof(void*);

size_t heap_bytes(const std::string& text) {
  constexpr size_t kInline = 15;
  return text.capacity() > kInline ? text.capacity() + 1 : 0;
}

}  // namespace

StreamConsumer* StreamGroup::find_consumer(std::string_view name) {
  const auto found = consumers_.find(name);
  return found != consumers_.end() ? &found->second : nullptr;
}

const StreamConsumer* StreamGroup::find_consumer(std::string_view name) const {
  return const_cast<StreamGroup*>(this)->find_consumer(name);
}

StreamConsumer* StreamGroup::create_consumer(std::string_view name, int64_t now_ms) {
  const auto [at, created] = consumers_.try_emplace(std::string(name));
  if (!created) return nullptr;
  at->second.name_ = &at->first;
  at->second.seen_ms = now_ms;
  return &at->second;
}

size_t StreamGroup::erase_consumer(StreamConsumer* consumer) {
  const size_t count = consumer->pending_.size();
  for (auto it = consumer->pending_.begin(); !it.at_end(); ++it) pending_.erase(it->id);
  consumers_.erase(consumers_.find(consumer->name()));
  return count;
}

StreamPending* StreamGroup::find_pending(const StreamId& id) {
  const auto found = pending_.find(id);
  return found.at_end() ? nullptr : &found->value;
}

const StreamPending* StreamGroup::find_pending(const StreamId& id) const {
  return const_cast<StreamGroup*>(this)->find_pending(id);
}

StreamPending* StreamGroup::assign(const StreamId& id, StreamConsumer* consumer) {
  const auto [at, added] = pending_.insert(id);
  StreamPending& pending = at->value;
  if (pending.consumer == consumer) return &pending;
  if (pending.consumer != nullptr) pending.consumer->pending_.erase(id);
  consumer->pending_.insert(id);
  pending.consumer = consumer;
  return &pending;
}

bool StreamGroup::acknowledge(const StreamId& id) {
  const auto found = pending_.find(id);
  if (found.at_end()) return false;
  found->value.consumer->pending_.erase(id);
  pending_.erase(found);
  return true;
}

size_t StreamGroup::memory_usage() const {
  size_t bytes = sizeof(*this) + pending_.memory_usage();
  for (const auto& [name, consumer] : consumers_) {
    bytes += kMapNodeBytes + sizeof(name) + sizeof(consumer) + heap_bytes(name) +
             consumer.pending_.memory_usage();
  }
  return bytes;
}

size_t StreamGroup::free_effort() const {
  // Each pending entry is in two trees.
  return 1 + 2 * consumers_.size() + 2 * pending_.nodes();
}

void StreamGroup::copy_members_of(const StreamGroup& other) {
  for (const auto& [name, consumer] : other.consumers_) {
    create_consumer(name, consumer.seen_ms)->active_ms = consumer.active_ms;
  }
  for (auto it = other.pending_.begin(); !it.at_end(); ++it) {
    StreamPending* copy = assign(it->id, find_consumer(it->value.consumer->name()));
    copy->delivered_ms = it->value.delivered_ms;
    copy->deliveries = it->value.deliveries;
  }
}

}  // namespace tandem
