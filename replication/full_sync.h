#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "persistence/persistence.h"
#include "replication/history.h"
#include "replication/replica_set.h"
#include "server/base/clock.h"
#include "server/base/config.h"
#include "server/base/env.h"
#include "server/base/link.h"
#include "server/base/random.h"
#include "server/base/result.h"
#include "server/exec/executor.h"

namespace tandem {

// A pipe through which a child process sends a snapshot. Whoever asked for it closes both ends.
struct TransferPipe {
  int read_fd = -1;
  int write_fd = -1;
};

// Gives replicas that cannot go on where they were a snapshot. A child process writes it, into a
// pipe from where it is relayed to all replicas that waited for it (diskless), or into a file.
// The stream that comes meanwhile stays in the backlog for them and follows.
class FullSync {
 public:
  struct Parts {
    Config& config;
    Env& env;
    Loop& loop;
    Clock& clock;
    Executor& executor;
    Persistence& persistence;
    ReplicaSet& replicas;
    ReplicationHistory& history;
    Random& random;
    std::function<Result<TransferPipe>()> make_pipe;
  };
  explicit FullSync(Parts parts);
  ~FullSync();

  // The replica waits from now on. Others may join it before the snapshot starts.
  void request(Replica& replica);
  // A replica that loads has told that it is done: the stream follows.
  void acknowledged(Replica& replica);
  // The connection has ended.
  void replica_gone(Replica& replica);
  // Once a second: what could not start yet.
  void cron() { start_if_due(); }

 private:
  struct Transfer;
  using Transfers = std::list<std::unique_ptr<Transfer>>;

  bool wants_diskless(const Replica& replica) const;
  bool join_running(Replica& replica);
  void schedule_start(int64_t delay_ms);
  void start_if_due();
  std::vector<Replica*> next_group();
  void start(std::vector<Replica*> group);
  void begin(const Transfer& transfer, Replica& replica);
  Status start_child(Transfer* transfer, const Replica& kind);
  Status fork_into_pipe(Transfer* transfer, SnapshotSource source, SnapshotOptions options);
  Status fork_into_file(Transfer* transfer, SnapshotSource source, SnapshotOptions options);
  void child_ended(uint64_t transfer_id, bool ok);
  void relay(uint64_t transfer_id, std::string_view piece);
  void finish_pipe(Transfer& transfer);
  void open_file(Transfer& transfer);
  void send_file(Transfer& transfer);
  bool send_file_to(Transfer& transfer, Replica& replica, uint64_t* position);
  void sent(Transfer& transfer, Replica& replica);
  void go_online(Transfer& transfer, Replica& replica);
  void pump();
  void schedule_pump();
  void fail(Transfer& transfer, std::string_view reason);
  void leave(Transfer& transfer, Replica& replica);
  void erase_finished();
  Transfer* find(uint64_t id);
  size_t largest_output(const Transfer& transfer) const;

  Parts parts_;
  Transfers transfers_;
  uint64_t next_transfer_ = 1;
  int64_t start_at_ms_ = 0;
  TimerId start_timer_ = 0;
  TimerId pump_timer_ = 0;
};

}  // namespace tandem
