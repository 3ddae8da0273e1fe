#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "persistence/aof_manifest.h"
#include "persistence/keyspace_loader.h"
#include "persistence/progress.h"
#include "persistence/rdb_reader.h"
#include "server/base/env.h"
#include "server/base/result.h"
#include "server/exec/executor.h"

namespace tandem {

// Brings a dataset back by running an AOF's files through the Executor, as an internal client whose
// effects go nowhere. The caller has emptied the keyspace and suspended effects and expiry.
class AofLoader {
 public:
  struct Options {
    RdbReadOptions rdb;
    AccessRecord access = AccessRecord::kNone;
    bool accept_truncated = true;  // aof-load-truncated
    int64_t key_delay_us = 0;      // key-load-delay, see pause_for_tests()
    LoadWatch* watch = nullptr;
    // Replaces all function libraries, by those of an RDB base.
    std::function<Status(const std::vector<std::string>&)> load_libraries;
  };
  AofLoader(Env& env, Executor& executor, Options options);

  // Where a last file that was cut short has to be cut to be whole again.
  struct Cut {
    std::string path;
    uint64_t size = 0;
  };

  // How much there is to load, for the watch.
  void expect(uint64_t bytes) {
    if (options_.watch != nullptr) options_.watch->expect(bytes);
  }
  // Loads one file. `last`: it may end inside a command or a MULTI, when that is accepted; then
  // cut() tells. Errors name the file, the offset, and what to do about it.
  Status load_file(const std::string& path, bool last);

  const std::optional<Cut>& cut() const { return cut_; }
  const LoadCounts& counts() const { return counts_; }

 private:
  Status load_snapshot(ReadableFile& file, uint64_t* end);
  Status load_commands(ReadableFile& file, uint64_t offset, const std::string& path, bool last);
  Status accept(Args args);
  // The command that may be run for these arguments.
  Result<Command*> resolve(Args args);
  Status apply(Args args);
  Status finish_truncated(const std::string& path, uint64_t size, bool last);

  Env& env_;
  Executor& executor_;
  const Options options_;
  std::unique_ptr<Client> client_;
  LoadCounts counts_;
  std::optional<Cut> cut_;
  // An open MULTI: where it began, and what stands in it.
  std::optional<uint64_t> multi_began_;
  std::vector<std::vector<std::string>> multi_;
};

}  // namespace tandem
