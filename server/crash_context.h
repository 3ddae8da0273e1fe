#pragma once

#include <cstddef>

namespace tandem {

// For set_crash_context_provider(), with an Executor as the subject: the client and the command
// that run now, long arguments cut. Nothing when the server is idle.
size_t describe_running_command(const void* executor, char* out, size_t capacity);

}  // namespace tandem
