#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "server/exec/executor.h"

namespace tandem {

// The clients whose output waits for the disk. A reply or a message may tell of a change, the
// client's own or another's, only when that change is durable: so what is about to go out waits
// until all that had been written by then is synced. What comes behind it meanwhile waits for a
// later sync, and does not delay it.
class HeldReplies {
 public:
  explicit HeldReplies(Executor& executor) : executor_(executor) {}
  HeldReplies(const HeldReplies&) = delete;
  HeldReplies& operator=(const HeldReplies&) = delete;

  // How many bytes of the client's output may go out, when it may tell of changes up to `position`
  // and those up to `durable` are safe. What may not is let go by a release() of `position`.
  // Positions never get smaller.
  size_t sendable(Client& client, uint64_t position, uint64_t durable);
  // Lets go what waited for `durable` or less.
  void release(uint64_t durable);
  // The bytes behind `durable` could not be made durable: whoever waits for them never gets the
  // reply, as if this server had died.
  void disconnect_beyond(uint64_t durable);
  // The same for everyone with output that has not been released.
  void disconnect_all();

  bool empty() const { return waiting_.empty(); }

 private:
  struct Waiting {
    uint64_t position;
    uint64_t client_id;
  };

  Executor& executor_;
  std::deque<Waiting> waiting_;  // by position; a client is there once
};

}  // namespace tandem
