#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace tandem {

// Names with a time each, the earliest first: the keys of which parts expire.
class ExpiryQueue {
 public:
  size_t size() const { return times_.size(); }
  bool empty() const { return times_.empty(); }

  // A view is valid until the queue changes.
  std::optional<std::string_view> due(int64_t now_ms) const {
    if (order_.empty() || order_.begin()->first > now_ms) return std::nullopt;
    return order_.begin()->second;
  }
  // Adds the name, or changes its time.
  void set(std::string_view name, int64_t at_ms);
  void erase(std::string_view name);
  void clear() {
    order_.clear();
    times_.clear();
  }

 private:
  std::unordered_map<std::string, int64_t> times_;
  std::set<std::pair<int64_t, std::string_view>> order_;  // the names are those of times_
};

}  // namespace tandem
