#include "tools/cli/session.h"

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>

#include "server/base/numbers.h"
#include "server/base/strings.h"

namespace tandem::cli {
namespace {

using Words = std::vector<std::string>;

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void complain(const std::string& text) {
  std::fflush(stdout);
  std::fwrite(text.data(), 1, text.size(), stderr);
}

bool is(const Words& words, size_t at, std::string_view word) {
  return at < words.size() && equals_ignore_case(words[at], word);
}

// Commands whose replies are text laid out by the server, shown without quotes in any mode.
bool replies_with_layout(const Words& words) {
  size_t count = words.size();
  if (is(words, 0, "info") || is(words, 0, "lolwut")) return true;
  if (is(words, 0, "debug")) {
    return is(words, 1, "htstats") || is(words, 1, "htstats-key") ||
           is(words, 1, "client-eviction");
  }
  if (is(words, 0, "memory")) return is(words, 1, "malloc-stats") || is(words, 1, "doctor");
  if (is(words, 0, "cluster")) {
    return count == 2 && (is(words, 1, "nodes") || is(words, 1, "info"));
  }
  if (is(words, 0, "client")) return is(words, 1, "list") || is(words, 1, "info");
  if (is(words, 0, "latency")) {
    return (count == 3 && is(words, 1, "graph")) || (count == 2 && is(words, 1, "doctor"));
  }
  return is(words, 0, "proxy") && is(words, 1, "info");
}

Words auth_command(const Options& options) {
  if (options.user.empty()) return {"AUTH", *options.password};
  return {"AUTH", options.user, *options.password};
}

bool is_subscription(const Words& words) {
  return is(words, 0, "subscribe") || is(words, 0, "psubscribe") || is(words, 0, "ssubscribe");
}

}  // namespace

bool Session::connect() {
  connection_.reset();
  database_ = 0;
  in_transaction_ = false;
  auto opened = Connection::open(options_.endpoint, options_.connect_timeout_seconds);
  if (!opened) {
    complain("Could not connect to Redis at " + options_.endpoint.to_string() + ": " +
             opened.error().message + "\n");
    return false;
  }
  connection_ = std::move(opened).value();
  return authenticate() && select_database() && negotiate_protocol();
}

bool Session::connect_to(const std::string& host, int port) {
  options_.endpoint.host = host;
  options_.endpoint.port = port;
  options_.endpoint.socket_path.clear();
  return connect();
}

bool Session::authenticate() {
  if (!options_.password) return true;
  Result<ReplyValue> reply = connection_->call(auth_command(options_));
  if (!reply) {
    lose(reply.error());
    return false;
  }
  if (!reply.value().is_error()) return true;
  complain("AUTH failed: " + reply.value().text + "\n");
  return false;
}

bool Session::select_database() {
  if (options_.database == database_) return true;
  Result<ReplyValue> reply = connection_->call(Words{"SELECT", std::to_string(options_.database)});
  if (!reply) {
    lose(reply.error());
    return false;
  }
  if (reply.value().is_error()) {
    complain("SELECT " + std::to_string(options_.database) + " failed: " + reply.value().text +
             "\n");
    return false;
  }
  database_ = options_.database;
  return true;
}

bool Session::negotiate_protocol() {
  if (options_.protocol == ProtocolChoice::kServerDefault ||
      options_.protocol == ProtocolChoice::kResp2) {
    return true;
  }
  Result<ReplyValue> reply = connection_->call(Words{"HELLO", "3"});
  if (!reply) {
    lose(reply.error());
    return false;
  }
  if (!reply.value().is_error()) return true;
  complain("HELLO 3 failed: " + reply.value().text + "\n");
  return options_.protocol == ProtocolChoice::kPreferResp3;
}

Session::Plan Session::plan_for(const Words& arguments, bool interactive) {
  Plan plan;
  plan.interactive = interactive;
  plan.verbatim = replies_with_layout(arguments);
  plan.shutdown = is(arguments, 0, "shutdown");
  if (is_subscription(arguments)) plan.mode = Mode::kSubscribed;
  // RESP3 answers these, and only these, with push messages.
  plan.push_answers = plan.mode == Mode::kSubscribed || is(arguments, 0, "unsubscribe") ||
                      is(arguments, 0, "punsubscribe") || is(arguments, 0, "sunsubscribe");
  if (is(arguments, 0, "monitor")) plan.mode = Mode::kMonitoring;
  return plan;
}

Session::Outcome Session::run(const Words& arguments, int64_t repeat, bool interactive) {
  if (is(arguments, 0, "sync") || is(arguments, 0, "psync")) {
    complain("SYNC and PSYNC turn the connection into a replication link; use --rdb FILE\n");
    return Outcome::kLost;
  }
  if (!connected()) connect();
  if (!connected()) return Outcome::kLost;
  Plan plan = plan_for(arguments, interactive);
  std::optional<InterruptWatch> watch;
  if (interactive) watch.emplace(false);
  Outcome outcome = Outcome::kDone;
  for (int64_t done = 0; repeat < 0 || done < repeat; ++done) {
    connection_->watch(watch ? &*watch : nullptr);
    outcome = run_once(arguments, plan);
    std::fflush(stdout);
    if (outcome != Outcome::kDone || !connected()) break;
    if (options_.interval_seconds > 0) {
      std::this_thread::sleep_for(std::chrono::duration<double>(options_.interval_seconds));
    }
  }
  if (connected()) connection_->watch(nullptr);
  return outcome;
}

Session::Outcome Session::run_once(const Words& arguments, const Plan& plan) {
  Status sent = connection_->send(arguments);
  if (!sent) return read_failed(plan, sent.error());
  if (plan.mode == Mode::kSubscribed && options_.style.mode != OutputMode::kRaw) {
    print("Reading messages... (press Ctrl-C to quit)\n");
    std::fflush(stdout);
  }
  if (plan.mode != Mode::kReplies) return follow(plan);
  ReplyValue reply;
  Outcome outcome = read_and_print(plan, &reply);
  if (outcome == Outcome::kDone && connected()) track(arguments, reply);
  return outcome;
}

// Prints all that comes. An error reply means that the server refused, so that nothing follows.
Session::Outcome Session::follow(const Plan& plan) {
  for (;;) {
    ReplyValue message;
    Outcome outcome = read_and_print(plan, &message);
    std::fflush(stdout);
    if (outcome == Outcome::kDone && connection_->interrupted()) {
      connect();
      return connected() ? Outcome::kDone : Outcome::kLost;
    }
    if (outcome != Outcome::kDone || message.is_error()) return outcome;
  }
}

// Prints one reply, and every push message before it.
Session::Outcome Session::read_and_print(const Plan& plan, ReplyValue* last) {
  for (;;) {
    Result<ReplyValue> reply = connection_->read_reply();
    if (!reply) return read_failed(plan, reply.error());
    *last = std::move(reply).value();
    if (last->type != ReplyValue::Type::kPush || plan.push_answers) break;
    if (options_.show_pushes) print(format_push(*last, options_.style));
    std::fflush(stdout);
  }
  if (last->is_error() && options_.fail_on_error) {
    complain(last->text + "\n");
    return Outcome::kFatal;
  }
  print(plan.verbatim ? format_verbatim(*last, options_.style)
                      : format_reply(*last, options_.style));
  return Outcome::kDone;
}

Session::Outcome Session::read_failed(const Plan& plan, const Error& error) {
  if (connection_->interrupted()) {
    // Ctrl-C leaves a stream of messages; a command that waits for its reply ends the program.
    return plan.mode != Mode::kReplies ? Outcome::kDone : Outcome::kFatal;
  }
  if (plan.shutdown) {
    connection_.reset();
    return Outcome::kDone;
  }
  lose(error);
  return plan.interactive && plan.mode == Mode::kReplies ? Outcome::kLost : Outcome::kFatal;
}

Session::Outcome Session::lose(const Error& error) {
  complain("Error: " + error.message + "\n");
  connection_.reset();
  return Outcome::kLost;
}

// Follows what the command has changed of the connection, for the prompt and for a reconnection.
void Session::track(const Words& arguments, const ReplyValue& reply) {
  bool refused = reply.is_error();
  std::string command = to_lower(arguments[0]);
  size_t count = arguments.size();
  if (command == "select" && count == 2 && !refused) {
    options_.database = database_ = std::atoi(arguments[1].c_str());
  } else if (command == "reset" && count == 1 && !refused) {
    in_transaction_ = false;
    options_.database = database_ = 0;
    options_.protocol = ProtocolChoice::kResp2;
  } else if ((command == "auth" || command == "hello") && !refused && !in_transaction_) {
    track_account(arguments);
  } else if (count == 1) {
    track_transaction(command, refused || (command == "exec" && reply.is_null()));
  }
}

void Session::track_transaction(const std::string& command, bool refused) {
  if (command == "multi" && !refused) {
    in_transaction_ = true;
    database_before_transaction_ = database_;
  } else if ((command == "exec" || command == "discard") && in_transaction_) {
    in_transaction_ = false;
    // A SELECT that was queued has not happened.
    if (refused || command == "discard")
      options_.database = database_ = database_before_transaction_;
  }
}

void Session::track_account(const Words& arguments) {
  if (is(arguments, 0, "auth")) {
    options_.user = arguments.size() == 3 ? arguments[1] : "";
    if (arguments.size() > 1) options_.password = arguments.back();
    return;
  }
  if (arguments.size() > 1) {
    options_.protocol = arguments[1] == "3" ? ProtocolChoice::kResp3 : ProtocolChoice::kResp2;
  }
  for (size_t i = 2; i + 2 < arguments.size(); ++i) {
    if (!is(arguments, i, "auth")) continue;
    options_.user = arguments[i + 1];
    options_.password = arguments[i + 2];
  }
}

std::string Session::prompt() const {
  if (!connected()) return "not connected> ";
  std::string out = options_.endpoint.socket_path.empty() ? "" : "redis ";
  out += options_.endpoint.to_string();
  if (database_ != 0) out += "[" + std::to_string(database_) + "]";
  if (in_transaction_) out += "(TX)";
  return out + "> ";
}

std::unique_ptr<Connection> Session::open_aside() const {
  auto opened = Connection::open(options_.endpoint, options_.connect_timeout_seconds);
  if (!opened) return nullptr;
  std::unique_ptr<Connection> connection = std::move(opened).value();
  if (!options_.password) return connection;
  Result<ReplyValue> reply = connection->call(auth_command(options_));
  return reply.ok() && !reply.value().is_error() ? std::move(connection) : nullptr;
}

}  // namespace tandem::cli
