#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/base/link.h"
#include "server/base/output_buffer.h"
#include "server/exec/executor.h"
#include "server/resp/reply_reader.h"

namespace tandem {

// A server that this one is a client of, and as whom it speaks there.
struct RemoteServer {
  std::string host;
  int port = 0;
  std::string user = {};                     // empty: the default one
  std::optional<std::string> password = {};  // none: no AUTH

  // "host:port".
  std::string address() const { return host + ":" + std::to_string(port); }
  auto operator<=>(const RemoteServer&) const = default;
};

// Something to be asked of another server.
struct RemoteQuestion {
  RemoteServer server;
  // What SELECT is to be given before; none: any database will do.
  std::optional<std::string> database = {};
  // Appends requests to the output and returns their number. Called when the server listens, so
  // that what is sent is as new as can be, and once more when a kept connection turns out to have
  // been dead. 0: there is nothing to ask any more.
  std::function<size_t(OutputBuffer& out)> write;
  // Given up when no byte has moved for this long.
  int64_t patience_ms = 0;
  // Of each reply.
  ReplyReader::Limits limits = {};
};

// How that went.
struct RemoteAnswer {
  enum class Failure : uint8_t {
    kNone,
    kConnecting,   // no address was found, or no connection came about in time
    kUnreachable,  // nobody listens there
    kRefused,      // AUTH or SELECT: `reason` is the error replied
    kWriting,      // the connection ended, or stood still, before all was sent
    kReading,      // the same afterwards; or what came is no reply
  };
  Failure failure = Failure::kNone;
  std::string reason = {};
  // To the first requests, in order; to all of them when nothing failed.
  std::vector<ReplyValue> replies = {};
};

// This server's connections to others on behalf of its clients. Each carries one question at a
// time; afterwards it is kept for a while for the next one to the same server. Questions are
// answered on a later turn of the loop: never while a command or a function runs, and not while
// CLIENT PAUSE is in force, since an answer may change the dataset.
class Outgoing {
 public:
  using Done = std::function<void(RemoteAnswer answer)>;

  // Connections that wait for the next question, and for how long they do.
  static constexpr size_t kMaxIdle = 64;
  static constexpr uint64_t kIdle_ms = 10'000;

  Outgoing(Loop& loop, Executor& executor);
  ~Outgoing();
  Outgoing(const Outgoing&) = delete;
  Outgoing& operator=(const Outgoing&) = delete;

  // Asks, and calls `done` once. Returns a number for cancel(), never 0.
  uint64_t ask(RemoteQuestion question, Done done);
  // Forgets a question: `done` is not called. Nothing happens when it has been answered.
  void cancel(uint64_t id);

  size_t idle_connections() const { return idle_.size(); }

 private:
  class Connection;
  struct Exchange;

  void begin(Exchange& exchange);
  void connect(Exchange& exchange);
  void connected(uint64_t id, Result<std::unique_ptr<Link>> link);
  void prepare(Exchange& exchange);
  void write_requests(Exchange& exchange);
  void expect(Exchange& exchange, size_t replies);
  void step_soon(Exchange& exchange);
  void step(Exchange& exchange);
  void prepared(Exchange& exchange);
  void lost(Exchange& exchange);
  void watch_silence(Exchange& exchange, int64_t silence_ms);
  void check_silence(Exchange& exchange);
  void fail(Exchange& exchange, RemoteAnswer::Failure failure, std::string reason);
  void finish(Exchange& exchange, RemoteAnswer answer);
  void deliver(Exchange& exchange);

  void received(Connection& connection, std::string_view input);
  void closed(Connection& connection, std::string_view reason);
  void keep(Connection& connection);
  void drop(Connection& connection);
  void forget_idle(Connection& connection);
  // As Loop::after(), but not once this object has gone.
  TimerId after(uint64_t delay_ms, std::function<void()> tick);
  // Goes on with an exchange, if it still exists then.
  using Step = void (Outgoing::*)(Exchange& exchange);
  TimerId after(uint64_t delay_ms, const Exchange& exchange, Step then);

  Loop& loop_;
  Executor& executor_;
  std::unordered_map<uint64_t, std::unique_ptr<Exchange>> exchanges_;  // by id
  std::unordered_map<Connection*, std::unique_ptr<Connection>> connections_;
  std::multimap<RemoteServer, Connection*> idle_;
  uint64_t next_id_ = 1;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

}  // namespace tandem
