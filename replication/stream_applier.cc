#include "replication/stream_applier.h"

#include <algorithm>
#include <iterator>

#include "server/base/log.h"
#include "server/base/strings.h"

namespace tandem {

namespace {

constexpr size_t kShownName = 128;

// What serves the link, and messages: no part of the dataset's history on disk.
bool is_transient(Args args) {
  constexpr std::string_view kNames[] = {"PING", "REPLCONF", "PUBLISH", "SPUBLISH"};
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [&](std::string_view name) { return equals_ignore_case(args[0], name); });
}

// While a stream is applied its effects are the stream itself, and its primary decides when a key
// has expired.
class ApplyingScope {
 public:
  explicit ApplyingScope(Executor* executor)
      : executor_(*executor), policy_(executor->keyspace().expiry_policy()) {
    executor_.effects().suspend();
    executor_.keyspace().set_expiry_policy(ExpiryPolicy::kIgnore);
  }
  ~ApplyingScope() {
    executor_.keyspace().set_expiry_policy(policy_);
    executor_.effects().resume();
  }

 private:
  Executor& executor_;
  ExpiryPolicy policy_;
};

}  // namespace

void StreamApplier::begin(Client* client) {
  client_ = client;
  client_->db = db_;
  parser_ = RequestParser();
  open_unit_.clear();
}

Result<size_t> StreamApplier::apply(std::string_view input) {
  executor_.begin_batch();
  // Before effects are suspended: keys that this server evicts by itself are news to its AOF.
  executor_.make_room();
  const Result<size_t> taken = run_all(input);
  if (!log_.empty()) persistence_.on_forwarded_stream(log_db_, log_);
  if (!applied_.empty()) pass_on_(applied_);
  log_.clear();
  applied_.clear();
  return taken;
}

Result<size_t> StreamApplier::run_all(std::string_view input) {
  const ApplyingScope applying(&executor_);
  size_t taken = 0;
  while (taken < input.size() && !client_->closing()) {
    switch (parser_.parse(input.substr(taken), executor_.request_limits())) {
      case RequestParser::Outcome::kNeedMore:
        return taken;
      case RequestParser::Outcome::kError:
        return make_error(ErrorKind::kCorrupt, parser_.error());
      case RequestParser::Outcome::kEmpty:
        open_unit_.append(input.substr(taken, parser_.consumed()));
        break;
      case RequestParser::Outcome::kRequest: {
        const bool transient = is_transient(parser_.args());
        open_unit_.append(input.substr(taken, parser_.consumed()));
        run(parser_.args());
        if (!client_->transaction.active) end_of_unit(!transient);
        break;
      }
    }
    taken += parser_.consumed();
  }
  return taken;
}

void StreamApplier::run(Args args) {
  client_->last_command = nullptr;
  executor_.execute_in_batch(*client_, args);
  if (client_->last_command != nullptr) return;
  log_warning("== CRITICAL == This replica cannot run a command of its master: " +
              quote(args[0].substr(0, kShownName)) +
              ". From now on its data differs from the master's.");
}

void StreamApplier::end_of_unit(bool for_log) {
  applied_.append(open_unit_);
  if (for_log) {
    if (log_.empty()) log_db_ = db_;
    log_.append(open_unit_);
  }
  open_unit_.clear();
  db_ = client_->db;
}

}  // namespace tandem
