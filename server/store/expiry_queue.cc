#include "server/store/expiry_queue.h"

namespace tandem {

void ExpiryQueue::set(std::string_view name, int64_t at_ms) {
  const auto [item, added] = times_.try_emplace(std::string(name), at_ms);
  if (!added) {
    if (item->second == at_ms) return;
    order_.erase({item->second, item->first});
    item->second = at_ms;
  }
  order_.emplace(at_ms, item->first);
}

void ExpiryQueue::erase(std::string_view name) {
  const auto item = times_.find(std::string(name));
  if (item == times_.end()) return;
  order_.erase({item->second, item->first});
  times_.erase(item);
}

}  // namespace tandem
