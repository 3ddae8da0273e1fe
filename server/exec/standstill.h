#pragma once

#include "server/exec/executor.h"

namespace tandem {

// While clients are paused (Executor::paused()) the dataset of a primary stands still: keys that
// have expired are hidden, and go when the pause is over. Called before each request and when a
// pause has ended.
inline void follow_pause(Executor& executor) {
  Keyspace& keyspace = executor.keyspace();
  const bool others_expire =
      executor.state().is_replica || executor.config().settings().import_mode;
  if (others_expire || keyspace.expiry_policy() == ExpiryPolicy::kIgnore) return;
  keyspace.set_expiry_policy(executor.paused() ? ExpiryPolicy::kHide : ExpiryPolicy::kDelete);
}

}  // namespace tandem
