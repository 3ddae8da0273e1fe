#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>

#include "tests/support/disk_faults.h"
#include "tests/support/preloaded_server.h"

namespace tandem {

// A disk that fails when it is told to, for servers started with program(). It is that of the
// server's own directory, through all its lives.
class FaultyDisk {
 public:
  FaultyDisk();

  // What to start instead of tandem-server.
  std::string program() const { return server_.program(); }

  // From now on these fail with `error` (an errno) on files whose path contains `part`. The first
  // `room` bytes can still be written.
  void fail_writes(std::string_view part, int error, int64_t room = 0);
  // What a sync that fails should have made durable is lost, even though the next one succeeds.
  void fail_syncs(std::string_view part, int error) { fail(DiskFaults::kSync, part, error); }
  // `part` is of the new name.
  void fail_renames(std::string_view part, int error) { fail(DiskFaults::kRename, part, error); }
  // Of files opened to be written.
  void fail_opens(std::string_view part, int error) { fail(DiskFaults::kOpen, part, error); }
  void delay_syncs(int milliseconds) { faults_->sync_delay_ms = milliseconds; }
  void heal();

  // How many operations have failed so far.
  uint64_t failures() const;

  // Of each file below the directory keeps what has been synced, and of the rest a random part or
  // nothing. Names are kept as they are. For when no server runs there.
  void lose_power(const std::string& directory, std::mt19937_64& random);

 private:
  void fail(DiskFaults::Operation operation, std::string_view part, int error);

  PreloadedServer server_;
  DiskFaults* faults_;
};

}  // namespace tandem
