#pragma once

#include <chrono>
#include <thread>

namespace tandem {

// Far above what anything here takes, so that only what hangs reaches it, on a loaded machine too.
inline constexpr std::chrono::seconds kPatience{30};

// Asks until `condition` holds; false when it does not within the time.
template <typename Condition>
[[nodiscard]] bool eventually(Condition&& condition, std::chrono::milliseconds within = kPatience) {
  const auto deadline = std::chrono::steady_clock::now() + within;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace tandem
