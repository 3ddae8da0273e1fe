// REPLICAOF, SLAVEOF, FAILOVER, ROLE, PSYNC, SYNC, REPLCONF, WAIT, WAITAOF.

#include "replication/replication.h"
#include "persistence/persistence.h"

#include <optional>
#include <string>
#include <vector>

#include "server/base/log.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/families.h"
#include "server/commands/services.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"

namespace tandem {
namespace {

constexpr size_t kLongestAddress = 255;

Replication& replication(Call& call) { return *call.services.replication; }

std::string requester(const Client& client) {
  std::string text = "user request from 'id=" + std::to_string(client.id);
  if (client.link() != nullptr) text += " addr=" + client.link()->peer_address();
  return text + " name=" + client.name + "'";
}

// REPLICAOF host port [FORCE] | REPLICAOF NO ONE
void replicaof_command(Call& call) {
  // A primary does not decide whom its replica follows.
  if (call.client.kind == ClientKind::kPrimary) return;
  if (replication(call).failing_over()) {
    return call.reply.error("ERR REPLICAOF not allowed while failing over.");
  }
  const bool force = call.args.size() == 4 && equals_ignore_case(call.args[3], "force");
  if (call.args.size() != 3 && !force) return call.syntax_error();
  if (!force && equals_ignore_case(call.args[1], "no") && equals_ignore_case(call.args[2], "one")) {
    if (replication(call).is_replica()) {
      replication(call).promote();
      log_notice("MASTER MODE enabled (" + requester(call.client) + ")");
    }
    return call.reply.ok();
  }
  if (call.client.kind == ClientKind::kReplica) {
    return call.reply.error("ERR Command is not valid when client is a replica.");
  }
  const auto port = parse_int64(call.args[2]);
  if (!port || *port < 0 || *port > 65535) return call.reply.error("ERR Invalid master port");
  const std::string host(call.args[1]);
  if (!replication(call).follow(host, static_cast<int>(*port), force)) {
    log_notice(
        "REPLICAOF would result into synchronization with the master we are already connected "
        "with. No operation performed.");
    return call.reply.simple("OK Already connected to specified master");
  }
  log_notice("REPLICAOF " + host + ":" + std::to_string(*port) + " enabled (" +
             requester(call.client) + ")");
  call.reply.ok();
}

// Replies and returns nothing when they are wrong.
std::optional<Failover::Request> read_failover_options(Call& call) {
  const Args args = call.args;
  Failover::Request request;
  for (size_t i = 1; i < args.size(); ++i) {
    if (equals_ignore_case(args[i], "timeout") && i + 1 < args.size() && request.timeout_ms == 0) {
      const auto timeout_ms = read_integer(call, args[++i]);
      if (!timeout_ms) return std::nullopt;
      request.timeout_ms = *timeout_ms;
      if (request.timeout_ms <= 0) {
        call.reply.error("ERR FAILOVER timeout must be greater than 0");
        return std::nullopt;
      }
    } else if (equals_ignore_case(args[i], "force") && !request.force) {
      request.force = true;
    } else if (equals_ignore_case(args[i], "to") && i + 2 < args.size() && request.host.empty()) {
      request.host = args[i + 1];
      const auto port = read_integer(call, args[i + 2], 0, 65535);
      if (!port) return std::nullopt;
      request.port = static_cast<int>(*port);
      i += 2;
    } else {
      call.syntax_error();
      return std::nullopt;
    }
  }
  return request;
}

// FAILOVER [TO host port [FORCE]] [TIMEOUT milliseconds] | FAILOVER ABORT
void failover_command(Call& call) {
  std::optional<std::string> refused;
  if (call.args.size() == 2 && equals_ignore_case(call.args[1], "abort")) {
    refused = replication(call).abort_failover();
  } else {
    auto request = read_failover_options(call);
    if (!request) return;
    refused = replication(call).failover(*std::move(request));
  }
  if (refused) return call.reply.error(*refused);
  call.reply.ok();
}

void role_of_primary(Call& call, const ReplicationInfo& info) {
  std::vector<const ReplicaInfo*> online;
  for (const ReplicaInfo& replica : info.replicas) {
    if (replica.state == "online") online.push_back(&replica);
  }
  call.reply.array(3);
  call.reply.bulk("master");
  call.reply.integer(static_cast<int64_t>(info.offset));
  call.reply.array(online.size());
  for (const ReplicaInfo* replica : online) {
    call.reply.array(3);
    call.reply.bulk(replica->ip);
    call.reply.bulk(std::to_string(replica->port));
    call.reply.bulk(std::to_string(replica->offset));
  }
}

void role_command(Call& call) {
  const ReplicationInfo info = replication(call).info();
  if (!info.is_replica) return role_of_primary(call, info);
  call.reply.array(5);
  call.reply.bulk("slave");
  call.reply.bulk(info.primary_host);
  call.reply.integer(info.primary_port);
  call.reply.bulk(info.link_state);
  call.reply.integer(info.link_up ? static_cast<int64_t>(info.applied_offset) : -1);
}

void psync_command(Call& call) {
  const auto offset = read_integer(call, call.args[2]);
  if (!offset) return;
  const bool take_over = call.args.size() > 3 && equals_ignore_case(call.args[3], "failover");
  const auto refused = replication(call).psync(call.client, call.args[1], *offset, take_over);
  if (refused) call.reply.error(*refused);
}

void sync_command(Call& call) {
  const auto refused = replication(call).sync(call.client);
  if (refused) call.reply.error(*refused);
}

// "functions", or nothing: what the snapshot is to hold. False after an error reply.
bool read_filter(Call& call, std::string_view text, ReplicaHandshake* handshake) {
  std::vector<std::string> parts;
  if (!split_words(text, &parts)) {
    call.reply.error("ERR Missing rdb-filter-only values");
    return false;
  }
  handshake->exclude_keys = handshake->exclude_functions = true;
  for (const std::string& part : parts) {
    if (!equals_ignore_case(part, "functions")) {
      call.reply.error("ERR Unsupported rdb-filter-only option: " + part);
      return false;
    }
    handshake->exclude_functions = false;
  }
  return true;
}

bool is_version(std::string_view text) {
  int dots = 0;
  for (const char c : text) {
    if (c == '.') {
      ++dots;
    } else if (c < '0' || c > '9') {
      return false;
    }
  }
  return dots == 2 && text.front() != '.' && text.back() != '.';
}

// One option of a replica's handshake. False after an error reply.
bool set_option(Call& call, std::string_view name, std::string_view value) {
  ReplicaHandshake& handshake = replication(call).handshake(call.client);
  if (equals_ignore_case(name, "listening-port")) {
    const auto port = read_integer(call, value);
    if (port) handshake.listening_port = static_cast<int>(*port);
    return port.has_value();
  }
  if (equals_ignore_case(name, "ip-address")) {
    if (value.size() <= kLongestAddress) {
      handshake.ip_address = value;
      return true;
    }
    call.reply.error("ERR REPLCONF ip-address provided by replica instance is too long: " +
                     std::to_string(value.size()) + " bytes");
    return false;
  }
  if (equals_ignore_case(name, "capa")) {
    // What we do not know we do not use.
    if (equals_ignore_case(value, "eof")) handshake.capa_eof = true;
    if (equals_ignore_case(value, "psync2")) handshake.capa_psync2 = true;
    if (equals_ignore_case(value, "lz4")) handshake.capa_lz4 = true;
    return true;
  }
  if (equals_ignore_case(name, "version")) {
    handshake.version_given = is_version(value);
    if (!handshake.version_given) {
      call.reply.error("ERR Unrecognized version format: " + std::string(value));
    }
    const auto major = parse_int64(value.substr(0, value.find('.')));
    handshake.reads_field_expiry = handshake.version_given && major && *major >= 9;
    return handshake.version_given;
  }
  if (equals_ignore_case(name, "rdb-only")) {
    const auto only = read_integer(call, value, 0, 1);
    if (only) handshake.rdb_only = *only == 1;
    return only.has_value();
  }
  if (equals_ignore_case(name, "rdb-filter-only")) return read_filter(call, value, &handshake);
  call.reply.error("ERR Unrecognized REPLCONF option: " + std::string(name));
  return false;
}

// REPLCONF ACK offset [FACK offset | DIGEST-ASK question]: a replica's report, which is never
// answered.
void acknowledge(Call& call) {
  const Args args = call.args;
  const auto offset = parse_uint64(args[2]);
  if (!offset) return;
  std::optional<uint64_t> aof_offset;
  if (args.size() > 4 && equals_ignore_case(args[3], "fack")) aof_offset = parse_uint64(args[4]);
  replication(call).acknowledged(call.client, *offset, aof_offset);
  if (args.size() > 4 && equals_ignore_case(args[3], "digest-ask")) {
    replication(call).digest_asked(call.client, args[4]);
  }
}

void replconf_command(Call& call) {
  const Args args = call.args;
  if (args.size() % 2 == 0) return call.syntax_error();
  for (size_t i = 1; i < args.size(); i += 2) {
    if (equals_ignore_case(args[i], "ack")) {
      if (i == 1) acknowledge(call);
      return;
    }
    if (equals_ignore_case(args[i], "getack")) {
      return replication(call).ack_requested(call.client);
    }
    if (!set_option(call, args[i], args[i + 1])) return;
  }
  call.reply.ok();
}

// Whether WAITAOF can mean something here; replies why not.
bool check_waitaof(Call& call, const WriteGoal& goal) {
  if (replication(call).is_replica()) {
    call.reply.error(
        "ERR WAITAOF cannot be used with replica instances. Please also note that writes to "
        "replicas are just local and are not propagated.");
    return false;
  }
  if (goal.local && !call.services.persistence->aof_enabled()) {
    call.reply.error("ERR WAITAOF cannot be used when numlocal is set but appendonly is disabled.");
    return false;
  }
  return true;
}

// Replies how far the client's last write has come, at once or when it has come as far as `goal`.
void wait_for(Call& call, WriteGoal goal, std::string_view timeout) {
  const auto deadline_ms = read_timeout(call, timeout, TimeUnit::kMilliseconds);
  if (!deadline_ms) return;
  if (goal.durable && !check_waitaof(call, goal)) return;
  const int64_t left_ms =
      *deadline_ms == 0 ? 0 : *deadline_ms - call.executor.clock().monotonic_ms();
  const auto reach = replication(call).wait(call.client, &goal, left_ms);
  if (reach) reach->reply(call.reply, goal);
}

void wait_command(Call& call) {
  if (replication(call).is_replica()) {
    return call.reply.error(
        "ERR WAIT cannot be used with replica instances. Please also note that since Redis 4.0 if "
        "a replica is configured to be writable (which is not the default) writes to replicas are "
        "just local and are not propagated.");
  }
  WriteGoal goal;
  const auto replicas = read_integer(call, call.args[1]);
  if (!replicas) return;
  goal.replicas = *replicas;
  wait_for(call, goal, call.args[2]);
}

// WAITAOF numlocal numreplicas timeout
void waitaof_command(Call& call) {
  const auto local = read_integer(call, call.args[1]);
  if (!local) return;
  if (*local < 0 || *local > 1) {
    return call.reply.error("ERR value is out of range, value must between 0 and 1");
  }
  const auto replicas = read_integer(call, call.args[2]);
  if (!replicas) return;
  if (*replicas < 0) return call.reply.error("ERR value is out of range, must be positive");
  wait_for(call, {.replicas = *replicas, .durable = true, .local = *local == 1}, call.args[3]);
}

constexpr CommandRow kRows[] = {
    {.name = "replicaof",
     .handler = replicaof_command,
     .arity = 3,
     .own_args = 1,  // FORCE
     .flags = "admin,no_async_loading,noscript,stale",
     .categories = "@admin,@dangerous,@slow",
     .summary = "Makes this server the replica of another one, or a primary again.",
     .since = "5.0.0",
     .group = "server",
     .complexity = "O(1)"},
    {.name = "slaveof",
     .handler = replicaof_command,
     .arity = 3,
     .own_args = 1,  // FORCE
     .flags = "admin,no_async_loading,noscript,stale",
     .categories = "@admin,@dangerous,@slow",
     .summary = "The older name of REPLICAOF.",
     .since = "1.0.0",
     .group = "server",
     .complexity = "O(1)"},
    {.name = "failover",
     .handler = failover_command,
     .arity = -1,
     .flags = "admin,noscript,stale",
     .categories = "@admin,@dangerous,@slow",
     .summary = "Hands the role of the primary to a replica that has all data.",
     .since = "6.2.0",
     .group = "server",
     .complexity = "O(1)"},
    {.name = "role",
     .handler = role_command,
     .arity = 1,
     .flags = "fast,loading,noscript,stale",
     .categories = "@admin,@dangerous,@fast",
     .summary = "Tells this server's part in replication.",
     .since = "2.8.12",
     .group = "server",
     .complexity = "O(1)"},
    {.name = "psync",
     .handler = psync_command,
     .arity = -3,
     .flags = "admin,no_async_loading,no_multi,noscript",
     .categories = "@admin,@dangerous,@slow",
     .summary = "A replica asks for the stream, or for everything.",
     .since = "2.8.0",
     .group = "server",
     .complexity = "O(N) in the size of the dataset for a full sync, O(1) for a partial one"},
    {.name = "sync",
     .handler = sync_command,
     .arity = 1,
     .flags = "admin,no_async_loading,no_multi,noscript",
     .categories = "@admin,@dangerous,@slow",
     .summary = "A replica or a tool asks for a snapshot.",
     .since = "1.0.0",
     .group = "server",
     .complexity = "O(N) in the size of the dataset"},
    {.name = "replconf",
     .handler = replconf_command,
     .arity = -1,
     .flags = "admin,allow_busy,loading,noscript,stale",
     .categories = "@admin,@dangerous,@slow",
     .summary = "What the two ends of a replication link tell each other.",
     .since = "3.0.0",
     .group = "server",
     .complexity = "O(1)"},
    {.name = "wait",
     .handler = wait_command,
     .arity = 3,
     .flags = "blocking",
     .categories = "@blocking,@connection,@slow",
     .tips = "request_policy:all_shards;response_policy:agg_min",
     .summary = "Waits until replicas have this connection's writes.",
     .since = "3.0.0",
     .group = "generic",
     .complexity = "O(1)"},
    {.name = "waitaof",
     .handler = waitaof_command,
     .arity = 4,
     .flags = "blocking",
     .categories = "@blocking,@connection,@slow",
     .tips = "request_policy:all_shards;response_policy:agg_min",
     .summary = "Waits until this connection's writes are durable in AOFs, here and on replicas.",
     .since = "7.2.0",
     .group = "generic",
     .complexity = "O(1)"},
};

}  // namespace

std::span<const CommandRow> replication_commands() { return kRows; }

}  // namespace tandem
