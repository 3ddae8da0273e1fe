#pragma once

#include <memory>
#include <optional>
#include <string>

#include "tests/peer/random/pipeline.h"
#include "tests/peer/random/sequence.h"
#include "tests/support/process.h"

namespace tandem::peer {

// Tandem and redis-server 7.0.15, given the same sequences.
class Comparison {
 public:
  Comparison();

  // Runs a sequence from empty databases, and returns what differed first: a reply, or what the
  // sequence left behind. The servers must go on: a lost connection throws.
  std::optional<std::string> run(const Sequence& sequence);

 private:
  // Both are sent the same, and their replies awaited.
  void exchange(const std::string& requests, size_t replies);
  void prepare(const Sequence& sequence);
  std::optional<std::string> run_batch(const Sequence& sequence, size_t begin, size_t end);
  std::optional<std::string> compare_events();
  std::optional<std::string> reload();
  std::optional<std::string> restore(const Step& step);
  std::optional<std::string> compare_step(const Step& step, size_t first);
  std::optional<std::string> compare_reply(const Words& command, size_t index);
  std::optional<std::string> compare_datasets();
  std::optional<std::string> compare_database(const std::string& database, bool digest_differs);

  ServerProcess tandem_;
  ServerProcess redis_;
  Pipeline ours_;
  Pipeline theirs_;
  // Subscribed to everything.
  RespClient our_events_;
  RespClient their_events_;
};

}  // namespace tandem::peer
