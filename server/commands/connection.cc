// PING, ECHO, QUIT, RESET, SELECT, HELLO, AUTH, READONLY, READWRITE.

#include <string>

#include "replication/replication.h"
#include "server/base/config.h"
#include "server/base/digest.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/base/version.h"
#include "server/commands/client_names.h"
#include "server/commands/families.h"
#include "server/commands/services.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"
#include "server/exec/monitors.h"

namespace tandem {
namespace {

constexpr std::string_view kWrongPassword =
    "WRONGPASS invalid username-password pair or user is disabled.";

const Settings& settings(Call& call) { return call.executor.config().settings(); }

void ping_command(Call& call) {
  if (call.args.size() > 2) return call.wrong_arg_count();
  const std::string_view message = call.args.size() == 2 ? call.args[1] : std::string_view();
  if (call.client.kind == ClientKind::kPrimary && !message.empty()) {
    call.hide(1);
    call.services.replication->check_digest(message);
  }
  if (call.client.only_subscribes()) {
    // Shaped like a message: the client reads nothing else.
    call.reply.array(2);
    call.reply.bulk("pong");
    return call.reply.bulk(message);
  }
  if (call.args.size() == 2) return call.reply.bulk(message);
  call.reply.simple("PONG");
}

void echo_command(Call& call) { call.reply.bulk(call.args[1]); }

void quit_command(Call& call) {
  call.reply.ok();
  call.client.close_after_reply();
}

// The connection as it was when it was accepted, but for the names of the client's library.
void reset_command(Call& call) {
  Client& client = call.client;
  if (client.kind != ClientKind::kNormal) {
    call.reply.error("ERR can only reset normal client connections");
    return;
  }
  if (client.transaction.active) call.executor.discard_transaction(client);
  call.executor.unwatch_all(client);
  call.executor.pubsub().remove(client);
  call.executor.monitors().remove(client);
  call.executor.tracking().disable(client);
  client.db = 0;
  client.name.clear();
  client.no_evict = false;
  client.no_touch = false;
  client.import_source = false;
  client.user = "default";
  client.authenticated = settings(call).requirepass.empty();
  client.set_protocol(2);
  // A client that had turned its replies off hears from this one on.
  const bool was_silent = client.reply_mode() != ReplyMode::kOn;
  client.set_reply_mode(ReplyMode::kOn);
  (was_silent ? client.reply() : call.reply).simple("RESET");
}

void select_command(Call& call) {
  const auto index = parse_int64(call.args[1]);
  if (!index) return call.not_an_integer();
  if (*index < INT32_MIN || *index > INT32_MAX) {
    call.reply.error("ERR value is out of range, value must between -2147483648 and 2147483647");
    return;
  }
  if (*index < 0 || *index >= call.keyspace.database_count()) {
    call.reply.error("ERR DB index is out of range");
    return;
  }
  call.client.db = static_cast<int>(*index);
  call.reply.ok();
}

// The default user is the only one. Without a password it takes any.
bool authenticate(Call& call, std::string_view user, std::string_view password) {
  const std::string& required = settings(call).requirepass;
  if (user != "default") return false;
  if (!required.empty() && !equals_constant_time(password, required)) return false;
  call.client.authenticated = true;
  call.client.user = user;
  return true;
}

void auth_command(Call& call) {
  for (size_t i = 1; i < call.args.size(); ++i) call.hide(i);
  if (call.args.size() > 3) return call.syntax_error();
  const bool with_user = call.args.size() == 3;
  if (!with_user && settings(call).requirepass.empty()) {
    call.reply.error(
        "ERR AUTH <password> called without any password configured for the default user. Are you "
        "sure your configuration is correct?");
    return;
  }
  if (!authenticate(call, with_user ? call.args[1] : "default", call.args.back())) {
    call.reply.error(kWrongPassword);
    return;
  }
  call.reply.ok();
}

struct HelloOptions {
  int protocol = 0;  // 0: unchanged
  bool auth = false;
  std::string_view user, password;
  bool set_name = false;
  std::string_view name;
};

// Replies the error itself and returns false.
bool parse_hello(Call& call, HelloOptions* options) {
  const Args args = call.args;
  size_t next = 1;
  if (args.size() > 1) {
    const auto version = parse_int64(args[next++]);
    if (!version) {
      call.reply.error("ERR Protocol version is not an integer or out of range");
      return false;
    }
    if (*version < 2 || *version > 3) {
      call.reply.error("NOPROTO unsupported protocol version");
      return false;
    }
    options->protocol = static_cast<int>(*version);
  }
  while (next < args.size()) {
    const std::string_view option = args[next];
    const size_t more = args.size() - next - 1;
    if (equals_ignore_case(option, "auth") && more >= 2) {
      options->auth = true;
      options->user = args[next + 1];
      options->password = args[next + 2];
      call.hide(next + 1);
      call.hide(next + 2);
      next += 3;
    } else if (equals_ignore_case(option, "setname") && more >= 1) {
      options->set_name = true;
      options->name = args[next + 1];
      if (!is_client_name(options->name)) {
        call.reply.error(kBadClientName);
        return false;
      }
      next += 2;
    } else {
      call.reply.error("ERR Syntax error in HELLO option '" + std::string(option) + "'");
      return false;
    }
  }
  return true;
}

void reply_hello(Call& call) {
  const Settings& config = settings(call);
  const bool zone = !config.availability_zone.empty();
  Reply& reply = call.reply;
  reply.map(zone ? 8 : 7);
  reply.bulk("server");
  reply.bulk(config.extended_redis_compatibility ? "redis" : "tandem");
  reply.bulk("version");
  reply.bulk(kRedisVersion);
  reply.bulk("proto");
  reply.integer(call.client.protocol());
  reply.bulk("id");
  reply.integer(static_cast<int64_t>(call.client.id));
  reply.bulk("mode");
  reply.bulk("standalone");
  reply.bulk("role");
  reply.bulk(call.executor.state().is_replica ? "replica" : "master");
  reply.bulk("modules");
  reply.array(0);
  if (zone) {
    reply.bulk("availability_zone");
    reply.bulk(config.availability_zone);
  }
}

void hello_command(Call& call) {
  HelloOptions options;
  if (!parse_hello(call, &options)) return;
  if (options.auth && !authenticate(call, options.user, options.password)) {
    call.reply.error(kWrongPassword);
    return;
  }
  if (!call.client.authenticated) {
    call.reply.error(
        "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO "
        "<proto> AUTH <user> <pass> option can be used to authenticate the client and select the "
        "RESP protocol version at the same time");
    return;
  }
  if (options.set_name) call.client.name = options.name;
  if (options.protocol != 0) call.client.set_protocol(options.protocol);
  reply_hello(call);
}

// Every node here serves every key it has, so there is nothing to switch.
void readonly_command(Call& call) { call.reply.ok(); }

constexpr CommandRow kRows[] = {
    {.name = "ping",
     .handler = ping_command,
     .arity = -1,
     .flags = "fast",
     .categories = "@connection,@fast",
     .tips = "request_policy:all_shards;response_policy:all_succeeded",
     .summary = "Answers PONG, or the message given.",
     .since = "1.0.0",
     .group = "connection",
     .complexity = "O(1)",
     .extra_flags = kSubscriberMay},
    {.name = "echo",
     .handler = echo_command,
     .arity = 2,
     .flags = "fast,loading,stale",
     .categories = "@connection,@fast",
     .summary = "Answers with the message given.",
     .since = "1.0.0",
     .group = "connection",
     .complexity = "O(1)"},
    {.name = "quit",
     .handler = quit_command,
     .arity = -1,
     .flags = "allow_busy,fast,loading,no_auth,noscript,stale",
     .categories = "@connection,@fast",
     .summary = "Closes the connection after the replies that are due.",
     .since = "1.0.0",
     .group = "connection",
     .complexity = "O(1)",
     .extra_flags = kTransactionControl | kSubscriberMay},
    {.name = "reset",
     .handler = reset_command,
     .arity = 1,
     .flags = "allow_busy,fast,loading,no_auth,noscript,stale",
     .categories = "@connection,@fast",
     .summary = "Puts the connection back to how it started.",
     .since = "6.2.0",
     .group = "connection",
     .complexity = "O(1)",
     .extra_flags = kTransactionControl | kSubscriberMay},
    {.name = "select",
     .handler = select_command,
     .arity = 2,
     .flags = "fast,loading,stale",
     .categories = "@connection,@fast",
     .summary = "Chooses the database of the connection.",
     .since = "1.0.0",
     .group = "connection",
     .complexity = "O(1)"},
    {.name = "hello",
     .handler = hello_command,
     .arity = -1,
     .flags = "allow_busy,fast,loading,no_auth,noscript,stale",
     .categories = "@connection,@fast",
     .summary = "Describes the server; chooses the protocol, authenticates and names the client.",
     .since = "6.0.0",
     .group = "connection",
     .complexity = "O(1)"},
    {.name = "auth",
     .handler = auth_command,
     .arity = -2,
     .flags = "allow_busy,fast,loading,no_auth,noscript,stale",
     .categories = "@connection,@fast",
     .summary = "Authenticates the connection.",
     .since = "1.0.0",
     .group = "connection",
     .complexity = "O(1)"},
    {.name = "readonly",
     .handler = readonly_command,
     .arity = 1,
     .flags = "fast,loading,stale",
     .categories = "@connection,@fast",
     .summary = "Allows reads from a replica, which are always allowed here.",
     .since = "3.0.0",
     .group = "cluster",
     .complexity = "O(1)"},
    {.name = "readwrite",
     .handler = readonly_command,
     .arity = 1,
     .flags = "fast,loading,stale",
     .categories = "@connection,@fast",
     .summary = "Ends what READONLY began.",
     .since = "3.0.0",
     .group = "cluster",
     .complexity = "O(1)"},
};

}  // namespace

std::span<const CommandRow> connection_commands() { return kRows; }

}  // namespace tandem
