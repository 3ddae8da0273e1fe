// FUNCTION COPYFROM: the libraries of another server, of Tandem or of the family.

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/families.h"
#include "server/commands/services.h"
#include "server/exec/executor.h"
#include "server/exec/outgoing.h"
#include "server/resp/request_encoder.h"

namespace tandem {
namespace {

// One copy on its way, and the client that waits for it.
class FunctionCopy final : public Blocker, public std::enable_shared_from_this<FunctionCopy> {
 public:
  FunctionCopy(Call& call, std::string_view policy)
      : executor_(call.executor),
        outgoing_(*call.services.outgoing),
        client_id_(call.client.id),
        command_(call.args[0]),
        policy_(policy) {}

  void ask(RemoteServer source, const Settings& settings);
  void unblock(Client& client, std::string_view error) override;

 private:
  void finish(const RemoteAnswer& answer);
  // Why there is no payload in the answer; empty when there is one.
  static std::string failure_of(const RemoteAnswer& answer);
  void fail(Client& client, const std::string& reason) const;
  void restore(Client& client, std::string_view payload) const;

  Executor& executor_;
  Outgoing& outgoing_;
  const uint64_t client_id_;
  const std::string command_;  // FUNCTION, as the client wrote it
  const std::string policy_;
  std::string address_;
  uint64_t question_ = 0;
};

void FunctionCopy::ask(RemoteServer source, const Settings& settings) {
  address_ = source.address();
  // No larger than what a client could send in FUNCTION RESTORE.
  const auto max_bytes = static_cast<uint64_t>(settings.proto_max_bulk_len);
  question_ = outgoing_.ask(
      {.server = std::move(source),
       .write =
           [](OutputBuffer& out) {
             append_request(out, {"FUNCTION", "DUMP"});
             return size_t{1};
           },
       .patience_ms = settings.repl_timeout * 1000,
       .limits = {.max_bulk_bytes = max_bytes,
                  .max_elements = 0,
                  .max_depth = 1,
                  .max_line_bytes = 64 * 1024}},
      [self = shared_from_this()](const RemoteAnswer& answer) { self->finish(answer); });
}

void FunctionCopy::unblock(Client& client, std::string_view error) {
  // The question owns this object.
  const std::shared_ptr<FunctionCopy> self = shared_from_this();
  outgoing_.cancel(question_);
  if (error.empty()) return fail(client, "the wait was ended by CLIENT UNBLOCK");
  client.answer_blocked([error](Reply& reply) { reply.error(error); });
}

void FunctionCopy::finish(const RemoteAnswer& answer) {
  Client* client = executor_.find_client(client_id_);
  // Nobody waits for the libraries any more: they are not wanted.
  if (client == nullptr || client->closing()) return;
  if (const std::string reason = failure_of(answer); !reason.empty()) return fail(*client, reason);
  restore(*client, answer.replies[0].text);
}

std::string FunctionCopy::failure_of(const RemoteAnswer& answer) {
  if (answer.failure == RemoteAnswer::Failure::kRefused) return "AUTH: " + answer.reason;
  if (answer.failure != RemoteAnswer::Failure::kNone) return answer.reason;
  const ReplyValue& reply = answer.replies[0];
  if (reply.is_error()) return "FUNCTION DUMP: " + reply.text;
  return reply.type == ReplyValue::Type::kBulk ? "" : "FUNCTION DUMP was answered by no payload";
}

void FunctionCopy::fail(Client& client, const std::string& reason) const {
  client.answer_blocked([&](Reply& reply) {
    reply.error("ERR Copying the functions of " + address_ + " failed: " + reason);
  });
}

// From here on it is a FUNCTION RESTORE of this client, which may be refused like any other; it
// counts as one call of this command.
void FunctionCopy::restore(Client& client, std::string_view payload) const {
  const std::string_view request[] = {command_, "RESTORE", payload, policy_};
  client.answer_blocked([&](Reply&) {
    Command* const own = client.last_command;
    executor_.execute(client, request);
    client.last_command = own;
  });
}

bool is_policy(std::string_view word) {
  return equals_ignore_case(word, "flush") || equals_ignore_case(word, "append") ||
         equals_ignore_case(word, "replace");
}

// FUNCTION COPYFROM host port [USER user] [AUTH password] [FLUSH | APPEND | REPLACE]
void copyfrom_command(Call& call) {
  const Args args = call.args;
  std::string_view policy;
  RemoteServer source = {.host = std::string(args[2])};
  for (size_t i = 4; i < args.size(); ++i) {
    const bool has_value = i + 1 < args.size();
    if (policy.empty() && is_policy(args[i])) {
      policy = args[i];
    } else if (has_value && equals_ignore_case(args[i], "user")) {
      source.user = args[++i];
    } else if (has_value && equals_ignore_case(args[i], "auth")) {
      call.hide(++i);
      source.password = args[i];
    } else {
      return call.syntax_error();
    }
  }
  // A user is authenticated by a password.
  if (!source.user.empty() && !source.password) return call.syntax_error();
  const auto port = read_integer(call, args[3], 1, UINT16_MAX);
  if (!port) return;
  source.port = static_cast<int>(*port);
  if (!call.can_block()) {
    call.reply.error("ERR FUNCTION COPYFROM waits for a server, which only a client may");
    return;
  }
  const auto copy = std::make_shared<FunctionCopy>(call, policy.empty() ? "APPEND" : policy);
  copy->ask(std::move(source), call.executor.config().settings());
  call.client.block(copy.get());
}

constexpr CommandRow kRows[] = {
    {.name = "function|copyfrom",
     .handler = copyfrom_command,
     .arity = -4,
     .flags = "blocking,denyoom,no_multi,noscript,write",
     .categories = "@blocking,@dangerous,@scripting,@slow,@write",
     .tips = "request_policy:all_shards;response_policy:all_succeeded",
     .summary = "Creates the libraries of another server.",
     .since = "0.1.0",
     .group = "scripting",
     .complexity = "O(N) where N is the number of functions on the other server"},
};

}  // namespace

std::span<const CommandRow> function_copy_commands() { return kRows; }

}  // namespace tandem
