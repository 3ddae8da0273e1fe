#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "replication/handshake.h"
#include "replication/history.h"
#include "replication/info.h"
#include "server/base/clock.h"
#include "server/base/config.h"
#include "server/exec/executor.h"

namespace tandem {

// A replica of this server, from its PSYNC to the end of its connection.
struct Replica {
  enum class State : uint8_t {
    kWaitsForStart,  // of a full sync
    kWaitsForEnd,    // the snapshot of a full sync to disk is being written
    kReceives,       // the snapshot is being sent
    kLoads,          // it has the whole snapshot; the stream waits for its acknowledgement
    kOnline,
  };

  Client* client = nullptr;
  std::string address;  // of the other end, without its port
  ReplicaHandshake handshake;
  State state = State::kWaitsForStart;
  bool announce_sync = true;  // false: it asked with SYNC, which has no FULLRESYNC line
  uint64_t acknowledged = 0;
  uint64_t aof_acknowledged = 0;
  // When it was last heard, and when it last took something; monotonic.
  int64_t heard_ms = 0;
  int64_t progress_ms = 0;
  uint64_t input_seen = 0;  // the client's bytes_in at that time
  uint64_t sent_seen = 0;   // how much it had taken then

  const std::string& ip() const;
  // "127.0.0.1:6380", as logs name a replica.
  std::string name() const;
};

// The replicas that are connected.
class ReplicaSet {
 public:
  ReplicaSet(Config* config, Clock* clock, Executor* executor)
      : config_(*config), clock_(*clock), executor_(*executor) {}

  // Makes the client a replica.
  Replica& add(Client& client, const ReplicaHandshake& handshake);
  // Null for a client that is no replica.
  Replica* find(const Client& client);
  void remove(const Client& client) { replicas_.erase(client.id); }
  bool empty() const { return replicas_.empty(); }
  size_t size() const { return replicas_.size(); }
  template <typename Visit>
  void for_each(Visit&& visit) {
    for (auto& [id, replica] : replicas_) visit(replica);
  }

  // The stream goes to everyone online.
  void feed(std::string_view bytes);
  // Appends to one replica's output, and closes it when too much is waiting there.
  void send(Replica& replica, std::string_view bytes);
  // The same for what the sender itself holds back: output limits are about the stream.
  void send_snapshot(Replica& replica, std::string_view bytes);
  void send_backlog(Replica& replica, const Backlog& backlog, uint64_t from);
  void set_online(Replica& replica);
  void heard_from(Replica& replica);

  // Online replicas that have acknowledged `offset`, or have it in their AOF.
  int64_t count_acknowledged(uint64_t offset, bool in_aof = false) const;
  // Online replicas that were heard from within min-replicas-max-lag.
  int64_t count_good() const;
  std::vector<ReplicaInfo> info() const;
  // What waits to be sent to them.
  size_t output_bytes() const;

  // Once a second: keeps waiting replicas' links alive and closes those of silent ones.
  void cron();
  void close_all();
  // Bytes sent to replicas since the start.
  uint64_t bytes_out() const { return bytes_out_; }

 private:
  void appended(Replica& replica, size_t length);
  bool timed_out(Replica& replica);

  Config& config_;
  Clock& clock_;
  Executor& executor_;
  uint64_t bytes_out_ = 0;
  std::map<uint64_t, Replica> replicas_;  // by client id: in the order they came
};

}  // namespace tandem
