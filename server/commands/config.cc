// CONFIG and its subcommands, over Config.

#include "server/base/config.h"

#include <string>

#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/commands/services.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"

namespace tandem {
namespace {

bool is_local(const Client& client) {
  return client.link() == nullptr || client.link()->peer_is_loopback();
}

void config_get_command(Call& call) {
  const auto found = call.executor.config().get(call.args.subspan(2));
  call.reply.map(found.size());
  for (const auto& [name, value] : found) {
    call.reply.bulk(name);
    call.reply.bulk(value);
  }
}

void config_set_command(Call& call) {
  if (call.args.size() % 2 != 0) return call.syntax_error();
  const Config::SetContext context{.loading = call.executor.state().loading,
                                   .local = is_local(call.client)};
  const Status status = call.executor.config().set(call.args.subspan(2), context);
  if (!status) return call.reply.error(status.error().message);
  call.reply.ok();
}

void config_rewrite_command(Call& call) {
  const Status status = call.executor.config().rewrite(*call.services.env);
  if (!status) return call.reply.error(status.error().message);
  call.reply.ok();
}

void config_resetstat_command(Call& call) {
  call.services.control->reset_stats();
  call.reply.ok();
}

void config_help_command(Call& call) {
  reply_help(call, {{"GET <pattern>",
                     "Return the parameters that match the glob-like <pattern>, with values."},
                    {"SET <directive> <value>", "Set the configuration <directive> to <value>."},
                    {"RESETSTAT", "Start the counters that INFO shows from zero."},
                    {"REWRITE", "Write the values in force into the configuration file."}});
}

constexpr std::string_view kAdminFlags = "admin,loading,noscript,stale";
constexpr std::string_view kAdminCategories = "@admin,@dangerous,@slow";
constexpr std::string_view kEveryNode = "request_policy:all_nodes;response_policy:all_succeeded";

constexpr CommandRow kRows[] = {
    {.name = "config",
     .arity = -2,
     .categories = "@slow",
     .summary = "A container of commands about the configuration.",
     .since = "2.0.0",
     .group = "server",
     .complexity = "That of its subcommands"},
    {.name = "config|get",
     .handler = config_get_command,
     .arity = -3,
     .flags = kAdminFlags,
     .categories = kAdminCategories,
     .summary = "Returns the values of configuration parameters.",
     .since = "2.0.0",
     .group = "server",
     .complexity = "O(N), where N is the number of parameters"},
    {.name = "config|set",
     .handler = config_set_command,
     .arity = -4,
     .flags = kAdminFlags,
     .categories = kAdminCategories,
     .tips = kEveryNode,
     .summary = "Changes configuration parameters, all of them or none.",
     .since = "2.0.0",
     .group = "server",
     .complexity = "O(N), where N is the number of parameters given"},
    {.name = "config|rewrite",
     .handler = config_rewrite_command,
     .arity = 2,
     .flags = kAdminFlags,
     .categories = kAdminCategories,
     .tips = kEveryNode,
     .summary = "Writes the values in force into the configuration file.",
     .since = "2.8.0",
     .group = "server",
     .complexity = "O(1)"},
    {.name = "config|resetstat",
     .handler = config_resetstat_command,
     .arity = 2,
     .flags = kAdminFlags,
     .categories = kAdminCategories,
     .tips = kEveryNode,
     .summary = "Starts the counters that INFO shows from zero.",
     .since = "2.0.0",
     .group = "server",
     .complexity = "O(1)"},
    {.name = "config|help",
     .handler = config_help_command,
     .arity = 2,
     .flags = "loading,stale",
     .categories = "@slow",
     .summary = "Lists the subcommands.",
     .since = "5.0.0",
     .group = "server",
     .complexity = "O(1)"},
};

}  // namespace

std::span<const CommandRow> config_commands() { return kRows; }

}  // namespace tandem
