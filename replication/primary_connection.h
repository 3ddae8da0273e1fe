#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "persistence/persistence.h"
#include "replication/history.h"
#include "replication/info.h"
#include "replication/primary_handshake.h"
#include "replication/snapshot_load.h"
#include "replication/snapshot_receiver.h"
#include "replication/stream_applier.h"
#include "replication/stream_decoder.h"
#include "server/base/clock.h"
#include "server/base/config.h"
#include "server/base/env.h"
#include "server/base/link.h"
#include "server/exec/executor.h"

namespace tandem {

// A replica's end of the link to its primary: connects, and again whenever the link is lost, asks
// for what is missing, takes a snapshot in if it has to, and applies the stream. The old data stays
// and is served until a snapshot has arrived and been read whole.
class PrimaryConnection {
 public:
  struct Parts {
    Config& config;
    Env& env;
    Loop& loop;
    Clock& clock;
    Executor& executor;
    Persistence& persistence;
    ReplicationHistory& history;
    // The stream's bytes, once applied.
    std::function<void(std::string_view bytes)> pass_on;
    // The primary goes on with the stream where this server stands, perhaps under a new id.
    std::function<void(const std::string& id)> resumed;
    // A snapshot has taken the place of the dataset: it is at this point of that history.
    std::function<void(const std::string& id, uint64_t offset)> replaced;
    // Whether it is the history that this server led until it became a replica.
    std::function<bool(const std::string& id)> led_here;
    // The link has come up or gone down.
    std::function<void()> link_changed;
    // Whether the server to follow is to take over from this one, and whether it does.
    std::function<bool()> handing_over;
    std::function<void(bool accepted)> psync_answered;
  };
  explicit PrimaryConnection(Parts parts);
  ~PrimaryConnection();

  // Follows the configured primary, or another one than before; `empty_too`: even if it has nothing
  // now (replica-refuse-empty-primary). One that loses everything later is refused again.
  void start(bool empty_too = false);
  // Follows nobody any more.
  void stop();
  // Once a second: acknowledges, connects again, and gives up on a silent primary.
  void cron();
  // The primary has asked for an acknowledgement: it follows when what arrived has been applied.
  void acknowledge_soon() { acknowledge_wanted_ = true; }
  // Asks the primary about keys (a DigestQuestion); nothing happens without a link.
  void ask(std::string_view question);

  bool active() const { return state_ != State::kNone; }
  bool link_up() const { return state_ == State::kConnected; }
  // The database selected in the stream at the point that the data stands at.
  int stream_db() const { return applier_.db(); }
  void set_stream_db(int db) { applier_.set_db(db); }
  void describe(ReplicationInfo* info) const;
  // Bytes received from primaries since the start: on the wire, and what they unpacked to.
  uint64_t bytes_in() const { return bytes_in_; }
  uint64_t raw_bytes_in() const { return raw_bytes_in_; }

 private:
  enum class State : uint8_t {
    kNone,
    kConnect,  // to be tried
    kConnecting,
    kHandshake,
    kReceives,  // a snapshot
    kLoads,     // it has arrived; the link, if there still is one, waits
    kConnected,
    kRefused,  // the primary is empty, and this server's data stays; until the next start()
  };
  class Session;

  void connect();
  void connected(Result<std::unique_ptr<Link>> link);
  size_t on_input(std::string_view input);
  size_t handshake_input(std::string_view input);
  bool handshake_outcome(const PrimaryHandshake::Outcome& outcome);
  size_t snapshot_input(std::string_view input);
  size_t stream_input(std::string_view input);
  size_t packed_stream_input(std::string_view input);
  size_t unreadable(const Error& error, std::string_view input);
  std::optional<size_t> apply(std::string_view stream);
  void on_closed(std::string_view reason);

  PrimaryHandshake::Options handshake_options() const;
  Status open_transfer();
  void drop_transfer();
  void load_snapshot();
  void loaded(Status result);
  bool refuses_empty() const;
  void refuse();
  Status install();
  void keep_snapshot_file();
  void enter_stream();
  void acknowledge();
  void send(std::string_view bytes);
  void end_session();
  void forget_session();
  void retry(std::string_view why);
  void set_state(State state);

  Parts parts_;
  State state_ = State::kNone;
  StreamDecoder decoder_;
  std::string unpacked_;  // of a compressed stream, not applied yet
  StreamApplier applier_;
  std::shared_ptr<Session> session_;
  uint64_t attempt_ = 0;  // the connection attempt that counts
  std::shared_ptr<char> alive_ = std::make_shared<char>();
  int64_t last_io_ms_ = 0;
  int64_t down_since_ms_ = -1;
  bool acknowledge_wanted_ = false;
  bool empty_too_ = false;    // until there is a sync
  bool tried_again_ = false;  // since the last cron()
  uint64_t bytes_in_ = 0, raw_bytes_in_ = 0;

  std::optional<PrimaryHandshake> handshake_;
  std::string sync_id_;  // of the full sync under way
  uint64_t sync_offset_ = 0;
  std::string transfer_path_;  // of the temporary file; empty: there is none
  std::shared_ptr<WritableFile> file_;
  std::unique_ptr<ByteSink> file_sink_;
  std::optional<SnapshotReceiver> receiver_;
  std::shared_ptr<SnapshotLoad> load_;
};

}  // namespace tandem
