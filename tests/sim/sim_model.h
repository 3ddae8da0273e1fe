#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/resp/reply_reader.h"
#include "server/server.h"

namespace tandem {

// What the servers of a simulation have to hold, worked out without any of their code.
//
// Each client writes keys and a library of its own, so that its part of the dataset follows from
// the sequence of its operations alone. Operations that take a position (every function that
// writes, some transactions) also increase one counter that all clients share: the replies tell in
// which order the server has run them.

using Words = std::vector<std::string>;

struct ModelValue {
  std::string text;                           // of a string
  std::map<std::string, std::string> fields;  // of a hash; then the text is empty
  std::deque<std::string> elements;           // of a list; then the text is empty
  int64_t expires_ms = 0;                     // 0: never

  bool operator==(const ModelValue&) const = default;
};
using ModelKeys = std::map<std::pair<int, std::string>, ModelValue>;  // by database and name

// A client's part of the dataset.
struct ModelState {
  ModelKeys keys;
  std::optional<uint64_t> library;  // the version of its library that is loaded
  uint64_t positions = 0;           // how many of its operations have taken one

  // Runs one command and returns its reply as reply_text() would; "?" when it may vary.
  std::string run(int db, const Words& command);

 private:
  void swap_databases(int one, int other);
};

// What stands for a position that is not known.
inline constexpr const char* kUnknownPosition = "?";

struct Operation {
  enum class Kind : uint8_t {
    kCommand,
    kTransaction,
    kFunction,  // of the client's library, which writes
    kRead,      // the same, but it only reads
    kLoad,      // the client's library
    kDelete,
    kSave,
    kWait,   // WAIT, WAITAOF
    kOther,  // anything that changes no data
  };
  Kind kind = Kind::kOther;
  uint64_t number = 0;  // 1, 2, … for each client
  int db = 0;
  // What it does to the dataset. In their words "{p}" stands for the position and "{v}" for the
  // library's version.
  std::vector<Words> steps;
  // What is sent for it; the last one's reply tells how it went.
  std::vector<Words> requests;
  uint64_t version = 0;  // kLoad
  bool takes_position = false;

  uint64_t position = 0;        // 0: not known
  uint64_t position_above = 0;  // the highest one known when it was sent
  int64_t sent_us = 0;
  int64_t known_us = 0;       // when the client knew that it had been run
  bool acknowledged = false;  // it writes, and its success was replied
  // Of a kWait: where everything before it has come to.
  int64_t on_replicas = 0;
  int64_t on_replica_disks = 0;
  bool on_disk = false;
};

// "c0:" and what begins with it belongs to client 0.
std::string client_prefix(int client);
std::string library_name(int client);
// The source of one version of a client's library.
std::string library_source(int client, uint64_t version);
std::string reply_text(const ReplyValue& value);
// A reply that says that the operation has not been run, because the server is not able to.
bool is_refusal(const std::string& reply);

// The whole dataset of a server.
struct Inspection {
  ModelKeys keys;
  int64_t latest_ms = 0;   // what is to expire by then may be missing
  uint64_t positions = 0;  // how far the shared counter has come
  std::map<std::string, std::string> libraries;

  bool operator==(const Inspection&) const = default;
};
Inspection inspect(Server& server, int64_t latest_ms);

// The positions that are known to be taken.
class PositionLedger {
 public:
  // Throws SimViolation when the position is taken, or not above `above`.
  void take(uint64_t position, uint64_t above);
  uint64_t highest() const { return taken_.empty() ? 0 : *taken_.rbegin(); }
  // A crash has lost everything above.
  void cut(uint64_t highest) { taken_.erase(taken_.upper_bound(highest), taken_.end()); }

 private:
  std::set<uint64_t> taken_;
};

// How much of what a client has done must survive: what comes first here and all before it.
struct Promise {
  static constexpr int64_t kNever = INT64_MAX;

  bool nothing_lost = false;          // no crash: everything
  int64_t known_until_us = 0;         // what was known to be run by then
  int64_t acknowledged_until_us = 0;  // what was answered by then
  bool what_is_on_disk = false;       // what WAITAOF has found there
  // What WAIT has found, asked since then, on that many replicas.
  int64_t replicated_since_us = kNever;
  int64_t on_replica_disks_since_us = kNever;  // the same of WAITAOF
  int64_t replicas = 1;
};

// One client's history: operations that have certainly been run and may still be lost, and those
// that were sent and not answered.
class ClientModel {
 public:
  ClientModel(int client, PositionLedger* ledger) : client_(client), ledger_(*ledger) {}

  // The client's part of the dataset by all that was answered.
  const ModelState& state() const { return state_; }
  size_t outstanding() const { return outstanding_.size(); }
  const Operation& oldest_outstanding() const { return outstanding_.front(); }
  uint64_t next_number() const { return next_number_; }

  // What was written before is nothing that WAIT waits for.
  void connected() { wrote_since_connected_ = false; }
  void sent(Operation operation);
  // The reply to the oldest operation that was sent. Throws SimViolation when it is a wrong one.
  void answered(const std::string& reply, int64_t now_us);
  // No reply will come any more. Finds out from the dataset how far the client's operations have
  // come and forgets the others; throws SimViolation when the dataset is not the outcome of all the
  // promised ones and some of those after them, in their order.
  void resolve(const Inspection& actual, const Promise& promise, int64_t now_us);
  // Another server is the primary: what the last one has said of its disk and its replicas does not
  // hold for this one.
  void moved(int64_t now_us);
  // Nothing known so far can be lost any more.
  void settled();
  // Everything in the dataset has been removed on purpose; settled as well.
  void flushed(bool keys, bool libraries);

 private:
  static void read_reach(const std::string& reply, Operation* operation);
  std::string apply(Operation* operation, ModelState* state) const;
  size_t count_promised(const Promise& promise) const;
  void check_positions(size_t survived, uint64_t highest) const;
  void learn_positions(const ModelState& actual);
  static bool matches(const ModelState& expected, const ModelState& actual, int64_t latest_ms);
  ModelState own_part(const Inspection& actual) const;
  static std::string difference(const ModelState& expected, const ModelState& actual,
                                int64_t latest_ms);

  const int client_;
  PositionLedger& ledger_;
  uint64_t next_number_ = 1;
  bool wrote_since_connected_ = false;
  ModelState base_;  // before run_.front(); is never lost
  uint64_t base_position_ = 0;
  ModelState state_;
  std::deque<Operation> run_;
  std::deque<Operation> outstanding_;
};

}  // namespace tandem
