#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "server/base/link.h"
#include "server/exec/executor.h"

namespace tandem {

// Clients that are blocked in WAIT.
class WaitingClients final : public Blocker {
 public:
  // `count` tells how many replicas have acknowledged an offset.
  WaitingClients(Loop* loop, Executor* executor, std::function<int64_t(uint64_t offset)> count)
      : loop_(*loop), executor_(*executor), count_(std::move(count)) {}
  ~WaitingClients() override;

  // Blocks the client until `replicas` have `offset`, or for `timeout_ms`; 0: for good.
  void add(Client& client, uint64_t offset, int64_t replicas, int64_t timeout_ms);
  // A replica has acknowledged something.
  void acknowledged();
  void unblock(Client& client, std::string_view error) override;
  void client_closed(const Client& client);
  // Answers everyone with this error and closes them: this server has become a replica.
  void refuse_all(std::string_view error);

 private:
  struct Waiting {
    uint64_t client_id;
    uint64_t offset;
    int64_t replicas;
    TimerId timer;  // 0: none
  };
  void timed_out(uint64_t client_id);
  void finish(uint64_t client_id, std::string_view error);
  void answer(const Waiting& waiting, std::string_view error = {});

  Loop& loop_;
  Executor& executor_;
  std::function<int64_t(uint64_t)> count_;
  std::vector<Waiting> waiting_;
};

}  // namespace tandem
