#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "replication/handshake.h"
#include "replication/history.h"
#include "replication/info.h"
#include "replication/replica_stream.h"
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
  bool compressed = false;    // what it is sent: it can, and repl-compression was on when it came
  bool announce_sync = true;  // false: it asked with SYNC, which has no FULLRESYNC line
  // Where it reads the replication stream. Null until it has a place there, and for one that wants
  // a snapshot only. The link's output shares it.
  std::shared_ptr<ReplicaStream> stream;
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
  // `stream_limit`: the last offset of the stream that may go out at present.
  ReplicaSet(Config* config, Clock* clock, Executor* executor, ReplicaStream::Limit stream_limit)
      : config_(*config),
        clock_(*clock),
        executor_(*executor),
        stream_limit_(std::move(stream_limit)) {}

  // Makes the client a replica.
  Replica& add(Client& client, const ReplicaHandshake& handshake);
  // Null for a client that is no replica.
  Replica* find(const Client& client);
  const Replica* find(const Client& client) const;
  void remove(const Client& client);
  bool empty() const { return replicas_.empty(); }
  size_t size() const { return replicas_.size(); }
  template <typename Visit>
  void for_each(Visit&& visit) {
    for (auto& [id, replica] : replicas_) visit(replica);
  }

  // The backlog has grown: sends that to everyone online, and closes those that are too far behind.
  void stream_grew(const Backlog& backlog);
  // More of the stream may go out than before.
  void flush();
  // Appends to a replica's output: answers, and the snapshot that the sender itself holds back.
  void send(Replica& replica, std::string_view bytes);
  // The same for compressed bytes, whose raw ones add_raw_bytes() counts.
  void send_packed(Replica& replica, std::string_view bytes);
  // The replica is to get the stream from `offset` on, once it is online. Until then it is kept.
  void begin_stream(Replica& replica, Backlog* backlog, uint64_t offset);
  void set_online(Replica& replica);
  void heard_from(Replica& replica);

  // Online replicas that have acknowledged `offset`, or have it in their AOF.
  int64_t count_acknowledged(uint64_t offset, bool in_aof = false) const;
  // Whether every replica, online or not, has acknowledged `offset`.
  bool all_acknowledged(uint64_t offset) const;
  // Online replicas that were heard from within min-replicas-max-lag.
  int64_t count_good() const;
  std::vector<ReplicaInfo> info() const;
  // What waits to be sent to them, without the stream.
  size_t output_bytes() const;

  // Once a second: keeps waiting replicas' links alive and closes those of silent ones.
  void cron();
  void close_all();
  // Bytes sent to replicas since the start: on the wire, and before they were compressed.
  uint64_t bytes_out() const { return bytes_out_; }
  uint64_t raw_bytes_out() const { return raw_bytes_out_; }
  // What wire bytes of a snapshot, counted when they were sent, stand for besides.
  void add_raw_bytes(uint64_t bytes) { raw_bytes_out_ += bytes; }

 private:
  void append(Replica& replica, std::string_view bytes, size_t raw);
  void count_sent(Client& client, size_t raw, size_t wire);
  void check_limits();
  bool timed_out(Replica& replica);

  Config& config_;
  Clock& clock_;
  Executor& executor_;
  const ReplicaStream::Limit stream_limit_;
  uint64_t bytes_out_ = 0;
  uint64_t raw_bytes_out_ = 0;
  uint64_t next_check_offset_ = 0;  // of the stream, for limits
  // Of the history that the replicas follow; null while it was not needed.
  std::shared_ptr<StreamCompressor> compressor_;
  std::map<uint64_t, Replica> replicas_;  // by client id: in the order they came
};

}  // namespace tandem
