#include "server/exec/outgoing.h"

#include <algorithm>
#include <utility>

#include "server/resp/request_encoder.h"

namespace tandem {

namespace {

// While CLIENT PAUSE holds answers back, how often they look for its end.
constexpr uint64_t kPauseRetry_ms = 10;

}  // namespace

// One question on its way.
struct Outgoing::Exchange {
  enum class State : uint8_t {
    kConnecting,
    kPreparing,  // AUTH and SELECT have been sent
    kAsking,
  };

  uint64_t id;
  RemoteQuestion question;
  Done done;
  State state = State::kConnecting;
  Connection* connection = nullptr;  // null while there is none, or no more
  bool reused = false;               // the connection has been kept from an earlier question
  bool unsent = false;               // the connection ended before all was sent
  bool step_scheduled = false;
  size_t expected = 0;  // replies in this state
  std::vector<ReplyValue> replies = {};
  RemoteAnswer answer = {};  // once it is known
  std::string failure = {};  // why the connection ended
  TimerId silence_timer = 0;
  int64_t last_moved_ms = 0;
  size_t last_unsent = 0;    // bytes
  bool last_chance = false;  // has been given since
};

class Outgoing::Connection final : public LinkHandler {
 public:
  Connection(Outgoing* owner, Link* link_in, RemoteServer server_in)
      : link(link_in), server(std::move(server_in)), owner_(owner) {}

  size_t on_input(std::string_view input) override {
    owner_->received(*this, input);
    return input.size();
  }
  void on_closed(std::string_view reason) override { owner_->closed(*this, reason); }

  Link* link;
  const RemoteServer server;
  ReplyReader reader;
  std::optional<std::string> selected;  // the database; none: unknown
  Exchange* exchange = nullptr;
  TimerId idle_timer = 0;
  bool ending = false;

 private:
  Outgoing* owner_;
};

Outgoing::Outgoing(Loop& loop, Executor& executor) : loop_(loop), executor_(executor) {}

Outgoing::~Outgoing() = default;

TimerId Outgoing::after(uint64_t delay_ms, std::function<void()> tick) {
  return loop_.after(delay_ms, [alive = std::weak_ptr<char>(alive_), tick = std::move(tick)] {
    if (!alive.expired()) tick();
  });
}

TimerId Outgoing::after(uint64_t delay_ms, const Exchange& exchange, Step then) {
  return after(delay_ms, [this, id = exchange.id, then] {
    const auto found = exchanges_.find(id);
    if (found != exchanges_.end()) (this->*then)(*found->second);
  });
}

uint64_t Outgoing::ask(RemoteQuestion question, Done done) {
  const uint64_t id = next_id_++;
  auto owned = std::make_unique<Exchange>(
      Exchange{.id = id, .question = std::move(question), .done = std::move(done)});
  Exchange& exchange = *owned;
  exchanges_.emplace(id, std::move(owned));
  begin(exchange);
  return id;
}

void Outgoing::cancel(uint64_t id) {
  const auto found = exchanges_.find(id);
  if (found == exchanges_.end()) return;
  const std::unique_ptr<Exchange> exchange = std::move(found->second);
  exchanges_.erase(found);
  loop_.cancel(exchange->silence_timer);
  if (exchange->connection != nullptr) drop(*exchange->connection);
}

void Outgoing::begin(Exchange& exchange) {
  watch_silence(exchange, 0);
  const auto kept = idle_.find(exchange.question.server);
  if (kept == idle_.end()) {
    connect(exchange);
    return;
  }
  Connection& connection = *kept->second;
  forget_idle(connection);
  connection.exchange = &exchange;
  exchange.connection = &connection;
  exchange.reused = true;
  // Not within the command that asks.
  after(0, exchange, &Outgoing::prepare);
}

void Outgoing::connect(Exchange& exchange) {
  exchange.state = Exchange::State::kConnecting;
  exchange.reused = false;
  const RemoteServer& server = exchange.question.server;
  loop_.connect(server.host, server.port,
                [this, id = exchange.id,
                 alive = std::weak_ptr<char>(alive_)](Result<std::unique_ptr<Link>> link) {
                  if (!alive.expired()) connected(id, std::move(link));
                });
}

void Outgoing::connected(uint64_t id, Result<std::unique_ptr<Link>> link) {
  const auto found = exchanges_.find(id);
  if (found == exchanges_.end()) return;  // given up; the link goes with its owner
  Exchange& exchange = *found->second;
  if (!link.ok()) {
    const bool found_host = link.error().kind != ErrorKind::kNotFound;
    fail(exchange,
         found_host ? RemoteAnswer::Failure::kUnreachable : RemoteAnswer::Failure::kConnecting,
         link.error().to_string());
    return;
  }
  std::unique_ptr<Link> owned = std::move(link).value();
  auto connection = std::make_unique<Connection>(this, owned.get(), exchange.question.server);
  connection->exchange = &exchange;
  exchange.connection = connection.get();
  loop_.attach(std::move(owned), connection.get());
  connections_.emplace(connection.get(), std::move(connection));
  prepare(exchange);
}

void Outgoing::prepare(Exchange& exchange) {
  if (exchange.connection == nullptr) return lost(exchange);
  Connection& connection = *exchange.connection;
  connection.reader = ReplyReader(exchange.question.limits);
  exchange.state = Exchange::State::kPreparing;
  const RemoteServer& server = exchange.question.server;
  OutputBuffer& out = connection.link->output();
  size_t requests = 0;
  if (server.password) {
    ++requests;
    if (server.user.empty()) {
      append_request(out, {"AUTH", *server.password});
    } else {
      append_request(out, {"AUTH", server.user, *server.password});
    }
  }
  const std::optional<std::string>& database = exchange.question.database;
  if (database && database != connection.selected) {
    ++requests;
    append_request(out, {"SELECT", *database});
  }
  if (requests == 0) return write_requests(exchange);
  connection.selected.reset();
  expect(exchange, requests);
}

void Outgoing::prepared(Exchange& exchange) {
  for (const ReplyValue& reply : exchange.replies) {
    if (!reply.is_error()) continue;
    fail(exchange, RemoteAnswer::Failure::kRefused, reply.text);
    return;
  }
  exchange.connection->selected = exchange.question.database;
  write_requests(exchange);
}

void Outgoing::write_requests(Exchange& exchange) {
  exchange.state = Exchange::State::kAsking;
  const size_t requests = exchange.question.write(exchange.connection->link->output());
  expect(exchange, requests);
  if (requests == 0) step_soon(exchange);
}

void Outgoing::expect(Exchange& exchange, size_t replies) {
  exchange.replies.clear();
  exchange.expected = replies;
  Link& link = *exchange.connection->link;
  exchange.last_unsent = link.output().size();
  exchange.last_moved_ms = executor_.clock().monotonic_ms();
  link.schedule_flush();
}

void Outgoing::received(Connection& connection, std::string_view input) {
  if (connection.ending) return;
  Exchange* exchange = connection.exchange;
  if (exchange == nullptr) return drop(connection);  // nobody has asked
  exchange->last_moved_ms = executor_.clock().monotonic_ms();
  exchange->last_chance = false;
  connection.reader.feed(input);
  while (exchange->replies.size() < exchange->expected) {
    Result<std::optional<ReplyValue>> reply = connection.reader.next();
    if (!reply.ok()) {
      exchange->failure = "no valid reply: " + reply.error().to_string();
      exchange->connection = nullptr;
      drop(connection);
      return step_soon(*exchange);
    }
    if (!reply.value()) return;
    exchange->replies.push_back(*std::move(reply).value());
  }
  step_soon(*exchange);
}

void Outgoing::closed(Connection& connection, std::string_view reason) {
  forget_idle(connection);
  if (Exchange* exchange = connection.exchange; exchange != nullptr) {
    exchange->unsent = !connection.link->output().empty();
    exchange->failure = reason;
    exchange->connection = nullptr;
    step_soon(*exchange);
  }
  // It is what is calling.
  after(0, [this, ended = &connection] { connections_.erase(ended); });
}

void Outgoing::step_soon(Exchange& exchange) {
  if (std::exchange(exchange.step_scheduled, true)) return;
  after(0, exchange, &Outgoing::step);
}

// All replies have come, or the connection has ended.
void Outgoing::step(Exchange& exchange) {
  exchange.step_scheduled = false;
  if (exchange.state == Exchange::State::kConnecting) return;
  const bool answered = exchange.replies.size() == exchange.expected;
  if (answered && exchange.state == Exchange::State::kAsking) {
    finish(exchange, {.replies = std::move(exchange.replies)});
  } else if (exchange.connection == nullptr) {
    lost(exchange);
  } else if (answered) {
    prepared(exchange);
  }
}

void Outgoing::lost(Exchange& exchange) {
  // A connection that was kept may have ended long ago: then nothing has been understood of what
  // was sent.
  if (exchange.reused && exchange.replies.empty()) {
    exchange.unsent = false;
    exchange.expected = 0;
    return connect(exchange);
  }
  fail(exchange,
       exchange.unsent ? RemoteAnswer::Failure::kWriting : RemoteAnswer::Failure::kReading,
       std::move(exchange.failure));
}

void Outgoing::watch_silence(Exchange& exchange, int64_t silence_ms) {
  if (silence_ms == 0) exchange.last_moved_ms = executor_.clock().monotonic_ms();
  const int64_t left_ms = std::max<int64_t>(1, exchange.question.patience_ms - silence_ms);
  exchange.silence_timer =
      after(static_cast<uint64_t>(left_ms), exchange, &Outgoing::check_silence);
}

void Outgoing::check_silence(Exchange& exchange) {
  const int64_t now_ms = executor_.clock().monotonic_ms();
  const size_t unsent =
      exchange.connection == nullptr ? 0 : exchange.connection->link->output().size();
  if (unsent < exchange.last_unsent) exchange.last_moved_ms = now_ms;
  exchange.last_unsent = unsent;
  const int64_t silence_ms = now_ms - exchange.last_moved_ms;
  if (silence_ms < exchange.question.patience_ms) return watch_silence(exchange, silence_ms);
  // When this server itself was kept from reading, the answer may be there.
  if (!std::exchange(exchange.last_chance, true)) return watch_silence(exchange, silence_ms);
  const bool connecting = exchange.state == Exchange::State::kConnecting;
  const auto failure = connecting   ? RemoteAnswer::Failure::kConnecting
                       : unsent > 0 ? RemoteAnswer::Failure::kWriting
                                    : RemoteAnswer::Failure::kReading;
  fail(exchange, failure,
       "nothing was heard for " + std::to_string(exchange.question.patience_ms) + " ms");
}

void Outgoing::fail(Exchange& exchange, RemoteAnswer::Failure failure, std::string reason) {
  // The replies to AUTH and SELECT concern nobody.
  const bool asked = exchange.state == Exchange::State::kAsking;
  if (exchange.connection != nullptr) {
    drop(*exchange.connection);
    exchange.connection = nullptr;
  }
  finish(exchange, {failure, std::move(reason),
                    asked ? std::move(exchange.replies) : std::vector<ReplyValue>()});
}

void Outgoing::finish(Exchange& exchange, RemoteAnswer answer) {
  loop_.cancel(exchange.silence_timer);
  if (exchange.connection != nullptr) keep(*std::exchange(exchange.connection, nullptr));
  exchange.answer = std::move(answer);
  deliver(exchange);
}

void Outgoing::deliver(Exchange& exchange) {
  if (executor_.paused()) {
    after(kPauseRetry_ms, exchange, &Outgoing::deliver);
    return;
  }
  const auto found = exchanges_.find(exchange.id);
  const std::unique_ptr<Exchange> ended = std::move(found->second);
  exchanges_.erase(found);
  ended->done(std::move(ended->answer));
}

void Outgoing::keep(Connection& connection) {
  connection.exchange = nullptr;
  // What nobody asked for has come.
  if (!connection.reader.idle()) return drop(connection);
  if (idle_.size() == kMaxIdle) drop(*idle_.begin()->second);
  idle_.emplace(connection.server, &connection);
  connection.idle_timer = after(kIdle_ms, [this, idle = &connection] { drop(*idle); });
}

// The link ends; closed() follows.
void Outgoing::drop(Connection& connection) {
  forget_idle(connection);
  connection.exchange = nullptr;
  connection.ending = true;
  connection.link->close_now();
}

void Outgoing::forget_idle(Connection& connection) {
  loop_.cancel(std::exchange(connection.idle_timer, 0));
  const auto [first, last] = idle_.equal_range(connection.server);
  const auto place = std::find_if(
      first, last, [&connection](const auto& kept) { return kept.second == &connection; });
  if (place != last) idle_.erase(place);
}

}  // namespace tandem
