#include "replication/replica_set.h"

#include <algorithm>

#include "server/base/log.h"

namespace tandem {

namespace {

// "::1" from "[::1]:52114".
std::string without_port(const std::string& address) {
  std::string host = address.substr(0, address.rfind(':'));
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return host;
}

}  // namespace

const std::string& Replica::ip() const {
  return handshake.ip_address.empty() ? address : handshake.ip_address;
}

std::string Replica::name() const {
  if (handshake.listening_port != 0) {
    return ip() + ":" + std::to_string(handshake.listening_port);
  }
  return ip() + ":<unknown-replica-port>";
}

Replica& ReplicaSet::add(Client& client, const ReplicaHandshake& handshake) {
  client.set_kind(ClientKind::kReplica);
  Replica& replica = replicas_[client.id];
  replica.client = &client;
  replica.address = without_port(client.link()->peer_address());
  replica.handshake = handshake;
  replica.compressed =
      handshake.capa_lz4 && config_.settings().repl_compression == ReplCompression::kLz4;
  replica.heard_ms = replica.progress_ms = clock_.monotonic_ms();
  return replica;
}

Replica* ReplicaSet::find(const Client& client) {
  const auto found = replicas_.find(client.id);
  return found == replicas_.end() ? nullptr : &found->second;
}

const Replica* ReplicaSet::find(const Client& client) const {
  const auto found = replicas_.find(client.id);
  return found == replicas_.end() ? nullptr : &found->second;
}

void ReplicaSet::remove(const Client& client) {
  const auto found = replicas_.find(client.id);
  if (found == replicas_.end()) return;
  // The link, which shares it, lives a little longer than the client.
  if (found->second.stream != nullptr) found->second.stream->end();
  replicas_.erase(found);
}

void ReplicaSet::flush() {
  for (auto& [id, replica] : replicas_) {
    Link* link = replica.client->link();
    if (replica.state == Replica::State::kOnline && link != nullptr) link->schedule_flush();
  }
}

void ReplicaSet::stream_grew(const Backlog& backlog) {
  flush();
  if (backlog.end_offset() < next_check_offset_) return;
  next_check_offset_ = backlog.end_offset() + backlog.block_bytes();
  check_limits();
}

void ReplicaSet::check_limits() {
  for (auto& [id, replica] : replicas_) {
    Client& client = *replica.client;
    if (client.link() != nullptr && !client.closing()) executor_.check_output_limit(client);
  }
}

void ReplicaSet::send(Replica& replica, std::string_view bytes) {
  append(replica, bytes, bytes.size());
}

void ReplicaSet::send_packed(Replica& replica, std::string_view bytes) {
  append(replica, bytes, 0);
}

void ReplicaSet::append(Replica& replica, std::string_view bytes, size_t raw) {
  Client& client = *replica.client;
  if (client.closing() || client.link() == nullptr) return;
  client.link()->output().append(bytes);
  client.link()->schedule_flush();
  count_sent(client, raw, bytes.size());
}

void ReplicaSet::begin_stream(Replica& replica, Backlog* backlog, uint64_t offset) {
  Client* client = replica.client;
  if (client->closing() || client->link() == nullptr) return;
  if (replica.compressed && compressor_ == nullptr) {
    compressor_ = std::make_shared<StreamCompressor>();
  }
  replica.stream = std::make_shared<ReplicaStream>(
      backlog, offset, replica.compressed ? compressor_ : nullptr, stream_limit_,
      [this, client](size_t raw, size_t wire) { count_sent(*client, raw, wire); });
  client->link()->output().set_source(replica.stream);
  next_check_offset_ = 0;
}

void ReplicaSet::count_sent(Client& client, size_t raw, size_t wire) {
  client.bytes_out += wire;
  executor_.stats().bytes_out += wire;
  bytes_out_ += wire;
  raw_bytes_out_ += raw;
}

void ReplicaSet::set_online(Replica& replica) {
  replica.state = Replica::State::kOnline;
  heard_from(replica);
  if (replica.stream != nullptr) {
    replica.stream->open();
    replica.client->link()->schedule_flush();
  }
  log_notice("Synchronization with replica " + replica.name() + " succeeded");
}

void ReplicaSet::heard_from(Replica& replica) { replica.heard_ms = clock_.monotonic_ms(); }

int64_t ReplicaSet::count_acknowledged(uint64_t offset, bool in_aof) const {
  int64_t count = 0;
  for (const auto& [id, replica] : replicas_) {
    const uint64_t reached = in_aof ? replica.aof_acknowledged : replica.acknowledged;
    if (replica.state == Replica::State::kOnline && reached >= offset) ++count;
  }
  return count;
}

bool ReplicaSet::all_acknowledged(uint64_t offset) const {
  return std::all_of(replicas_.begin(), replicas_.end(),
                     [offset](const auto& place) { return place.second.acknowledged >= offset; });
}

int64_t ReplicaSet::count_good() const {
  const int64_t max_lag_ms = config_.settings().min_replicas_max_lag * 1000;
  const int64_t now_ms = clock_.monotonic_ms();
  int64_t count = 0;
  for (const auto& [id, replica] : replicas_) {
    // Lag is told in whole seconds: one that is just being heard from again is still good.
    const int64_t lag_ms = (now_ms - replica.heard_ms) / 1000 * 1000;
    if (replica.state == Replica::State::kOnline && lag_ms <= max_lag_ms) ++count;
  }
  return count;
}

size_t ReplicaSet::output_bytes() const {
  size_t bytes = 0;
  for (const auto& [id, replica] : replicas_) {
    if (Link* link = replica.client->link()) bytes += link->output().capacity();
  }
  return bytes;
}

std::vector<ReplicaInfo> ReplicaSet::info() const {
  std::vector<ReplicaInfo> all;
  for (const auto& [id, replica] : replicas_) {
    ReplicaInfo& info = all.emplace_back();
    info.ip = replica.ip();
    info.port = replica.handshake.listening_port;
    info.offset = replica.acknowledged;
    info.compressed = replica.compressed;
    switch (replica.state) {
      case Replica::State::kWaitsForStart:
      case Replica::State::kWaitsForEnd:
        info.state = "wait_bgsave";
        break;
      case Replica::State::kReceives:
        info.state = "send_bulk";
        break;
      case Replica::State::kLoads:
      case Replica::State::kOnline:
        info.state = "online";
        info.lag_s = (clock_.monotonic_ms() - replica.heard_ms) / 1000;
        break;
    }
  }
  return all;
}

bool ReplicaSet::timed_out(Replica& replica) {
  const int64_t now_ms = clock_.monotonic_ms();
  const size_t waiting = replica.client->link()->output().own_size();
  // Line feeds, by which a loading replica says that it is alive, are no requests: only their
  // number is seen.
  if (replica.client->bytes_in != replica.input_seen) replica.heard_ms = now_ms;
  const uint64_t sent = replica.client->bytes_out - waiting;
  if (waiting == 0 || sent != replica.sent_seen) replica.progress_ms = now_ms;
  replica.input_seen = replica.client->bytes_in;
  replica.sent_seen = sent;
  const int64_t timeout_ms = config_.settings().repl_timeout * 1000;
  switch (replica.state) {
    case Replica::State::kWaitsForStart:
    case Replica::State::kWaitsForEnd:
      return false;
    case Replica::State::kReceives:
      return now_ms - replica.progress_ms > timeout_ms;
    case Replica::State::kLoads:
    case Replica::State::kOnline:
      return now_ms - replica.heard_ms > timeout_ms;
  }
  return false;
}

void ReplicaSet::cron() {
  for (auto& [id, replica] : replicas_) {
    if (replica.client->closing() || replica.client->link() == nullptr) continue;
    if (timed_out(replica)) {
      const bool streaming = replica.state == Replica::State::kOnline;
      log_warning("Disconnecting timedout replica (" +
                  std::string(streaming ? "streaming sync" : "full sync") + "): " + replica.name());
      replica.client->close_now();
    } else if (replica.state == Replica::State::kWaitsForStart ||
               replica.state == Replica::State::kWaitsForEnd) {
      // Keeps its own timeout from ending the connection before the snapshot begins.
      send(replica, "\n");
    }
  }
  check_limits();
}

void ReplicaSet::close_all() {
  for (auto& [id, replica] : replicas_) replica.client->close_now();
  // The same offsets may mean other bytes from now on.
  compressor_ = nullptr;
}

}  // namespace tandem
