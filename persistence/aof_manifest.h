#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/result.h"

namespace tandem {

// One file of a multi-part AOF. `name` is relative to the AOF's directory.
struct AofFile {
  std::string name;
  uint64_t sequence = 0;
};

// Which files make up an AOF, as `NAME.manifest` lists them: "file F seq N type b|i|h" a line. The
// dataset is the base, if there is one, and then every incremental file in order. History files are
// no longer needed and wait to be deleted.
struct AofManifest {
  std::optional<AofFile> base;
  std::vector<AofFile> incremental;
  std::vector<AofFile> history;
  // The highest numbers given so far.
  uint64_t base_sequence = 0;
  uint64_t incremental_sequence = 0;

  bool empty() const { return !base && incremental.empty(); }

  // The manifest's text; kCorrupt names the line and what is wrong with it.
  static Result<AofManifest> parse(std::string_view text);
  std::string format() const;

  // Adds an incremental file `STEM.N.incr.aof` and returns it.
  const AofFile& add_incremental(const std::string& stem);
  // The name the next base file will have: `STEM.N.base.rdb` or `.aof`.
  std::string next_base_name(const std::string& stem, bool rdb) const;
  // Makes a file of that name the base; the old one and the incremental files in front of
  // incremental[keep_from] become history.
  void replace_base(const std::string& name, size_t keep_from);
};

}  // namespace tandem
