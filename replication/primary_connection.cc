#include "replication/primary_connection.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "persistence/file_streams.h"
#include "persistence/rdb_file.h"
#include "replication/request.h"
#include "server/base/log.h"

namespace tandem {

namespace {

constexpr size_t kLongestLine = 64 * 1024;
constexpr size_t kKeptUnpacked = 1024 * 1024;
// How long a stream waits that came while a function runs.
constexpr uint64_t kBusyRetryMs = 1;

}  // namespace

// Stands between one link and the connection: a link may end after its owner has lost interest.
class PrimaryConnection::Session final : public LinkHandler,
                                         public std::enable_shared_from_this<Session> {
 public:
  Session(PrimaryConnection* owner, Client* client_in) : client(client_in), owner_(owner) {
    client->redirect_input(this);
  }
  size_t on_input(std::string_view input) override { return owner_->on_input(input); }
  size_t input_wanted() const override { return owner_->applier_.input_wanted(); }
  void on_closed(std::string_view reason) override { owner_->on_closed(reason); }

  // The link is of no more use. This object may be on the call stack.
  void end() {
    client->redirect_input(nullptr);
    client->close_now();
    client = nullptr;
  }

  Client* client;  // null: the link has ended

 private:
  PrimaryConnection* owner_;
};

PrimaryConnection::PrimaryConnection(Parts parts)
    : parts_(std::move(parts)),
      applier_(&parts_.executor, &parts_.persistence,
               [this](std::string_view bytes) { parts_.pass_on(bytes); }) {}

PrimaryConnection::~PrimaryConnection() {
  drop_transfer();
  end_session();
}

void PrimaryConnection::set_state(State state) {
  const bool was_up = link_up();
  state_ = state;
  if (was_up && !link_up()) down_since_ms_ = parts_.clock.monotonic_ms();
  if (was_up != link_up()) parts_.link_changed();
}

void PrimaryConnection::start(bool empty_too) {
  stop();
  empty_too_ = empty_too;
  set_state(State::kConnect);
  connect();
}

void PrimaryConnection::stop() {
  ++attempt_;
  drop_transfer();
  end_session();
  set_state(State::kNone);
  down_since_ms_ = -1;
}

void PrimaryConnection::end_session() {
  if (session_ == nullptr) return;
  session_->end();
  forget_session();
}

void PrimaryConnection::forget_session() {
  session_->client = nullptr;
  // It may be what is calling.
  parts_.loop.after(0, [ended = std::move(session_)] {});
  session_ = nullptr;
}

void PrimaryConnection::retry(std::string_view why) {
  if (!why.empty()) log_warning(why);
  ++attempt_;
  drop_transfer();
  end_session();
  set_state(State::kConnect);
}

void PrimaryConnection::connect() {
  const Settings& settings = parts_.config.settings();
  log_notice("Connecting to MASTER " + settings.replicaof_host + ":" +
             std::to_string(settings.replicaof_port));
  set_state(State::kConnecting);
  last_io_ms_ = parts_.clock.monotonic_ms();
  const uint64_t attempt = ++attempt_;
  parts_.loop.connect(
      settings.replicaof_host, static_cast<int>(settings.replicaof_port),
      [this, attempt, alive = std::weak_ptr<char>(alive_)](Result<std::unique_ptr<Link>> link) {
        if (alive.expired() || attempt != attempt_) return;
        connected(std::move(link));
      });
  log_notice("MASTER <-> REPLICA sync started");
}

void PrimaryConnection::connected(Result<std::unique_ptr<Link>> link) {
  if (!link.ok()) {
    retry("Error condition on socket for SYNC: " + link.error().to_string());
    return;
  }
  log_notice("Non blocking connect for SYNC fired the event.");
  std::unique_ptr<Link> owned = std::move(link).value();
  Client* client = parts_.executor.adopt_link(owned.get(), ClientKind::kPrimary);
  client->set_kind(ClientKind::kPrimary);
  session_ = std::make_shared<Session>(this, client);
  parts_.loop.attach(std::move(owned), client);
  last_io_ms_ = parts_.clock.monotonic_ms();
  handshake_.emplace(handshake_options());
  set_state(State::kHandshake);
  send(handshake_->begin());
}

PrimaryHandshake::Options PrimaryConnection::handshake_options() const {
  const Settings& settings = parts_.config.settings();
  PrimaryHandshake::Options options;
  options.user = settings.primaryuser;
  options.password = settings.primaryauth;
  options.listening_port =
      settings.replica_announce_port != 0 ? settings.replica_announce_port : settings.port;
  options.announce_ip = settings.replica_announce_ip;
  options.history_id = parts_.history.id();
  options.take_over = parts_.handing_over();
  options.next_offset = static_cast<int64_t>(parts_.history.offset()) + 1;
  return options;
}

void PrimaryConnection::send(std::string_view bytes) {
  Client& client = *session_->client;
  if (bytes.empty() || client.link() == nullptr) return;
  client.link()->output().append(bytes);
  client.link()->schedule_flush();
  client.bytes_out += bytes.size();
}

size_t PrimaryConnection::on_input(std::string_view input) {
  Client* client = session_->client;
  if (parts_.executor.call_depth() > 0) {
    // A function runs for long and lets other links be served: this one changes data and must not.
    client->link()->pause_input(true);
    parts_.loop.after(kBusyRetryMs, [held_back = std::weak_ptr<Session>(session_)] {
      const std::shared_ptr<Session> session = held_back.lock();
      if (session && session->client) session->client->link()->pause_input(false);
    });
    return 0;
  }
  last_io_ms_ = parts_.clock.monotonic_ms();
  size_t taken = 0;
  // What follows a snapshot or an answer may be in the same input.
  while (taken < input.size()) {
    const State before = state_;
    const std::string_view rest = input.substr(taken);
    size_t step = 0;
    if (state_ == State::kHandshake) step = handshake_input(rest);
    if (state_ == State::kReceives && before == state_) step = snapshot_input(rest);
    if (state_ == State::kConnected && before == state_) step = stream_input(rest);
    taken += step;
    if (step == 0 && state_ == before) break;
    if (session_ == nullptr || session_->client != client || state_ == State::kLoads) break;
  }
  bytes_in_ += taken;
  client->bytes_in += taken;
  parts_.executor.stats().bytes_in += taken;
  return taken;
}

size_t PrimaryConnection::handshake_input(std::string_view input) {
  size_t taken = 0;
  while (state_ == State::kHandshake) {
    const size_t end = input.find('\n', taken);
    if (end == std::string_view::npos) {
      if (input.size() - taken > kLongestLine) retry("Bad protocol from MASTER: an endless line");
      break;
    }
    std::string_view line = input.substr(taken, end - taken);
    if (line.ends_with('\r')) line.remove_suffix(1);
    taken = end + 1;
    if (!handshake_outcome(handshake_->on_line(line))) break;
  }
  return taken;
}

// Whether the handshake goes on.
bool PrimaryConnection::handshake_outcome(const PrimaryHandshake::Outcome& outcome) {
  if (parts_.led_here(outcome.id)) {
    // Whoever is a primary, or follows another one, has another id.
    retry(
        "The master to follow is a replica of this server, by itself or through others: a loop of "
        "replicas is refused until one of them is told REPLICAOF NO ONE");
    return false;
  }
  switch (outcome.kind) {
    case PrimaryHandshake::Kind::kGoOn:
      send(outcome.send);
      return true;
    case PrimaryHandshake::Kind::kFailed:
      retry(outcome.message);
      if (outcome.refused) parts_.psync_answered(false);
      return false;
    case PrimaryHandshake::Kind::kContinue:
      parts_.psync_answered(true);
      empty_too_ = false;
      parts_.resumed(outcome.id);
      enter_stream();
      return false;
    case PrimaryHandshake::Kind::kFullSync: {
      parts_.psync_answered(true);
      sync_id_ = outcome.id;
      sync_offset_ = outcome.offset;
      const Status opened = open_transfer();
      if (opened.ok()) {
        set_state(State::kReceives);
      } else {
        retry("Opening the temp file needed for MASTER <-> REPLICA synchronization: " +
              opened.error().to_string());
      }
      return false;
    }
  }
  return false;
}

Status PrimaryConnection::open_transfer() {
  const std::string path =
      join_path(parts_.config.settings().dir, "temp-replica-" + std::to_string(getpid()) + "-" +
                                                  std::to_string(attempt_) + ".rdb");
  Result<std::unique_ptr<WritableFile>> created = parts_.env.create(path);
  if (!created.ok()) return created.error();
  transfer_path_ = path;
  file_ = std::move(created).value();
  file_sink_ = std::make_unique<FileSink>(file_.get());
  receiver_.emplace(file_sink_.get());
  return {};
}

void PrimaryConnection::drop_transfer() {
  receiver_.reset();
  file_sink_.reset();
  file_.reset();
  if (load_ != nullptr) load_->abandon();
  load_ = nullptr;
  if (!transfer_path_.empty()) (void)parts_.env.remove(transfer_path_);
  transfer_path_.clear();
}

size_t PrimaryConnection::snapshot_input(std::string_view input) {
  const Result<size_t> taken = receiver_->receive(input);
  if (!taken.ok()) {
    retry(taken.error().to_string());
    return input.size();
  }
  if (receiver_->done()) load_snapshot();
  return taken.value();
}

void PrimaryConnection::load_snapshot() {
  set_state(State::kLoads);
  // The stream may follow at once: it waits in the link.
  session_->client->link()->pause_input(true);
  log_notice("MASTER <-> REPLICA sync: Loading DB in memory");
  load_ = std::make_shared<SnapshotLoad>(parts_.executor.keyspace().database_count(),
                                         parts_.clock.wall_ms());
  load_->start(parts_.env, std::move(file_), transfer_path_, parts_.persistence.read_options(),
               [this](const Status& result) { loaded(result); });
}

void PrimaryConnection::loaded(Status result) {
  if (result.ok() && refuses_empty()) return refuse();
  raw_bytes_in_ += load_->raw_bytes();
  if (result.ok()) result = install();
  if (!result.ok()) {
    retry("Failed trying to load the MASTER synchronization DB: " + result.error().to_string());
    return;
  }
  empty_too_ = false;
  keep_snapshot_file();
  drop_transfer();
  log_notice("MASTER <-> REPLICA sync: Finished with success");
  if (session_ != nullptr) {
    enter_stream();
    session_->client->link()->pause_input(false);
  } else {
    // The link has ended meanwhile: only what came since is missing.
    connect();
  }
}

// Whether the snapshot that has been loaded is of a primary that has lost everything, while this
// server has not.
bool PrimaryConnection::refuses_empty() const {
  if (!parts_.config.settings().replica_refuse_empty_primary || empty_too_) return false;
  if (sync_id_ == parts_.history.id()) return false;
  if (load_->keyspace().total_size() > 0 || !load_->loader().libraries().empty()) return false;
  return parts_.executor.keyspace().total_size() > 0 ||
         !parts_.persistence.hooks().library_sources().empty();
}

void PrimaryConnection::refuse() {
  const Settings& settings = parts_.config.settings();
  const std::string address =
      settings.replicaof_host + " " + std::to_string(settings.replicaof_port);
  drop_transfer();
  end_session();
  set_state(State::kRefused);
  log_warning(
      "The primary is empty and has another history: its snapshot was refused, this replica keeps "
      "its data (replica-refuse-empty-primary). REPLICAOF " +
      address + " FORCE takes the sync, REPLICAOF NO ONE makes this server the primary.");
}

// Puts what was loaded in the place of the dataset.
Status PrimaryConnection::install() {
  const Status libraries = parts_.persistence.hooks().load_libraries(load_->loader().libraries());
  if (!libraries.ok()) return libraries;
  std::shared_ptr<Keyspace> other = load_->take_keyspace();
  Keyspace& keyspace = parts_.executor.keyspace();
  keyspace.swap_contents(*other);
  const size_t keys = other->total_size();
  keyspace.free_in_background([old = std::move(other)]() mutable { old.reset(); }, keys, 0);
  const auto& position = load_->loader().position();
  applier_.set_db(position ? std::max(position->stream_db, 0) : 0);
  parts_.replaced(sync_id_, sync_offset_);
  parts_.persistence.dataset_replaced();
  return {};
}

// What was received is a snapshot of this server too: a restart begins from it.
void PrimaryConnection::keep_snapshot_file() {
  const Settings& settings = parts_.config.settings();
  const bool persists = parts_.persistence.aof_enabled() || parts_.persistence.has_save_points();
  if (settings.rdb_del_sync_files && !persists) return;
  // A save that began before would put older data in its place.
  parts_.persistence.kill_child(ChildPurpose::kSave);
  const Status renamed =
      parts_.env.rename(transfer_path_, join_path(settings.dir, settings.dbfilename));
  if (renamed.ok()) {
    transfer_path_.clear();
  } else {
    log_warning("Failed trying to rename the temp DB into " + settings.dbfilename +
                " in MASTER <-> REPLICA synchronization: " + renamed.error().to_string());
  }
}

void PrimaryConnection::enter_stream() {
  applier_.begin(session_->client);
  decoder_.begin();
  unpacked_.clear();
  set_state(State::kConnected);
  acknowledge();
}

size_t PrimaryConnection::stream_input(std::string_view input) {
  size_t taken = 0;
  if (decoder_.undecided()) {
    const Result<size_t> looked = decoder_.look(input);
    if (!looked.ok()) return unreadable(looked.error(), input);
    if (decoder_.undecided()) return 0;
    taken = looked.value();
  }
  if (decoder_.compressed()) return taken + packed_stream_input(input.substr(taken));
  const std::optional<size_t> applied = apply(input);
  if (!applied) return input.size();
  raw_bytes_in_ += *applied;
  return *applied;
}

size_t PrimaryConnection::packed_stream_input(std::string_view input) {
  size_t taken = 0;
  while (true) {
    const size_t before = unpacked_.size();
    const Result<size_t> step = decoder_.unpack(input.substr(taken), &unpacked_);
    if (!step.ok()) return unreadable(step.error(), input);
    taken += step.value();
    if (step.value() == 0 && unpacked_.size() == before) return taken;
    if (unpacked_.size() == before) continue;
    raw_bytes_in_ += unpacked_.size() - before;
    const std::optional<size_t> applied = apply(unpacked_);
    if (!applied) return input.size();
    unpacked_.erase(0, *applied);
    // After a long command.
    if (unpacked_.empty() && unpacked_.capacity() > kKeptUnpacked) unpacked_.shrink_to_fit();
  }
}

// Runs what is whole in the stream. Nothing when the link has ended by that.
std::optional<size_t> PrimaryConnection::apply(std::string_view stream) {
  const Result<size_t> taken = applier_.apply(stream);
  if (!taken.ok()) {
    unreadable(taken.error(), stream);
    return std::nullopt;
  }
  if (session_ == nullptr) return std::nullopt;
  if (acknowledge_wanted_) acknowledge();
  return taken.value();
}

// The link ends, and with it the input; what is missing is asked for again.
size_t PrimaryConnection::unreadable(const Error& error, std::string_view input) {
  retry("The stream of the master cannot be read: " + error.to_string());
  return input.size();
}

void PrimaryConnection::acknowledge() {
  acknowledge_wanted_ = false;
  const std::string offset = std::to_string(parts_.history.offset());
  if (parts_.persistence.aof_enabled()) {
    send(encode_request(
        {"REPLCONF", "ACK", offset, "FACK", std::to_string(parts_.persistence.synced_position())}));
  } else {
    send(encode_request({"REPLCONF", "ACK", offset}));
  }
}

void PrimaryConnection::ask(std::string_view question) {
  if (!link_up() || session_ == nullptr) return;
  send(encode_request(
      {"REPLCONF", "ACK", std::to_string(parts_.history.offset()), "DIGEST-ASK", question}));
}

void PrimaryConnection::on_closed(std::string_view reason) {
  forget_session();
  log_notice("Connection with master lost: " + std::string(reason));
  if (state_ == State::kLoads) return;  // the snapshot has arrived all the same
  const bool was_up = link_up();
  retry("");
  // What is missing may leave the primary's backlog soon. One that never lets this server in is not
  // asked all the time.
  if (was_up || !std::exchange(tried_again_, true)) connect();
}

void PrimaryConnection::cron() {
  tried_again_ = false;
  const bool silent =
      parts_.clock.monotonic_ms() - last_io_ms_ > parts_.config.settings().repl_timeout * 1000;
  switch (state_) {
    case State::kNone:
    case State::kRefused:
      return;
    case State::kConnect:
      connect();
      return;
    case State::kConnecting:
    case State::kHandshake:
      if (silent) retry("Timeout connecting to the MASTER...");
      return;
    case State::kReceives:
      if (silent) {
        retry(
            "Timeout receiving bulk data from MASTER... If the problem persists try to set the "
            "'repl-timeout' parameter in the configuration to a larger value.");
      }
      return;
    case State::kLoads:
      if (session_ != nullptr) send("\n");
      return;
    case State::kConnected:
      if (silent) {
        retry("MASTER timeout: no data nor PING received...");
      } else {
        acknowledge();
      }
      return;
  }
}

void PrimaryConnection::describe(ReplicationInfo* info) const {
  const Settings& settings = parts_.config.settings();
  const int64_t now_ms = parts_.clock.monotonic_ms();
  constexpr std::string_view kNames[] = {
      "none", "connect", "connecting", "handshake",
      "sync", "sync",    "connected",  ReplicationInfo::kRefusedEmptyPrimary};
  info->primary_host = settings.replicaof_host;
  info->primary_port = static_cast<int>(settings.replicaof_port);
  info->link_state = kNames[static_cast<size_t>(state_)];
  info->link_up = link_up();
  if (link_up()) info->last_io_ago_s = (now_ms - last_io_ms_) / 1000;
  info->sync_in_progress = state_ == State::kReceives || state_ == State::kLoads;
  if (receiver_) {
    info->sync_total_bytes = receiver_->total_bytes();
    info->sync_read_bytes = receiver_->received_bytes();
    info->sync_last_io_ago_s = (now_ms - last_io_ms_) / 1000;
  }
  info->applied_offset = parts_.history.offset();
  info->read_offset = info->applied_offset + applier_.held_bytes();
  if (session_ != nullptr && link_up()) {
    info->read_offset +=
        decoder_.compressed() ? unpacked_.size() : session_->client->link()->input_buffered();
    info->link_compressed = decoder_.compressed();
  }
  if (!link_up() && down_since_ms_ >= 0) {
    info->link_down_since_s = (now_ms - down_since_ms_) / 1000;
  }
}

}  // namespace tandem
