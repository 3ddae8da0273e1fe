#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "server/store/stream_id.h"
#include "server/store/stream_tree.h"

namespace tandem {

struct StreamNoValue {};

// One reader of a consumer group. Its name is its key in StreamGroup::consumers(); its address
// stays while it exists.
class StreamConsumer {
 public:
  // Never active.
  static constexpr int64_t kNever = -1;

  int64_t seen_ms = 0;         // the last time it tried to read or claim, Unix milliseconds
  int64_t active_ms = kNever;  // the last time it was given something

  const std::string& name() const { return *name_; }
  // The ids of what it was given and has not acknowledged; the details are the group's.
  const StreamTree<StreamNoValue>& pending() const { return pending_; }

 private:
  friend class StreamGroup;
  const std::string* name_ = nullptr;
  StreamTree<StreamNoValue> pending_;
};

// What is known of an entry that was delivered and not acknowledged.
struct StreamPending {
  StreamConsumer* consumer = nullptr;
  int64_t delivered_ms = 0;  // the last time, Unix milliseconds
  uint64_t deliveries = 0;
};

// A consumer group: how far it has read, its consumers, and what each of them has not acknowledged.
class StreamGroup {
 public:
  using Consumers = std::map<std::string, StreamConsumer, std::less<>>;
  using PendingTree = StreamTree<StreamPending>;

  // It is not known how many entries were read.
  static constexpr int64_t kUnknown = -1;

  StreamGroup(const StreamId& last_id, int64_t entries_read_in)
      : last_delivered(last_id), entries_read(entries_read_in) {}
  StreamGroup(const StreamGroup&) = delete;
  StreamGroup& operator=(const StreamGroup&) = delete;

  StreamId last_delivered;
  int64_t entries_read;  // entries of the stream up to last_delivered, or kUnknown

  const Consumers& consumers() const { return consumers_; }
  StreamConsumer* find_consumer(std::string_view name);
  const StreamConsumer* find_consumer(std::string_view name) const;
  // Null when there is one of this name.
  StreamConsumer* create_consumer(std::string_view name, int64_t now_ms);
  // With all it has pending. Returns how many entries that were; nothing happens for an unknown
  // name.
  size_t erase_consumer(StreamConsumer* consumer);

  const PendingTree& pending() const { return pending_; }
  // Null when the entry is not pending; valid until the next change.
  StreamPending* find_pending(const StreamId& id);
  const StreamPending* find_pending(const StreamId& id) const;
  // Makes the entry pending for `consumer`, or gives it to it; time and count are the caller's.
  StreamPending* assign(const StreamId& id, StreamConsumer* consumer);
  // Whether it was pending.
  bool acknowledge(const StreamId& id);

  size_t memory_usage() const;
  size_t free_effort() const;
  void copy_members_of(const StreamGroup& other);

 private:
  Consumers consumers_;
  PendingTree pending_;
};

}  // namespace tandem
