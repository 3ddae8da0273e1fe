// CLIENT and its subcommands.

#include <algorithm>
#include <string>
#include <vector>

#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/client_filter.h"
#include "server/commands/client_line.h"
#include "server/commands/client_names.h"
#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"

namespace tandem {
namespace {

void client_id_command(Call& call) { call.reply.integer(static_cast<int64_t>(call.client.id)); }

void client_info_command(Call& call) {
  call.reply.verbatim("txt", describe_client(call, call.client) + '\n');
}

void client_list_command(Call& call) {
  const auto filter = parse_client_filter(call.args, 2, "ERR Invalid client ID", false);
  if (!filter) return call.reply.error(filter.error().message);
  std::string lines;
  for (Client* client : select_clients(call, filter.value())) {
    lines += describe_client(call, *client) + '\n';
  }
  call.reply.verbatim("txt", lines);
}

// Closes the clients; the one that asks gets its reply first.
size_t kill_clients(Call& call, const ClientFilter& filter) {
  const std::vector<Client*> victims = select_clients(call, filter);
  for (Client* victim : victims) {
    if (victim == &call.client) {
      victim->close_after_reply();
    } else {
      victim->close_now();
    }
  }
  return victims.size();
}

void client_kill_command(Call& call) {
  if (call.args.size() == 3) {
    ClientFilter filter;
    filter.address = call.args[2];
    if (kill_clients(call, filter) == 0) return call.reply.error("ERR No such client");
    return call.reply.ok();
  }
  const auto filter =
      parse_client_filter(call.args, 2, "ERR client-id should be greater than 0", true);
  if (!filter) return call.reply.error(filter.error().message);
  call.reply.integer(static_cast<int64_t>(kill_clients(call, filter.value())));
}

void client_setname_command(Call& call) {
  if (!is_client_name(call.args[2])) return call.reply.error(kBadClientName);
  call.client.name = call.args[2];
  call.reply.ok();
}

void client_getname_command(Call& call) {
  if (call.client.name.empty()) return call.reply.null();
  call.reply.bulk(call.client.name);
}

void client_setinfo_command(Call& call) {
  const std::string option(call.args[2]);
  const bool is_name = equals_ignore_case(option, "lib-name");
  if (!is_name && !equals_ignore_case(option, "lib-ver")) {
    return call.reply.error("ERR Unrecognized option '" + option + "'");
  }
  if (!is_client_name(call.args[3])) {
    return call.reply.error("ERR " + option +
                            " cannot contain spaces, newlines or special characters.");
  }
  (is_name ? call.client.library_name : call.client.library_version) = call.args[3];
  call.reply.ok();
}

// Pauses add up: the later end counts, and all commands wait when any pause says so.
void client_pause_command(Call& call) {
  if (call.args.size() > 4) return reply_unknown_subcommand(call);
  bool writes_only = false;
  if (call.args.size() == 4) {
    writes_only = equals_ignore_case(call.args[3], "write");
    if (!writes_only && !equals_ignore_case(call.args[3], "all")) {
      return call.reply.error("ERR CLIENT PAUSE mode must be WRITE or ALL");
    }
  }
  const auto timeout = parse_int64(call.args[2]);
  if (!timeout) return call.reply.error("ERR timeout is not an integer or out of range");
  if (*timeout < 0) return call.reply.error("ERR timeout is negative");
  const int64_t now = call.executor.clock().monotonic_ms();
  if (*timeout > INT64_MAX - now) return call.reply.error("ERR timeout is out of range");
  DispatchState& state = call.executor.state();
  const bool paused = state.paused_until_ms > now;
  state.pause_writes_only = writes_only && (!paused || state.pause_writes_only);
  state.paused_until_ms = std::max(paused ? state.paused_until_ms : 0, now + *timeout);
  call.reply.ok();
}

void client_unpause_command(Call& call) {
  call.executor.state().paused_until_ms = 0;
  call.executor.resume_paused_clients();
  call.reply.ok();
}

void client_unblock_command(Call& call) {
  if (call.args.size() > 4) return reply_unknown_subcommand(call);
  std::string_view error;
  if (call.args.size() == 4 && equals_ignore_case(call.args[3], "error")) {
    error = "UNBLOCKED client unblocked via CLIENT UNBLOCK";
  } else if (call.args.size() == 4 && !equals_ignore_case(call.args[3], "timeout")) {
    return call.reply.error("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
  }
  const auto id = read_integer(call, call.args[2]);
  if (!id) return;
  Client* client = call.executor.find_client(static_cast<uint64_t>(*id));
  Blocker* blocker = client != nullptr ? client->blocker() : nullptr;
  if (blocker != nullptr) blocker->unblock(*client, error);
  call.reply.integer(blocker != nullptr ? 1 : 0);
}

void client_reply_command(Call& call) {
  const std::string_view mode = call.args[2];
  Client& client = call.client;
  if (equals_ignore_case(mode, "on")) {
    const bool was_silent = client.reply_mode() != ReplyMode::kOn;
    client.set_reply_mode(ReplyMode::kOn);
    (was_silent ? client.reply() : call.reply).ok();
  } else if (equals_ignore_case(mode, "off")) {
    client.set_reply_mode(ReplyMode::kOff);
  } else if (equals_ignore_case(mode, "skip")) {
    if (client.reply_mode() != ReplyMode::kOff) client.set_reply_mode(ReplyMode::kSkipNext);
  } else {
    call.syntax_error();
  }
}

// Reads ON or OFF; replies the error itself.
bool read_on_off(Call& call, bool* on) {
  *on = equals_ignore_case(call.args[2], "on");
  if (*on || equals_ignore_case(call.args[2], "off")) return true;
  call.syntax_error();
  return false;
}

void client_no_evict_command(Call& call) {
  bool on = false;
  if (!read_on_off(call, &on)) return;
  call.client.no_evict = on;
  call.reply.ok();
}

void client_no_touch_command(Call& call) {
  bool on = false;
  if (!read_on_off(call, &on)) return;
  call.client.no_touch = on;
  call.reply.ok();
}

void client_import_source_command(Call& call) {
  const bool import_mode = call.executor.config().settings().import_mode;
  if (!import_mode && !equals_ignore_case(call.args[2], "off")) {
    return call.reply.error("ERR Server is not in import mode");
  }
  bool on = false;
  if (!read_on_off(call, &on)) return;
  call.client.import_source = on;
  call.reply.ok();
}

// What the client can do. A word that is not known is one of the future, and no error.
void client_capa_command(Call& call) {
  for (std::string_view word : call.args.subspan(2)) {
    if (equals_ignore_case(word, "redirect")) call.client.capabilities = "r";
  }
  call.reply.ok();
}

void client_help_command(Call& call) {
  reply_help(
      call,
      {{"CAPA <option> [<option> ...]", "Say what this connection's client can do."},
       {"CACHING (YES|NO)", "Track the keys of the next command, or do not."},
       {"GETREDIR", "Return the number of the connection that is told of changed keys."},
       {"IMPORT-SOURCE (ON|OFF)", "Make this connection the source of an import."},
       {"GETNAME", "Return the name of this connection."},
       {"ID", "Return the number of this connection."},
       {"INFO", "Describe this connection."},
       {"KILL <ip:port>", "Close the connection from <ip:port>."},
       {"KILL <option> <value> [<option> <value> [...]]",
        "Close the connections that pass all options:\n"
        "* ADDR (<ip:port>|<unixsocket>:0)\n"
        "  Connected from this address.\n"
        "* LADDR (<ip:port>|<unixsocket>:0)\n"
        "  Connected to this address of the server.\n"
        "* TYPE (NORMAL|PRIMARY|REPLICA|PUBSUB)\n"
        "  Of this type.\n"
        "* USER <username>\n"
        "  Authenticated as this user.\n"
        "* ID <client-id> [<client-id> ...]\n"
        "  Having one of these numbers.\n"
        "* MAXAGE <seconds>\n"
        "  At least this old.\n"
        "* SKIPME (YES|NO)\n"
        "  Spare this connection (default: yes)."},
       {"LIST [options ...]", "Describe the connections that pass all options, those of KILL."},
       {"PAUSE <timeout> [WRITE|ALL]",
        "Let the commands of all clients, or only those that write, wait for <timeout>\n"
        "milliseconds."},
       {"TRACKING (ON|OFF) [REDIRECT <id>] [BCAST] [PREFIX <prefix> [...]] "
        "[OPTIN] [OPTOUT] [NOLOOP]",
        "Tell this connection, or that one, which of the keys it has read have changed."},
       {"TRACKINGINFO", "Describe how this connection tracks keys."},
       {"UNPAUSE", "End the pause now."},
       {"UNBLOCK <clientid> [TIMEOUT|ERROR]",
        "Let a connection that waits in a blocking command go on, as if its time had run out\n"
        "(default) or with an error."},
       {"REPLY (ON|OFF|SKIP)", "Choose whether this connection gets replies."},
       {"SETNAME <name>", "Name this connection."},
       {"SETINFO <option> <value>",
        "Say what speaks on this connection:\n"
        "* LIB-NAME: the name of the client library.\n"
        "* LIB-VER: its version."},
       {"NO-EVICT (ON|OFF)", "Spare this connection when memory for clients runs out."},
       {"NO-TOUCH (ON|OFF)",
        "Leave the access times of keys alone in this connection's commands."}});
}

constexpr std::string_view kOpenFlags = "loading,noscript,stale";
constexpr std::string_view kAdminFlags = "admin,loading,noscript,stale";
constexpr std::string_view kOpenCategories = "@connection,@slow";
constexpr std::string_view kAdminCategories = "@admin,@connection,@dangerous,@slow";
constexpr std::string_view kEveryNode = "request_policy:all_nodes;response_policy:all_succeeded";

constexpr CommandRow kRows[] = {
    {.name = "client",
     .arity = -2,
     .categories = "@slow",
     .summary = "A container of commands about connections.",
     .since = "2.4.0",
     .group = "connection",
     .complexity = "That of its subcommands"},
    {.name = "client|id",
     .handler = client_id_command,
     .arity = 2,
     .flags = kOpenFlags,
     .categories = kOpenCategories,
     .summary = "Returns the number of the connection.",
     .since = "5.0.0",
     .group = "connection",
     .complexity = "O(1)"},
    {.name = "client|info",
     .handler = client_info_command,
     .arity = 2,
     .flags = kOpenFlags,
     .categories = kOpenCategories,
     .tips = "nondeterministic_output",
     .summary = "Describes the connection.",
     .since = "6.2.0",
     .group = "connection",
     .complexity = "O(1)"},
    {.name = "client|list",
     .handler = client_list_command,
     .arity = -2,
     .flags = kAdminFlags,
     .categories = kAdminCategories,
     .tips = "nondeterministic_output",
     .summary = "Describes the open connections.",
     .since = "2.4.0",
     .group = "connection",
     .complexity = "O(N), where N is the number of connections"},
    {.name = "client|kill",
     .handler = client_kill_command,
     .arity = -3,
     .flags = kAdminFlags,
     .categories = kAdminCategories,
     .summary = "Closes connections.",
     .since = "2.4.0",
     .group = "connection",
     .complexity = "O(N), where N is the number of connections"},
    {.name = "client|setname",
     .handler = client_setname_command,
     .arity = 3,
     .flags = kOpenFlags,
     .categories = kOpenCategories,
     .tips = kEveryNode,
     .summary = "Names the connection.",
     .since = "2.6.9",
     .group = "connection",
     .complexity = "O(1)"},
    {.name = "client|getname",
     .handler = client_getname_command,
     .arity = 2,
     .flags = kOpenFlags,
     .categories = kOpenCategories,
     .summary = "Returns the name of the connection.",
     .since = "2.6.9",
     .group = "connection",
     .complexity = "O(1)"},
    {.name = "client|setinfo",
     .handler = client_setinfo_command,
     .arity = 4,
     .flags = kOpenFlags,
     .categories = kOpenCategories,
     .tips = kEveryNode,
     .summary = "Notes the client library behind the connection.",
     .since = "7.2.0",
     .group = "connection",
     .complexity = "O(1)"},
    {.name = "client|pause",
     .handler = client_pause_command,
     .arity = -3,
     .flags = kAdminFlags,
     .categories = kAdminCategories,
     .summary = "Lets the commands of clients wait for a time.",
     .since = "3.0.0",
     .group = "connection",
     .complexity = "O(1)"},
    {.name = "client|unpause",
     .handler = client_unpause_command,
     .arity = 2,
     .flags = kAdminFlags,
     .categories = kAdminCategories,
     .summary = "Ends a pause of clients.",
     .since = "6.2.0",
     .group = "connection",
     .complexity = "O(N), where N is the number of clients that wait"},
    {.name = "client|unblock",
     .handler = client_unblock_command,
     .arity = -3,
     .flags = kAdminFlags,
     .categories = kAdminCategories,
     .summary = "Ends the wait of a connection in a blocking command.",
     .since = "5.0.0",
     .group = "connection",
     .complexity = "O(log N), where N is the number of connections that wait"},
    {.name = "client|reply",
     .handler = client_reply_command,
     .arity = 3,
     .flags = kOpenFlags,
     .categories = kOpenCategories,
     .summary = "Turns the replies to the connection on or off.",
     .since = "3.2.0",
     .group = "connection",
     .complexity = "O(1)"},
    {.name = "client|no-evict",
     .handler = client_no_evict_command,
     .arity = 3,
     .flags = kAdminFlags,
     .categories = kAdminCategories,
     .summary = "Spares the connection when clients are closed for their memory.",
     .since = "7.0.0",
     .group = "connection",
     .complexity = "O(1)"},
    {.name = "client|capa",
     .handler = client_capa_command,
     .arity = -3,
     .flags = kOpenFlags,
     .categories = kOpenCategories,
     .summary = "Says what the connection's client can do.",
     .since = "8.0.0",
     .group = "connection",
     .complexity = "O(1)"},
    {.name = "client|import-source",
     .handler = client_import_source_command,
     .arity = 3,
     .flags = kOpenFlags,
     .categories = kOpenCategories,
     .summary = "Makes the connection the source of an import, to which no key has expired.",
     .since = "8.1.0",
     .group = "connection",
     .complexity = "O(1)"},
    {.name = "client|no-touch",
     .handler = client_no_touch_command,
     .arity = 3,
     .flags = kOpenFlags,
     .categories = kOpenCategories,
     .summary = "Keeps the connection's commands from refreshing the access times of keys.",
     .since = "7.2.0",
     .group = "connection",
     .complexity = "O(1)"},
    {.name = "client|help",
     .handler = client_help_command,
     .arity = 2,
     .flags = "loading,stale",
     .categories = kOpenCategories,
     .summary = "Lists the subcommands.",
     .since = "5.0.0",
     .group = "connection",
     .complexity = "O(1)"},
};

}  // namespace

std::span<const CommandRow> client_commands() { return kRows; }

}  // namespace tandem
