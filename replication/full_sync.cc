#include "replication/full_sync.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <utility>

#include "persistence/rdb_file.h"
#include "persistence/rdb_format.h"
#include "replication/snapshot_send.h"
#include "server/base/byte_stream.h"
#include "server/base/log.h"

namespace tandem {

namespace {

constexpr size_t kMarkLength = 40;
constexpr int kOldVersion = 10;  // the newest that a Redis 7.0 reads
// A snapshot is read no faster than its receivers take it: what may wait in a link, and below what
// it goes on.
constexpr size_t kHighWater = 4 << 20;
constexpr size_t kLowWater = 1 << 20;
constexpr int kPipeBytes = 1 << 20;
constexpr size_t kFilePiece = 256 * 1024;
constexpr uint64_t kPumpMs = 5;

Result<TransferPipe> system_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return make_error(ErrorKind::kIo, std::string("pipe: ") + std::strerror(errno));
  }
  fcntl(ends[0], F_SETFL, O_NONBLOCK);
  // So that the child seldom waits for the loop. Where this is not allowed the usual size does.
  (void)fcntl(ends[1], F_SETPIPE_SZ, kPipeBytes);
  return TransferPipe{ends[0], ends[1]};
}

class PipeSink final : public ByteSink {
 public:
  explicit PipeSink(int fd) : fd_(fd) {}
  Status write(std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written < 0) {
        if (errno == EINTR) continue;
        return make_error(ErrorKind::kIo,
                          std::string("writing to the parent process: ") + std::strerror(errno));
      }
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return {};
  }

 private:
  int fd_;
};

// The child's whole work; its exit code.
int report(const Status& status) {
  if (!status.ok()) log_warning("Writing a snapshot for replicas: " + status.error().to_string());
  return status.ok() ? 0 : 1;
}

bool same_snapshot(const Replica& a, const Replica& b) {
  return a.handshake.exclude_keys == b.handshake.exclude_keys &&
         a.handshake.exclude_functions == b.handshake.exclude_functions &&
         a.handshake.version_given == b.handshake.version_given &&
         a.handshake.reads_field_expiry == b.handshake.reads_field_expiry &&
         a.compressed == b.compressed;
}

}  // namespace

// One snapshot and those who get it.
struct FullSync::Transfer {
  uint64_t id = 0;
  bool diskless = true;
  uint64_t offset = 0;  // of the stream, where the snapshot was taken
  std::string history_id;
  std::vector<Replica*> replicas;
  bool compressed = false;
  std::shared_ptr<SharedCounter> raw_bytes = std::make_shared<SharedCounter>();
  bool child_ended = false;
  bool failed = false;

  PipeId pipe = 0;
  bool pipe_ended = false;
  bool pipe_paused = false;
  std::string mark;

  std::string file_path;
  std::unique_ptr<ReadableFile> file;
  std::map<Replica*, uint64_t> positions;  // of those that are being sent the file
};

FullSync::FullSync(Parts parts) : parts_(std::move(parts)) {
  if (!parts_.make_pipe) parts_.make_pipe = system_pipe;
}

FullSync::~FullSync() {
  parts_.loop.cancel(start_timer_);
  parts_.loop.cancel(pump_timer_);
}

bool FullSync::wants_diskless(const Replica& replica) const {
  const bool wanted = parts_.config.settings().repl_diskless_sync || replica.handshake.filtered();
  return wanted && replica.handshake.capa_eof;
}

void FullSync::request(Replica& replica) {
  replica.state = Replica::State::kWaitsForStart;
  if (join_running(replica)) return;
  const Settings& settings = parts_.config.settings();
  size_t waiting = 0;
  parts_.replicas.for_each([&waiting](const Replica& other) {
    if (other.state == Replica::State::kWaitsForStart) ++waiting;
  });
  const bool enough = settings.repl_diskless_sync_max_replicas > 0 &&
                      static_cast<int64_t>(waiting) >= settings.repl_diskless_sync_max_replicas;
  // Others may come soon and share the snapshot; a tool comes alone.
  const bool wait = wants_diskless(replica) && !replica.handshake.rdb_only && !enough;
  const int64_t delay_ms = wait ? settings.repl_diskless_sync_delay * 1000 : 0;
  if (delay_ms > 0) log_notice("Delay next BGSAVE for diskless SYNC");
  schedule_start(delay_ms);
}

// A snapshot that is still being written to a file serves whoever comes meanwhile.
bool FullSync::join_running(Replica& replica) {
  if (wants_diskless(replica)) return false;
  for (const auto& transfer : transfers_) {
    if (transfer->diskless || transfer->child_ended || transfer->replicas.empty()) continue;
    if (!same_snapshot(replica, *transfer->replicas.front())) continue;
    log_notice("Waiting for end of BGSAVE for SYNC");
    transfer->replicas.push_back(&replica);
    replica.state = Replica::State::kWaitsForEnd;
    begin(*transfer, replica);
    return true;
  }
  return false;
}

void FullSync::schedule_start(int64_t delay_ms) {
  const int64_t at_ms = parts_.clock.monotonic_ms() + delay_ms;
  if (start_timer_ != 0) {
    if (at_ms >= start_at_ms_) return;
    parts_.loop.cancel(start_timer_);
  }
  start_at_ms_ = at_ms;
  start_timer_ = parts_.loop.after(static_cast<uint64_t>(delay_ms), [this] {
    start_timer_ = 0;
    start_at_ms_ = 0;
    start_if_due();
  });
}

void FullSync::start_if_due() {
  // Not inside a command that is running for long: its changes are half done.
  if (start_timer_ != 0 || parts_.executor.call_depth() > 0) return;
  if (parts_.persistence.child() != ChildPurpose::kNone) return;
  std::vector<Replica*> group = next_group();
  if (!group.empty()) start(std::move(group));
}

std::vector<Replica*> FullSync::next_group() {
  std::vector<Replica*> group;
  parts_.replicas.for_each([this, &group](Replica& replica) {
    if (replica.state != Replica::State::kWaitsForStart || replica.client->closing()) return;
    if (!group.empty() && (!same_snapshot(replica, *group.front()) ||
                           wants_diskless(replica) != wants_diskless(*group.front()))) {
      return;
    }
    group.push_back(&replica);
  });
  return group;
}

void FullSync::start(std::vector<Replica*> group) {
  auto owned = std::make_unique<Transfer>();
  Transfer* transfer = owned.get();
  transfer->id = next_transfer_++;
  transfer->diskless = wants_diskless(*group.front());
  transfer->offset = parts_.history.offset();
  transfer->history_id = parts_.history.id();
  transfer->replicas = std::move(group);
  transfer->compressed = transfer->replicas.front()->compressed;
  transfers_.push_back(std::move(owned));
  log_notice(std::string("Starting BGSAVE for SYNC with target: ") +
             (transfer->diskless ? "replicas sockets" : "disk"));
  // Replicas that load the snapshot have no database selected.
  parts_.executor.effects().forget_selected_db();
  const Status started = start_child(transfer, *transfer->replicas.front());
  if (!started.ok()) {
    transfer->child_ended = transfer->pipe_ended = true;
    fail(*transfer, started.error().to_string());
    erase_finished();
    return;
  }
  for (Replica* replica : transfer->replicas) {
    replica->state = transfer->diskless ? Replica::State::kReceives : Replica::State::kWaitsForEnd;
    begin(*transfer, *replica);
    if (transfer->diskless) {
      parts_.replicas.send(*replica, "$EOF:" + transfer->mark + "\r\n");
    }
  }
}

// The replica learns where the snapshot stands, and the stream is kept for it from there on.
void FullSync::begin(const Transfer& transfer, Replica& replica) {
  if (!replica.handshake.rdb_only) {
    parts_.replicas.begin_stream(replica, parts_.history.backlog(), transfer.offset + 1);
  }
  if (!replica.announce_sync) return;
  parts_.replicas.send(replica, "+FULLRESYNC " + transfer.history_id + " " +
                                    std::to_string(transfer.offset) + "\r\n");
}

Status FullSync::start_child(Transfer* transfer, const Replica& kind) {
  SnapshotSource source = parts_.persistence.snapshot_source();
  if (kind.handshake.exclude_keys) source.keyspace = nullptr;
  if (kind.handshake.exclude_functions) source.libraries.clear();
  SnapshotOptions options = parts_.persistence.snapshot_options();
  if (!kind.handshake.version_given) {
    options.version = kOldVersion;
  } else if (!kind.handshake.reads_field_expiry) {
    options.version = std::min(options.version, rdb::kVersion);
  }
  return transfer->diskless ? fork_into_pipe(transfer, std::move(source), options)
                            : fork_into_file(transfer, std::move(source), options);
}

Status FullSync::fork_into_pipe(Transfer* transfer, SnapshotSource source,
                                SnapshotOptions options) {
  const Result<TransferPipe> made = parts_.make_pipe();
  if (!made.ok()) return made.error();
  const TransferPipe pipe = made.value();
  const pid_t parent = getpid();
  auto body = [pipe, parent, source = std::move(source), options, compressed = transfer->compressed,
               raw_bytes = transfer->raw_bytes] {
    // With its own copy of the reading end the child would never learn that the parent has gone.
    if (getpid() != parent) close(pipe.read_fd);
    PipeSink sink(pipe.write_fd);
    return report(send_snapshot(&sink, source, options, compressed, raw_bytes.get()));
  };
  const uint64_t id = transfer->id;
  const Status forked = parts_.persistence.fork_child(
      ChildPurpose::kReplication, std::move(body),
      [this, id](const ChildExit& exit) { child_ended(id, exit.ok); });
  close(pipe.write_fd);
  if (!forked.ok()) {
    close(pipe.read_fd);
    return forked;
  }
  transfer->mark = parts_.random.hex(kMarkLength);
  transfer->pipe =
      parts_.loop.read_pipe(pipe.read_fd, [this, id](std::string_view piece) { relay(id, piece); });
  return {};
}

Status FullSync::fork_into_file(Transfer* transfer, SnapshotSource source,
                                SnapshotOptions options) {
  const std::string directory = parts_.config.settings().dir;
  const std::string name =
      "temp-sync-" + std::to_string(getpid()) + "-" + std::to_string(transfer->id) + ".rdb";
  transfer->file_path = join_path(directory, name);
  transfer->pipe_ended = true;
  auto body = [env = &parts_.env, directory, name, source = std::move(source), options,
               compressed = transfer->compressed, raw_bytes = transfer->raw_bytes] {
    return report(replace_file(
        *env, directory, name + ".part", name, options.sync_every, [&](ByteSink* sink) {
          return send_snapshot(sink, source, options, compressed, raw_bytes.get());
        }));
  };
  return parts_.persistence.fork_child(
      ChildPurpose::kReplication, std::move(body),
      [this, id = transfer->id](const ChildExit& exit) { child_ended(id, exit.ok); });
}

FullSync::Transfer* FullSync::find(uint64_t id) {
  const auto found = std::find_if(transfers_.begin(), transfers_.end(),
                                  [id](const auto& transfer) { return transfer->id == id; });
  return found == transfers_.end() ? nullptr : found->get();
}

void FullSync::child_ended(uint64_t transfer_id, bool ok) {
  if (Transfer* transfer = find(transfer_id)) {
    transfer->child_ended = true;
    if (transfer->failed) {
      // It was ended because nobody waits any more.
    } else if (!ok) {
      fail(*transfer, "Background transfer terminated with error");
    } else if (!transfer->diskless) {
      open_file(*transfer);
    } else if (transfer->pipe_ended) {
      finish_pipe(*transfer);
    }
  }
  erase_finished();
  // The next group; not from here: the child still counts as running.
  if (start_timer_ == 0) schedule_start(0);
}

void FullSync::relay(uint64_t transfer_id, std::string_view piece) {
  Transfer* transfer = find(transfer_id);
  if (transfer == nullptr) return;
  if (piece.empty()) {
    transfer->pipe_ended = true;
    if (transfer->child_ended && !transfer->failed) finish_pipe(*transfer);
    erase_finished();
    return;
  }
  for (Replica* replica : transfer->replicas) parts_.replicas.send_packed(*replica, piece);
  if (largest_output(*transfer) > kHighWater && !transfer->pipe_paused) {
    transfer->pipe_paused = true;
    parts_.loop.pause_pipe(transfer->pipe, true);
    schedule_pump();
  }
}

size_t FullSync::largest_output(const Transfer& transfer) const {
  size_t largest = 0;
  for (const Replica* replica : transfer.replicas) {
    const Client& client = *replica->client;
    if (client.closing() || client.link() == nullptr) continue;
    largest = std::max(largest, client.link()->output().own_size());
  }
  return largest;
}

void FullSync::finish_pipe(Transfer& transfer) {
  log_notice("Diskless rdb transfer, done reading from pipe");
  for (Replica* replica : std::vector<Replica*>(transfer.replicas)) {
    parts_.replicas.send(*replica, transfer.mark);
    sent(transfer, *replica);
  }
}

// The replica has been given the whole snapshot.
void FullSync::sent(Transfer& transfer, Replica& replica) {
  parts_.replicas.add_raw_bytes(transfer.raw_bytes->value());
  if (replica.handshake.rdb_only) {
    log_notice("RDB transfer completed, rdb only replica (" + replica.name() + ") is disconnected");
    leave(transfer, replica);
    replica.state = Replica::State::kLoads;
    replica.client->close_after_reply();
  } else if (transfer.diskless) {
    // A reader that looks for the mark at the end of what it received must not find stream bytes
    // there: they wait until it has told that it is done.
    replica.state = Replica::State::kLoads;
    parts_.replicas.heard_from(replica);
  } else {
    go_online(transfer, replica);
  }
}

void FullSync::go_online(Transfer& transfer, Replica& replica) {
  leave(transfer, replica);
  parts_.replicas.set_online(replica);
}

void FullSync::acknowledged(Replica& replica) {
  if (replica.state != Replica::State::kLoads) return;
  for (const auto& transfer : transfers_) {
    const auto& receivers = transfer->replicas;
    if (std::find(receivers.begin(), receivers.end(), &replica) == receivers.end()) continue;
    go_online(*transfer, replica);
    break;
  }
  erase_finished();
}

void FullSync::open_file(Transfer& transfer) {
  Result<std::unique_ptr<ReadableFile>> opened = parts_.env.open_read(transfer.file_path);
  if (!opened.ok()) {
    fail(transfer, opened.error().to_string());
    return;
  }
  transfer.file = std::move(opened).value();
  for (Replica* replica : transfer.replicas) {
    replica->state = Replica::State::kReceives;
    transfer.positions[replica] = 0;
    parts_.replicas.send(*replica, "$" + std::to_string(transfer.file->size()) + "\r\n");
  }
  schedule_pump();
}

void FullSync::send_file(Transfer& transfer) {
  for (auto it = transfer.positions.begin(); it != transfer.positions.end();) {
    Replica& replica = *it->first;
    if (!send_file_to(transfer, replica, &it->second)) return;
    const bool done = it->second == transfer.file->size();
    it = done ? transfer.positions.erase(it) : std::next(it);
    if (done) sent(transfer, replica);
  }
}

// False when the file cannot be read: then the transfer has failed.
bool FullSync::send_file_to(Transfer& transfer, Replica& replica, uint64_t* position) {
  Client& client = *replica.client;
  if (client.closing() || client.link() == nullptr) return true;
  std::string piece(kFilePiece, '\0');
  while (*position < transfer.file->size() && client.link()->output().own_size() < kLowWater) {
    const Result<size_t> count = transfer.file->read(*position, piece.data(), piece.size());
    if (!count.ok() || count.value() == 0) {
      fail(transfer,
           count.ok() ? "the snapshot file has become shorter" : count.error().to_string());
      return false;
    }
    parts_.replicas.send_packed(replica, std::string_view(piece).substr(0, count.value()));
    *position += count.value();
  }
  return true;
}

void FullSync::schedule_pump() {
  if (pump_timer_ != 0) return;
  pump_timer_ = parts_.loop.after(kPumpMs, [this] {
    pump_timer_ = 0;
    pump();
  });
}

void FullSync::pump() {
  bool more = false;
  for (const auto& transfer : transfers_) {
    if (transfer->pipe_paused && largest_output(*transfer) < kLowWater) {
      transfer->pipe_paused = false;
      parts_.loop.pause_pipe(transfer->pipe, false);
    }
    if (transfer->file != nullptr) send_file(*transfer);
    more = more || transfer->pipe_paused || !transfer->positions.empty();
  }
  erase_finished();
  if (more) schedule_pump();
}

void FullSync::fail(Transfer& transfer, std::string_view reason) {
  transfer.failed = true;
  log_warning("Full sync with " + std::to_string(transfer.replicas.size()) +
              " replica(s) failed: " + std::string(reason));
  transfer.positions.clear();
  for (Replica* replica : transfer.replicas) replica->client->close_now();
}

void FullSync::leave(Transfer& transfer, Replica& replica) {
  std::erase(transfer.replicas, &replica);
  transfer.positions.erase(&replica);
}

void FullSync::replica_gone(Replica& replica) {
  for (const auto& transfer : transfers_) leave(*transfer, replica);
  erase_finished();
}

void FullSync::erase_finished() {
  for (auto it = transfers_.begin(); it != transfers_.end();) {
    Transfer& transfer = **it;
    if (!transfer.replicas.empty()) {
      ++it;
      continue;
    }
    if (transfer.child_ended && transfer.pipe_ended) {
      transfer.file.reset();
      if (!transfer.file_path.empty() && parts_.env.exists(transfer.file_path)) {
        (void)parts_.env.remove(transfer.file_path);
      }
      it = transfers_.erase(it);
      continue;
    }
    if (!transfer.child_ended && !transfer.failed) {
      log_notice("Diskless rdb transfer, last replica dropped, killing fork child.");
      transfer.failed = true;
      parts_.persistence.kill_child(ChildPurpose::kReplication);
    }
    // Nobody is left to wait for: what the pipe still holds is dropped as it comes.
    if (transfer.pipe_paused) {
      transfer.pipe_paused = false;
      parts_.loop.pause_pipe(transfer.pipe, false);
    }
    ++it;
  }
}

}  // namespace tandem
