#pragma once

#include <array>
#include <cstddef>
#include <unordered_set>

namespace tandem {

class Client;
class Executor;

// Holds all clients together below maxmemory-clients, by closing those that take the most memory.
// Clients stand in buckets by the logarithm of what they take, so that the largest are found
// without a walk over all. Replicas and primaries are not counted; CLIENT NO-EVICT clients are, and
// stay.
class ClientMemory {
 public:
  explicit ClientMemory(Executor& executor);

  // Whether there is a limit at all; without one nothing is counted.
  bool tracking() const { return tracking_; }
  // What the client takes may have changed: after its requests, and now and then.
  void update(Client& client) {
    if (tracking_) count(client);
  }
  void remove(Client& client);
  // Closes clients until the rest is below the limit.
  void evict() {
    if (tracking_ && total_ >= limit()) evict_largest();
  }

 private:
  static constexpr size_t kSmallestLog = 15;  // up to 32 KiB
  static constexpr size_t kLargestLog = 33;
  static constexpr size_t kBuckets = kLargestLog - kSmallestLog + 1;

  static size_t bucket_of(size_t bytes);
  size_t limit() const;
  void follow_limit();
  void count(Client& client);
  void evict_largest();

  Executor& executor_;
  bool tracking_ = false;
  size_t total_ = 0;
  std::array<std::unordered_set<Client*>, kBuckets> buckets_;
};

}  // namespace tandem
