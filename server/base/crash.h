#pragma once

#include <cstddef>

namespace tandem {

// Writes to `out` what the process was doing, in at most `capacity` bytes, and returns how many.
// Runs inside a signal handler of a process that is broken already: it may read memory and nothing
// else (no allocation, no lock, no stdio).
using CrashContextProvider = size_t (*)(const void* subject, char* out, size_t capacity);

// From now on a fault (SIGSEGV, SIGBUS, SIGFPE, SIGILL) or abort() writes a report to the log
// (signal, address, stack, running command) and then ends the process as the signal does by
// default. Builds with a sanitizer keep the sanitizer's handlers instead.
//
// The calling thread also gets a stack of its own for the handler, so that a stack overflow is
// reported.
void install_crash_handler();
void remove_crash_handler();

// Tells the handler whom to ask for the running command, with `subject` passed through. Both stay
// valid until the next call; null to forget them.
void set_crash_context_provider(CrashContextProvider provider, const void* subject);

}  // namespace tandem
