#pragma once

#include <cstdint>
#include <unordered_map>

#include "server/exec/executor.h"

namespace tandem {

// The clients whose replies wait for the disk (`appendfsync always`). A reply may tell of a change,
// the client's own or another's, only when that change is durable; so every client with output is
// held until what had been written when the output was made is synced. A held client is not read
// from, which is what makes writes of many clients share one fsync and lets each of them be
// released.
class HeldReplies {
 public:
  explicit HeldReplies(Executor& executor) : executor_(executor) {}
  HeldReplies(const HeldReplies&) = delete;
  HeldReplies& operator=(const HeldReplies&) = delete;

  // Holds every client with output until `position` bytes of the stream are durable. A client that
  // is held already waits longer only if it has more output than before.
  void hold_all(uint64_t position);
  // Lets those go that waited for `position` or less.
  void release(uint64_t position);
  // The bytes behind `position` could not be made durable: whoever waits for them never gets the
  // reply, as if this server had died.
  void disconnect_beyond(uint64_t position);

  bool empty() const { return held_.empty(); }

 private:
  struct Hold {
    uint64_t position = 0;
    size_t output_bytes = 0;
  };

  Executor& executor_;
  std::unordered_map<uint64_t, Hold> held_;  // by client id
};

}  // namespace tandem
