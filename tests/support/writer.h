#pragma once

#include <atomic>
#include <thread>

#include "tests/support/process.h"

namespace tandem {

// Writes to a server from a thread of its own, half of it through functions of the example library,
// until it is stopped or the server goes away.
class Writer {
 public:
  // `may_lose_server`: the end of the connection ends the writing and is no failure.
  explicit Writer(const ServerProcess& server, bool may_lose_server = false);
  ~Writer() { stop(); }
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  void stop();
  // Awaits that this many more rounds of writes have been answered.
  bool await_rounds(int count);
  // Rounds answered: the least that the key "flow:count" holds on a server that lost nothing.
  int rounds() const { return rounds_; }

 private:
  void run();
  void write_round(int round);

  RespClient client_;
  const bool may_lose_server_;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> rounds_ = 0;
  std::thread thread_;
};

}  // namespace tandem
