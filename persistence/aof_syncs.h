#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <utility>

#include "persistence/aof_tail.h"
#include "server/base/clock.h"
#include "server/base/env.h"

namespace tandem {

// Makes the AOF's file durable off the loop, with overlapping syncs.
//
// A client whose write comes while a sync runs would wait for two: the rest of that one and all of
// the next. So the next one begins while the first still runs. How soon depends on how long syncs
// take at present: slow ones follow each other closely, as all that they do is wait; quick ones
// leave each other the time to gather some writes, as each costs the machine something.
class AofSyncs {
 public:
  // `ended` is called on the loop with each sync's outcome and how long it took.
  using Ended = std::function<void(const std::shared_ptr<AofTail>& file,
                                   const AofTail::Synced& synced, int64_t took_us)>;

  AofSyncs(Env& env, Clock& clock, Ended ended)
      : env_(env), clock_(clock), ended_(std::move(ended)) {}
  ~AofSyncs() { *alive_ = false; }
  AofSyncs(const AofSyncs&) = delete;
  AofSyncs& operator=(const AofSyncs&) = delete;

  // Sees to it that a sync begins which covers all that has been written to the file, unless as
  // many as may be are under way: then the end of one is the time to ask again.
  void cover(const std::shared_ptr<AofTail>& file);
  bool any() const { return running_ > 0; }

 private:
  void start(size_t number, const std::shared_ptr<AofTail>& file);
  void end(size_t number, const std::shared_ptr<AofTail>& file, const AofTail::Synced& synced);

  struct Slot {
    bool used = false;
    int64_t began_us = 0;
  };

  Env& env_;
  Clock& clock_;
  const Ended ended_;
  std::array<Slot, AofTail::kSyncs> slots_;
  size_t running_ = 0;
  int64_t last_began_us_ = 0;
  int64_t usual_us_ = 0;  // that a sync takes
  // Background jobs may end after this object: they look here first.
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace tandem
