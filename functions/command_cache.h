#pragma once

#include <array>
#include <cstring>
#include <string_view>

#include "server/exec/command.h"

namespace tandem {

// Remembers which command a Lua string names. Equal Lua strings share one address, which finds the
// place; the bytes are compared all the same, since an address comes back for another string.
class CommandCache {
 public:
  // Null when nothing is remembered.
  Command* find(std::string_view name) const {
    const Slot& slot = slots_[slot_of(name)];
    if (slot.length != name.size() || std::memcmp(slot.name, name.data(), name.size()) != 0) {
      return nullptr;
    }
    return slot.command;
  }

  void remember(std::string_view name, Command* command) {
    if (name.empty() || name.size() > kMaxName) return;
    Slot& slot = slots_[slot_of(name)];
    slot.length = static_cast<unsigned char>(name.size());
    std::memcpy(slot.name, name.data(), name.size());
    slot.command = command;
  }

 private:
  static constexpr size_t kSlots = 128;
  static constexpr size_t kMaxName = 23;
  struct Slot {
    Command* command = nullptr;
    unsigned char length = 0;
    char name[kMaxName];
  };

  static size_t slot_of(std::string_view name) {
    const auto address = reinterpret_cast<uintptr_t>(name.data());
    return (address >> 4 ^ address >> 11) % kSlots;
  }

  std::array<Slot, kSlots> slots_{};
};

}  // namespace tandem
