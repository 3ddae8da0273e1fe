#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tools/cli/connection.h"
#include "tools/cli/options.h"

namespace tandem::cli {

// A conversation with a server: one connection that is opened when needed, what the server knows of
// it (database, transaction, account, protocol), and the printing of replies to standard output.
class Session {
 public:
  // What ended a command. A reply, even an error reply, is kDone.
  enum class Outcome : uint8_t {
    kDone,
    kLost,   // no connection, or it broke; the reason has been printed
    kFatal,  // exit with code 1; the reason has been printed
  };

  explicit Session(Options options) : options_(std::move(options)) {}

  const Options& options() const { return options_; }
  bool connected() const { return connection_ != nullptr; }
  Connection& connection() { return *connection_; }

  // Closes an open connection and opens a new one, then AUTH, SELECT and HELLO as asked for. False
  // when any of these failed; the reason is on standard error. A refused AUTH, SELECT or HELLO
  // leaves the connection open.
  bool connect();
  bool connect_to(const std::string& host, int port);

  // Runs one command `repeat` times (negative: for ever) and prints its replies. SUBSCRIBE and
  // MONITOR print what comes until the connection ends or, when `interactive`, until Ctrl-C.
  Outcome run(const std::vector<std::string>& arguments, int64_t repeat, bool interactive);

  // "127.0.0.1:6379[3](TX)> ", or "not connected> ".
  std::string prompt() const;

  // A second connection to the same server under the same account, for questions of our own that
  // must not disturb this one; null when there is none to be had.
  std::unique_ptr<Connection> open_aside() const;

 private:
  enum class Mode : uint8_t { kReplies, kSubscribed, kMonitoring };

  // How one command is carried out.
  struct Plan {
    Mode mode = Mode::kReplies;
    bool verbatim = false;      // its reply is text laid out by the server
    bool shutdown = false;      // a closed connection is the answer
    bool push_answers = false;  // a push message is the reply, not news
    bool interactive = false;
  };

  static Plan plan_for(const std::vector<std::string>& arguments, bool interactive);
  Outcome run_once(const std::vector<std::string>& arguments, const Plan& plan);
  Outcome follow(const Plan& plan);
  Outcome read_and_print(const Plan& plan, ReplyValue* last);
  Outcome read_failed(const Plan& plan, const Error& error);
  Outcome lose(const Error& error);
  void track(const std::vector<std::string>& arguments, const ReplyValue& reply);
  void track_transaction(const std::string& command, bool refused);
  void track_account(const std::vector<std::string>& arguments);
  bool authenticate();
  bool select_database();
  bool negotiate_protocol();

  Options options_;
  std::unique_ptr<Connection> connection_;
  int database_ = 0;  // of the connection; options_.database is the one wanted
  bool in_transaction_ = false;
  int database_before_transaction_ = 0;
};

}  // namespace tandem::cli
