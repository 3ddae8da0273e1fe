#pragma once

#include <memory>
#include <string>
#include <vector>

#include "server/base/result.h"
#include "tools/cli/library_source.h"
#include "tools/cli/session.h"

namespace tandem::cli {

struct FunctionDescription {
  std::string name;
  std::string description;
  std::vector<std::string> flags;
};

struct LibraryDescription {
  std::string name;
  std::string engine;
  std::vector<FunctionDescription> functions;
  std::string code;  // when it was asked for
};

// The function libraries of one server, over a connection of its own. Errors carry the server's
// words, or why it could not be reached.
class FunctionServer {
 public:
  using Command = std::vector<std::string>;

  // `options` say where it is and under which account.
  explicit FunctionServer(const Options& options);

  // As messages name it.
  std::string name() const { return session_->options().endpoint.to_string(); }
  Session& session() { return *session_; }

  // Opens a connection, a new one if there was one. Why it failed has been printed.
  Status connect();

  // By name, as are the functions of each.
  Result<std::vector<LibraryDescription>> list(bool with_code);
  Result<Libraries> libraries();
  Result<std::string> dump();
  // Runs the commands, in one transaction when they are several, so that nobody sees a part of what
  // they do. Every one must succeed; those before and behind a failed one may still have run.
  Status run(const std::vector<Command>& commands);

 private:
  Result<ReplyValue> call(const Command& command);
  Status run_transaction(const std::vector<Command>& commands);

  std::unique_ptr<Session> session_;
};

// The options to reach the server that an argument names: host:port, the path of a unix socket, or
// a URI, which may carry an account of its own.
Result<Options> options_for(const std::string& server, const Options& base);

}  // namespace tandem::cli
