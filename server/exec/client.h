#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "server/base/link.h"
#include "server/base/settings.h"
#include "server/exec/command.h"
#include "server/exec/pubsub.h"
#include "server/exec/tracking.h"
#include "server/resp/encoder.h"
#include "server/resp/request_parser.h"

namespace tandem {

class Client;
class Executor;

// What a client is; CLIENT LIST's flags and TYPE follow from it.
enum class ClientKind : uint8_t {
  kNormal,
  kReplica,   // a replica of this server
  kPrimary,   // the stream of this server's primary: exempt from checks, never answered
  kInternal,  // the AOF loader and the caller behind functions
};

enum class ReplyMode : uint8_t { kOn, kOff, kSkipNext };

// One queued command of a transaction.
struct QueuedCommand {
  Command* command = nullptr;
  std::vector<std::string> args;
};

// MULTI's state.
struct Transaction {
  bool active = false;
  bool aborted = false;        // an error while queueing: EXEC answers EXECABORT
  uint32_t queued_flags = 0;   // of all queued commands together
  uint32_t missing_flags = 0;  // those that at least one queued command lacks
  size_t queued_bytes = 0;
  std::vector<QueuedCommand> queue;
};

// Who has blocked a client and can end that early.
class Blocker {
 public:
  virtual ~Blocker() = default;
  // Replies with what the command says when its time has run out, or with this error if there is
  // one, and lets the client go on (CLIENT UNBLOCK).
  virtual void unblock(Client& client, std::string_view error) = 0;
};

// A client of this server: its connection (none for an internal one), what it has selected and
// negotiated, and its transaction. Owned by the Executor; found by id.
class Client final : public LinkHandler {
 public:
  Client(Executor* executor, uint64_t id, ClientKind kind);
  ~Client() override;

  // Takes the connection over. The Loop owns the link and tells this client when it is gone.
  void attach(Link* link);
  Link* link() const { return link_; }

  size_t on_input(std::string_view input) override;
  size_t input_wanted() const override;
  size_t sendable_output() override;
  void on_drained() override;
  void on_closed(std::string_view reason) override;

  // The reply sink of the connection; discards for an internal client and while CLIENT REPLY is
  // off.
  Reply& reply() { return *reply_; }
  RespEncoder* encoder() { return encoder_.get(); }
  // Bytes that wait to be sent; a replica's share of the replication stream is not among them.
  size_t output_size() const { return encoder_ != nullptr ? encoder_->output().own_size() : 0; }
  // 2 or 3.
  void set_protocol(int version);
  int protocol() const { return protocol_; }
  void set_reply_mode(ReplyMode mode);
  ReplyMode reply_mode() const { return reply_mode_; }
  // A connection becomes a replica's, or the stream of this server's primary: requests are not
  // answered any more.
  void set_kind(ClientKind new_kind);

  // Stops reading requests: the running command has not replied yet, and one of the functions below
  // ends it. Without a `blocker` the client cannot be unblocked early.
  void block(Blocker* blocker = nullptr);
  bool blocked() const { return blocked_; }
  Blocker* blocker() const { return blocker_; }
  // Ends a block by the reply, which write(reply) writes.
  template <typename Write>
  void answer_blocked(Write write) {
    const OutputMark before = mark_output();
    write(reply());
    end_blocked_request(before);
  }
  // Runs the blocked request anew, from a copy of its arguments. False when it is blocked again.
  bool run_again(Args args);
  // Whether the command that runs is a blocked one's next try.
  bool running_again() const { return running_again_; }
  // Ends a block whose request is still in the input and is read again.
  void resume();

  // Sends what is no reply: a message, an invalidation, a line of MONITOR. `head` and `tail` are
  // whole RESP values together. What concerns the client whose request runs now comes after its
  // reply. CLIENT REPLY does not hold it back.
  void push(std::string_view head, std::string_view tail = {});
  // Appends what push() has kept back while the client's request ran.
  void flush_pushes();
  bool has_pushes() const { return !pending_pushes_.empty(); }

  void close_after_reply();
  void close_now();
  bool closing() const { return closing_; }

  // Gives the connection to a replication stream: input goes to `handler` from now on.
  void redirect_input(LinkHandler* handler) { redirected_ = handler; }

  // Bytes that the connection takes: its buffers, its transaction and itself.
  size_t memory_usage() const;

  const uint64_t id;
  ClientKind kind;  // change it with set_kind()
  int db = 0;
  bool authenticated = false;
  std::string user = "default";
  std::string name, library_name, library_version;
  std::string_view capabilities;  // CLIENT CAPA, as CLIENT LIST shows them
  bool no_evict = false;
  bool no_touch = false;
  bool import_source = false;  // of the import that import-mode is on for: no key has expired to it
  int64_t created_ms = 0;
  int64_t last_interaction_ms = 0;
  Command* last_command = nullptr;
  uint64_t commands_processed = 0;
  uint64_t bytes_in = 0, bytes_out = 0;
  // As ClientMemory has counted it; the bucket is -1 for a client that must not be evicted.
  struct CountedMemory {
    size_t bytes = 0;
    int bucket = -1;
  };
  CountedMemory counted_memory;
  // Which part of the output waits for the disk, as HeldReplies has marked it. Places in the output
  // count its bytes from the first ever.
  struct HeldOutput {
    bool waits = false;
    uint64_t end = 0;       // of what waits
    uint64_t released = 0;  // what is before it may go out
  };
  HeldOutput held_output;
  // When the soft output limit was first passed, or 0.
  int64_t soft_limit_since_ms = 0;

  Transaction transaction;
  // WATCHed keys as (database, key); `watch_broken` once one of them changed.
  std::vector<std::pair<int, std::string>> watched;
  bool watch_broken = false;
  // Null unless it is subscribed to something; changed by PubSub.
  std::unique_ptr<Subscriptions> subscriptions;
  // Null unless CLIENT TRACKING is on; changed by Tracking.
  std::unique_ptr<ClientTracking> tracking;
  bool monitor = false;  // changed by Monitors
  // Whether it may only change its subscriptions: in RESP2 replies and messages look alike.
  bool only_subscribes() const { return subscriptions != nullptr && protocol_ == 2; }
  // Replicas and monitors may not touch keys; CLIENT PAUSE does not hold them.
  bool keeps_off_keys() const { return monitor || kind == ClientKind::kReplica; }
  ClientClass output_class() const;
  // Where this client's last write ends in the replication stream and in the AOF, for WAIT and
  // WAITAOF.
  uint64_t last_write_offset = 0;
  uint64_t last_write_log_position = 0;

 private:
  RequestParser::Outcome parse(std::string_view input);
  bool can_look_ahead(char first, std::string_view rest) const;
  bool handle_request(Args args, Command* found, size_t request_bytes);
  // What to compare with once a reply has been written.
  struct OutputMark {
    size_t bytes;
    uint64_t errors;
  };
  OutputMark mark_output() const;
  size_t replied(const OutputMark& before);
  void end_blocked_request(const OutputMark& before);
  void go_on();
  void refuse_input();
  bool input_within_limit(size_t pending);
  size_t count_input(size_t consumed);
  void update_reply_sink();

  Executor* executor_;
  Link* link_ = nullptr;
  RequestParser parser_;
  std::vector<std::string_view> args_;  // the request that runs while the next one is parsed
  std::unique_ptr<RespEncoder> encoder_;
  NullReply null_reply_;
  Reply* reply_ = &null_reply_;
  LinkHandler* redirected_ = nullptr;
  ReplyMode reply_mode_ = ReplyMode::kOn;
  int protocol_ = 2;
  int replies_to_skip_ = 0;
  std::string pending_pushes_;
  bool running_again_ = false;
  size_t harmless_output_ = 0;  // for this batch: below it no output limit can be passed
  bool blocked_ = false;
  Blocker* blocker_ = nullptr;
  bool closing_ = false;
};

}  // namespace tandem
