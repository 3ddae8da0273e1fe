#pragma once

namespace tandem {

// SIGINT, after a first SIGINT or SIGTERM that has not ended the server yet, ends it on the spot:
// nothing is saved, and the exit code is 1. That works wherever the server is, in its final save
// or in a function that never ends, as the handler itself does it.
//
// Call this once the loop watches both signals, in the directory and the process that the server
// runs in.
void end_at_second_sigint();

// The server stays after all: the next signal is a first one again.
void forget_first_signal();

}  // namespace tandem
