#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "server/base/link.h"
#include "server/exec/executor.h"

namespace tandem {

// What a client in WAIT or WAITAOF waits for: that its last write has come this far.
struct WriteGoal {
  uint64_t offset = 0;        // of the write's end in the replication stream
  uint64_t log_position = 0;  // the same in the AOF; see Persistence::durable()
  int64_t replicas = 0;       // that have to have it
  bool durable = false;       // WAITAOF: in their AOFs
  bool local = false;         // WAITAOF: in this server's AOF too
};

// How far a write has come.
struct WriteReach {
  bool local = false;
  int64_t replicas = 0;

  bool satisfies(const WriteGoal& goal) const {
    return replicas >= goal.replicas && (local || !goal.local);
  }
  // As the command replies it.
  void reply(Reply& reply, const WriteGoal& goal) const;
};

// Clients that are blocked in WAIT or WAITAOF.
class WaitingClients final : public Blocker {
 public:
  using Reach = std::function<WriteReach(const WriteGoal& goal)>;
  WaitingClients(Loop* loop, Executor* executor, Reach reach)
      : loop_(*loop), executor_(*executor), reach_(std::move(reach)) {}
  ~WaitingClients() override;

  // Blocks the client until the goal is reached, or for `timeout_ms`; 0: for good.
  void add(Client& client, const WriteGoal& goal, int64_t timeout_ms);
  // A replica has acknowledged something, or the AOF has been synced.
  void acknowledged();
  void unblock(Client& client, std::string_view error) override;
  void client_closed(const Client& client);
  // Answers everyone with this error and closes them: this server has become a replica.
  void refuse_all(std::string_view error);

 private:
  struct Waiting {
    uint64_t client_id;
    WriteGoal goal;
    TimerId timer;  // 0: none
  };
  void timed_out(uint64_t client_id);
  void finish(uint64_t client_id, std::string_view error);
  void answer(const Waiting& waiting, std::string_view error = {});

  Loop& loop_;
  Executor& executor_;
  Reach reach_;
  std::vector<Waiting> waiting_;
};

}  // namespace tandem
