#pragma once

#include <cstdint>

#include "server/exec/call.h"

namespace tandem {

// When EXPIRE, HEXPIRE and their relatives change the expiry of a key or a field.
struct ExpireConditions {
  bool if_none = false;     // NX
  bool if_some = false;     // XX
  bool if_later = false;    // GT: what has no expiry lives longer than anything
  bool if_earlier = false;  // LT

  // `current_ms` is kNoExpiry when there is none.
  bool hold(int64_t current_ms, int64_t deadline_ms) const;
};

// Replies and returns false when `options` are others, or contradict each other.
bool read_conditions(Call& call, Args options, ExpireConditions* conditions);

}  // namespace tandem
