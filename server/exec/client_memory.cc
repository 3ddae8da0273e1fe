#include "server/exec/client_memory.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string>

#include "server/base/log.h"
#include "server/exec/executor.h"

namespace tandem {

namespace {
// A lower limit would keep everybody out.
constexpr size_t kLowestLimit = 128 * 1024;
}  // namespace

ClientMemory::ClientMemory(Executor& executor) : executor_(executor) {
  executor.config().on_change({"maxmemory-clients", "maxmemory"}, [this]() -> Status {
    follow_limit();
    return {};
  });
  tracking_ = limit() != 0;
}

size_t ClientMemory::limit() const {
  const Settings& settings = executor_.config().settings();
  size_t bytes = SIZE_MAX;
  if (settings.maxmemory_clients == 0) return 0;
  if (settings.maxmemory_clients > 0) {
    bytes = static_cast<size_t>(settings.maxmemory_clients);
  } else if (settings.maxmemory > 0) {
    const auto percent = static_cast<double>(-settings.maxmemory_clients);
    bytes = static_cast<size_t>(static_cast<double>(settings.maxmemory) * percent / 100);
  }
  return std::max(bytes, kLowestLimit);
}

void ClientMemory::follow_limit() {
  const bool tracked = tracking_;
  tracking_ = limit() != 0;
  if (tracked == tracking_) return;
  for (const auto& [id, client] : executor_.clients()) {
    if (tracking_) {
      count(*client);
    } else {
      remove(*client);
    }
  }
}

size_t ClientMemory::bucket_of(size_t bytes) {
  const size_t log = bytes == 0 ? 0 : static_cast<size_t>(std::bit_width(bytes)) - 1;
  return std::clamp(log, kSmallestLog, kLargestLog) - kSmallestLog;
}

void ClientMemory::count(Client& client) {
  if (client.kind != ClientKind::kNormal || client.closing()) return remove(client);
  const size_t bytes = client.memory_usage();
  Client::CountedMemory& counted = client.counted_memory;
  total_ += bytes - counted.bytes;
  counted.bytes = bytes;
  const int bucket = client.no_evict ? -1 : static_cast<int>(bucket_of(bytes));
  if (bucket == counted.bucket) return;
  if (counted.bucket >= 0) buckets_[static_cast<size_t>(counted.bucket)].erase(&client);
  if (bucket >= 0) buckets_[static_cast<size_t>(bucket)].insert(&client);
  counted.bucket = bucket;
}

void ClientMemory::remove(Client& client) {
  Client::CountedMemory& counted = client.counted_memory;
  total_ -= counted.bytes;
  if (counted.bucket >= 0) buckets_[static_cast<size_t>(counted.bucket)].erase(&client);
  counted = {};
}

void ClientMemory::evict_largest() {
  const size_t allowed = limit();
  for (auto bucket = buckets_.rbegin(); bucket != buckets_.rend(); ++bucket) {
    while (!bucket->empty() && total_ >= allowed) {
      Client& victim = **bucket->begin();
      log_notice("Evicting client: id=" + std::to_string(victim.id) +
                 " addr=" + victim.link()->peer_address() + " name=" + victim.name +
                 " tot-mem=" + std::to_string(victim.counted_memory.bytes));
      remove(victim);
      victim.close_now();
      ++executor_.stats().evicted_clients;
    }
    if (total_ < allowed) return;
  }
  log_warning("Over client maxmemory after evicting all evictable clients");
}

}  // namespace tandem
