// CLIENT TRACKING and what goes with it: CACHING, GETREDIR, TRACKINGINFO.

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/families.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"
#include "server/exec/tracking.h"

namespace tandem {
namespace {

// What CLIENT TRACKING asks for, in how.prefixes the new ones only.
class TrackingParser {
 public:
  explicit TrackingParser(Call& call) : call_(call), args_(call.args) {}

  // Replies the error itself and returns false.
  bool parse(ClientTracking* how) {
    for (next_ = 3; next_ < args_.size(); ++next_) {
      if (!read_option(how)) return false;
    }
    return true;
  }

 private:
  bool read_option(ClientTracking* how) {
    const std::string_view option = args_[next_];
    const bool more = next_ + 1 < args_.size();
    if (equals_ignore_case(option, "redirect") && more) return read_redirection(how);
    if (equals_ignore_case(option, "prefix") && more) {
      how->prefixes.emplace_back(args_[++next_]);
    } else if (equals_ignore_case(option, "bcast")) {
      how->broadcast = true;
    } else if (equals_ignore_case(option, "optin")) {
      how->opt_in = true;
    } else if (equals_ignore_case(option, "optout")) {
      how->opt_out = true;
    } else if (equals_ignore_case(option, "noloop")) {
      how->no_loop = true;
    } else {
      call_.syntax_error();
      return false;
    }
    return true;
  }

  bool read_redirection(ClientTracking* how) {
    if (how->redirect_to != 0) {
      return refuse("A client can only redirect to a single other client");
    }
    const auto id = parse_int64(args_[++next_]);
    if (!id) {
      call_.not_an_integer();
      return false;
    }
    how->redirect_to = static_cast<uint64_t>(*id);
    if (call_.executor.find_client(how->redirect_to) == nullptr) {
      return refuse("The client ID you want redirect to does not exist");
    }
    return true;
  }

  bool refuse(std::string_view text) {
    call_.reply.error("ERR " + std::string(text));
    return false;
  }

  Call& call_;
  const Args args_;
  size_t next_ = 0;
};

bool overlap(std::string_view a, std::string_view b) {
  return a.starts_with(b) || b.starts_with(a);
}

// Why these prefixes cannot join those the client has; empty when they can.
std::string prefix_collision(const ClientTracking* now, const std::vector<std::string>& fresh) {
  constexpr std::string_view kRule = ". Prefixes for a single client must not overlap.";
  for (size_t i = 0; i < fresh.size(); ++i) {
    if (now != nullptr) {
      for (const std::string& known : now->prefixes) {
        if (!overlap(fresh[i], known)) continue;
        return "ERR Prefix '" + fresh[i] + "' overlaps with an existing prefix '" + known + "'" +
               std::string(kRule);
      }
    }
    for (size_t j = i + 1; j < fresh.size(); ++j) {
      if (!overlap(fresh[i], fresh[j])) continue;
      return "ERR Prefix '" + fresh[i] + "' overlaps with another provided prefix '" + fresh[j] +
             "'" + std::string(kRule);
    }
  }
  return {};
}

// Why the client cannot track like this now; empty when it can.
std::string tracking_conflict(const ClientTracking* now, const ClientTracking& how) {
  constexpr std::string_view kDisableFirst =
      " before disabling tracking for this client, and then re-enabling it with a different mode.";
  if (!how.broadcast && !how.prefixes.empty()) {
    return "ERR PREFIX option requires BCAST mode to be enabled";
  }
  if (now != nullptr && now->broadcast != how.broadcast) {
    return "ERR You can't switch BCAST mode on/off" + std::string(kDisableFirst);
  }
  if (how.broadcast && (how.opt_in || how.opt_out)) {
    return "ERR OPTIN and OPTOUT are not compatible with BCAST";
  }
  if (how.opt_in && how.opt_out) return "ERR You can't specify both OPTIN mode and OPTOUT mode";
  if (now != nullptr && ((how.opt_in && now->opt_out) || (how.opt_out && now->opt_in))) {
    return "ERR You can't switch OPTIN/OPTOUT mode" + std::string(kDisableFirst);
  }
  return how.broadcast ? prefix_collision(now, how.prefixes) : std::string();
}

// CLIENT TRACKING ON|OFF [REDIRECT id] [PREFIX p ...] [BCAST] [OPTIN] [OPTOUT] [NOLOOP]
void client_tracking_command(Call& call) {
  ClientTracking how;
  if (!TrackingParser(call).parse(&how)) return;
  Client& client = call.client;
  if (equals_ignore_case(call.args[2], "on")) {
    const std::string conflict = tracking_conflict(client.tracking.get(), how);
    if (!conflict.empty()) return call.reply.error(conflict);
    call.executor.tracking().enable(client, std::move(how));
  } else if (equals_ignore_case(call.args[2], "off")) {
    call.executor.tracking().disable(client);
  } else {
    return call.syntax_error();
  }
  call.reply.ok();
}

void client_caching_command(Call& call) {
  ClientTracking* const tracking = call.client.tracking.get();
  if (tracking == nullptr) {
    return call.reply.error(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or "
        "OPTOUT mode enabled");
  }
  const bool yes = equals_ignore_case(call.args[2], "yes");
  if (!yes && !equals_ignore_case(call.args[2], "no")) return call.syntax_error();
  if (yes && !tracking->opt_in) {
    return call.reply.error(
        "ERR CLIENT CACHING YES is only valid when tracking is enabled in OPTIN mode.");
  }
  if (!yes && !tracking->opt_out) {
    return call.reply.error(
        "ERR CLIENT CACHING NO is only valid when tracking is enabled in OPTOUT mode.");
  }
  tracking->caching_given = true;
  call.reply.ok();
}

void client_getredir_command(Call& call) {
  const ClientTracking* tracking = call.client.tracking.get();
  call.reply.integer(tracking == nullptr ? -1 : static_cast<int64_t>(tracking->redirect_to));
}

std::vector<std::string_view> tracking_flags(const ClientTracking* tracking) {
  if (tracking == nullptr) return {"off"};
  std::vector<std::string_view> flags = {"on"};
  if (tracking->broadcast) flags.push_back("bcast");
  if (tracking->opt_in) {
    flags.push_back("optin");
    if (tracking->caching_given) flags.push_back("caching-yes");
  }
  if (tracking->opt_out) {
    flags.push_back("optout");
    if (tracking->caching_given) flags.push_back("caching-no");
  }
  if (tracking->no_loop) flags.push_back("noloop");
  if (tracking->redirection_broken) flags.push_back("broken_redirect");
  return flags;
}

void client_trackinginfo_command(Call& call) {
  const ClientTracking* tracking = call.client.tracking.get();
  Reply& reply = call.reply;
  reply.map(3);
  reply.bulk("flags");
  const std::vector<std::string_view> flags = tracking_flags(tracking);
  reply.set(flags.size());
  for (std::string_view flag : flags) reply.bulk(flag);
  reply.bulk("redirect");
  reply.integer(tracking == nullptr ? -1 : static_cast<int64_t>(tracking->redirect_to));
  reply.bulk("prefixes");
  reply.array(tracking == nullptr ? 0 : tracking->prefixes.size());
  if (tracking == nullptr) return;
  for (const std::string& prefix : tracking->prefixes) reply.bulk(prefix);
}

constexpr std::string_view kFlags = "loading,noscript,stale";
constexpr std::string_view kCategories = "@connection,@slow";

constexpr CommandRow kRows[] = {
    {.name = "client|tracking",
     .handler = client_tracking_command,
     .arity = -3,
     .flags = kFlags,
     .categories = kCategories,
     .summary = "Tells the connection which of the keys it has read have changed.",
     .since = "6.0.0",
     .group = "connection",
     .complexity = "O(1)"},
    {.name = "client|caching",
     .handler = client_caching_command,
     .arity = 3,
     .flags = kFlags,
     .categories = kCategories,
     .summary = "Says whether the keys of the next command are tracked.",
     .since = "6.0.0",
     .group = "connection",
     .complexity = "O(1)"},
    {.name = "client|getredir",
     .handler = client_getredir_command,
     .arity = 2,
     .flags = kFlags,
     .categories = kCategories,
     .summary = "Returns the number of the connection that is told in place of this one.",
     .since = "6.0.0",
     .group = "connection",
     .complexity = "O(1)"},
    {.name = "client|trackinginfo",
     .handler = client_trackinginfo_command,
     .arity = 2,
     .flags = kFlags,
     .categories = kCategories,
     .summary = "Describes how the connection tracks keys.",
     .since = "6.2.0",
     .group = "connection",
     .complexity = "O(1)"},
};

}  // namespace

std::span<const CommandRow> client_tracking_commands() { return kRows; }

}  // namespace tandem
