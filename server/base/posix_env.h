#pragma once

#include <functional>
#include <memory>

#include "server/base/env.h"

namespace tandem {

// Hands a closure to the loop thread, which runs it on a later turn. Called from a worker thread.
using PostToLoop = std::function<void(std::function<void()>)>;

// The operating system's files, processes and threads. Work off the loop has a thread, work at
// leisure another one of lower priority, and each lane one. They start with their first job; the
// destructor runs what is queued and joins them, so `post_to_loop` must work until then.
//
// A forked child inherits no locks and of the parent's sockets at most the one it asked for, dies
// with the parent, and must not call run_in_background(): it has no workers and no loop.
std::unique_ptr<Env> make_posix_env(PostToLoop post_to_loop);

}  // namespace tandem
