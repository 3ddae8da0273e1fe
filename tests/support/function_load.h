#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

#include "tests/support/process.h"

namespace tandem {

// Writes to a server through functions, one call at a time from a thread of its own, until it is
// stopped or a call is not answered as it should be. Each call counts two keys up and changes more
// of them, and the libraries are replaced all the while.
class FunctionLoad {
 public:
  // What a server needs for it.
  static void prepare(const ServerProcess& primary);
  // Whether the keys that every call counts up together are equal. True also while the server
  // cannot tell: it has no library yet, loads, or does not answer.
  static bool whole(const ServerProcess& server);
  // One call; its number, or the error as an exception.
  static int64_t call(RespClient& client);
  // The calls whose effects a server holds.
  static int64_t calls_in(const ServerProcess& server);

  // Every `wait_every`th call awaits that `replicas` replicas have it, for a while; 0: none does.
  FunctionLoad(const ServerProcess& primary, int wait_every, int replicas = 1);
  ~FunctionLoad() { stop(); }
  FunctionLoad(const FunctionLoad&) = delete;
  FunctionLoad& operator=(const FunctionLoad&) = delete;

  void stop();
  // Awaits that this many more calls have been answered.
  bool await_calls(int count);
  bool await_end();
  // The newest call that was answered, and the newest that WAIT counted on `replicas` replicas.
  int64_t answered() const { return answered_; }
  int64_t counted() const { return counted_; }
  // Why it ended by itself: the reply, or what happened to the connection. After stop().
  const std::string& ended_by() const { return ended_by_; }

 private:
  void run();
  void write(int round);

  RespClient client_;
  const int wait_every_;
  const std::string replicas_;
  std::atomic<bool> stopping_ = false;
  std::atomic<bool> ended_ = false;
  std::atomic<int> calls_ = 0;
  std::atomic<int64_t> answered_ = 0;
  std::atomic<int64_t> counted_ = 0;
  std::string ended_by_;
  std::thread thread_;
};

}  // namespace tandem
