// COMMAND and its subcommands: what the table knows of each command.

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "server/base/strings.h"
#include "server/commands/argument_docs.h"
#include "server/commands/argument_syntax.h"
#include "server/commands/command_history.h"
#include "server/commands/families.h"
#include "server/commands/help.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"

namespace tandem {
namespace {

constexpr std::string_view kBadArguments = "ERR Invalid arguments specified for command";

// A command by its full name, "get" or "config|get"; null when there is none.
const Command* find_by_name(CommandTable& table, std::string_view name) {
  const size_t bar = name.find('|');
  const Command* command = table.find(name.substr(0, bar));
  if (command == nullptr || bar == std::string_view::npos) return command;
  return command->find_subcommand(name.substr(bar + 1));
}

template <typename Texts>
void reply_statuses(Reply& reply, const Texts& texts) {
  reply.set(texts.size());
  for (const auto& text : texts) reply.simple(text);
}

// RO, RW, OW and RM are spelt in capitals, what else the flags say is not.
std::vector<std::string> printed_key_flags(const std::vector<std::string>& flags) {
  std::vector<std::string> printed;
  for (const std::string& flag : flags) {
    printed.push_back(flag.size() == 2 ? flag : to_lower(flag));
  }
  return printed;
}

using Fields = std::vector<std::pair<std::string_view, int>>;

// A map of "type" and "spec", as both halves of a key spec are.
void reply_spec_half(Reply& reply, std::string_view type, const Fields& fields,
                     const std::string* keyword = nullptr) {
  reply.map(2);
  reply.bulk("type");
  reply.bulk(type);
  reply.bulk("spec");
  reply.map(fields.size() + (keyword != nullptr ? 1 : 0));
  if (keyword != nullptr) {
    reply.bulk("keyword");
    reply.bulk(*keyword);
  }
  for (const auto& [name, value] : fields) {
    reply.bulk(name);
    reply.integer(value);
  }
}

void reply_key_spec(Reply& reply, const KeySpec& spec) {
  reply.map(3);
  reply.bulk("flags");
  reply_statuses(reply, printed_key_flags(spec.flags));
  reply.bulk("begin_search");
  switch (spec.begin) {
    case KeySpec::Begin::kUnknown:
      reply_spec_half(reply, "unknown", {});
      break;
    case KeySpec::Begin::kIndex:
      reply_spec_half(reply, "index", {{"index", spec.index}});
      break;
    case KeySpec::Begin::kKeyword:
      reply_spec_half(reply, "keyword", {{"startfrom", spec.start_from}}, &spec.keyword);
      break;
  }
  reply.bulk("find_keys");
  switch (spec.find) {
    case KeySpec::Find::kUnknown:
      reply_spec_half(reply, "unknown", {});
      break;
    case KeySpec::Find::kRange:
      reply_spec_half(
          reply, "range",
          {{"lastkey", spec.last_key}, {"keystep", spec.key_step}, {"limit", spec.limit}});
      break;
    case KeySpec::Find::kKeynum:
      reply_spec_half(reply, "keynum",
                      {{"keynumidx", spec.keynum_index},
                       {"firstkey", spec.first_key},
                       {"keystep", spec.keynum_step}});
      break;
  }
}

void reply_info(Reply& reply, const Command& command) {
  reply.array(10);
  reply.bulk(command.name);
  reply.integer(command.arity);
  reply_statuses(reply, command.flag_names);
  reply.integer(command.first_key);
  reply.integer(command.last_key);
  reply.integer(command.key_step);
  reply_statuses(reply, command.categories);
  reply.set(command.tips.size());
  for (const std::string& tip : command.tips) reply.bulk(tip);
  reply.set(command.key_specs.size());
  for (const KeySpec& spec : command.key_specs) reply_key_spec(reply, spec);
  reply.set(command.subcommands.size());
  for (const auto& subcommand : command.subcommands) reply_info(reply, *subcommand);
}

void reply_history(Reply& reply, std::span<const CommandChange> history) {
  reply.set(history.size());
  for (const CommandChange& change : history) {
    reply.array(2);
    reply.bulk(change.since);
    reply.bulk(change.what);
  }
}

void reply_docs(Reply& reply, const Command& command);

void reply_subcommand_docs(Reply& reply, const Command& container) {
  reply.map(container.subcommands.size());
  for (const auto& subcommand : container.subcommands) {
    reply.bulk(subcommand->name);
    reply_docs(reply, *subcommand);
  }
}

void reply_docs(Reply& reply, const Command& command) {
  const std::string_view name = command.row->name;
  const CommandChange* deprecated = command_deprecation(name);
  const bool system = is_system_command(name);
  const std::span<const CommandChange> history = command_history(name);
  const std::string_view syntax = argument_syntax(name);
  const std::pair<std::string_view, std::string_view> texts[] = {
      {"summary", command.row->summary},
      {"since", command.row->since},
      {"group", command.row->group},
      {"complexity", command.row->complexity},
      {"deprecated_since", deprecated != nullptr ? deprecated->since : std::string_view()},
      {"replaced_by", deprecated != nullptr ? deprecated->what : std::string_view()}};
  size_t present = deprecated != nullptr || system ? 1 : 0;
  for (const auto& [field, text] : texts) present += text.empty() ? 0 : 1;
  present +=
      (history.empty() ? 0 : 1) + (syntax.empty() ? 0 : 1) + (command.subcommands.empty() ? 0 : 1);
  reply.map(present);
  for (const auto& [field, text] : texts) {
    if (text.empty()) continue;
    reply.bulk(field);
    reply.bulk(text);
  }
  if (deprecated != nullptr || system) {
    reply.bulk("doc_flags");
    reply.set(1);
    reply.simple(system ? "syscmd" : "deprecated");
  }
  if (!history.empty()) {
    reply.bulk("history");
    reply_history(reply, history);
  }
  if (!syntax.empty()) {
    reply.bulk("arguments");
    reply_arguments(reply, parse_arguments(syntax));
  }
  if (!command.subcommands.empty()) {
    reply.bulk("subcommands");
    reply_subcommand_docs(reply, command);
  }
}

void reply_all_info(Call& call) {
  const auto& commands = call.executor.commands().commands();
  call.reply.array(commands.size());
  for (const auto& command : commands) reply_info(call.reply, *command);
}

// An unknown subcommand arrives here too, since COMMAND is a command by itself.
void command_command(Call& call) {
  if (call.args.size() == 1) return reply_all_info(call);
  call.reply.error("ERR unknown subcommand '" + std::string(call.args[1].substr(0, 128)) +
                   "'. Try COMMAND HELP.");
}

void command_info_command(Call& call) {
  if (call.args.size() == 2) return reply_all_info(call);
  call.reply.array(call.args.size() - 2);
  for (std::string_view name : call.args.subspan(2)) {
    const Command* command = find_by_name(call.executor.commands(), name);
    if (command == nullptr) {
      call.reply.null_array();
    } else {
      reply_info(call.reply, *command);
    }
  }
}

void command_docs_command(Call& call) {
  std::vector<const Command*> wanted;
  for (std::string_view name : call.args.subspan(2)) {
    const Command* command = find_by_name(call.executor.commands(), name);
    if (command != nullptr) wanted.push_back(command);
  }
  if (call.args.size() == 2) {
    for (const auto& command : call.executor.commands().commands()) wanted.push_back(command.get());
  }
  call.reply.map(wanted.size());
  for (const Command* command : wanted) {
    call.reply.bulk(command->name);
    reply_docs(call.reply, *command);
  }
}

void command_count_command(Call& call) {
  call.reply.integer(static_cast<int64_t>(call.executor.commands().commands().size()));
}

// FILTERBY of COMMAND LIST.
struct ListFilter {
  enum class Kind : uint8_t { kAll, kCategory, kPattern, kModule };
  Kind kind = Kind::kAll;
  std::string_view value;

  bool matches(const Command& command) const {
    switch (kind) {
      case Kind::kAll:
        return true;
      case Kind::kCategory:
        return std::any_of(command.categories.begin(), command.categories.end(),
                           [this](std::string_view category) {
                             return equals_ignore_case(category.substr(1), value);
                           });
      case Kind::kPattern:
        return glob_match(value, command.name, true);
      case Kind::kModule:
        return false;  // no command comes from a module
    }
    return false;
  }
};

void list_matching(const std::vector<std::unique_ptr<Command>>& commands, const ListFilter& filter,
                   std::vector<std::string_view>* names) {
  for (const auto& command : commands) {
    if (filter.matches(*command)) names->push_back(command->name);
    // Unfiltered, only what can be called by one word is listed.
    if (filter.kind != ListFilter::Kind::kAll) list_matching(command->subcommands, filter, names);
  }
}

bool read_filter(Args args, ListFilter* filter) {
  if (args.size() == 2) return true;
  if (args.size() != 5 || !equals_ignore_case(args[2], "filterby")) return false;
  filter->value = args[4];
  if (equals_ignore_case(args[3], "aclcat")) {
    filter->kind = ListFilter::Kind::kCategory;
  } else if (equals_ignore_case(args[3], "pattern")) {
    filter->kind = ListFilter::Kind::kPattern;
  } else if (equals_ignore_case(args[3], "module")) {
    filter->kind = ListFilter::Kind::kModule;
  } else {
    return false;
  }
  return true;
}

void command_list_command(Call& call) {
  ListFilter filter;
  if (!read_filter(call.args, &filter)) return call.syntax_error();
  std::vector<std::string_view> names;
  list_matching(call.executor.commands().commands(), filter, &names);
  call.reply.array(names.size());
  for (std::string_view name : names) call.reply.bulk(name);
}

// Whether the operations of BITFIELD, from args[2] on, are not all GETs.
bool bitfield_writes(Args args) {
  size_t at = 2;
  while (at < args.size()) {
    if (equals_ignore_case(args[at], "get")) {
      at += 3;
    } else if (equals_ignore_case(args[at], "overflow")) {
      at += 2;
    } else {
      return true;
    }
  }
  return false;
}

// What a spec with VARIABLE_FLAGS means for these arguments: SET reads its key only with GET, and
// BITFIELD that only GETs does not change its key.
std::vector<std::string> actual_key_flags(const Command& command, const KeySpec& spec, Args args) {
  const bool varies =
      std::find(spec.flags.begin(), spec.flags.end(), "VARIABLE_FLAGS") != spec.flags.end();
  if (varies && command.name == "set") {
    const Args options = args.subspan(std::min<size_t>(3, args.size()));
    const bool gets = std::any_of(options.begin(), options.end(), [](std::string_view option) {
      return equals_ignore_case(option, "get");
    });
    if (!gets) return {"OW", "UPDATE"};
  }
  if (varies && command.name == "bitfield" && !bitfield_writes(args)) return {"RO", "ACCESS"};
  std::vector<std::string> flags = spec.flags;
  std::erase(flags, "VARIABLE_FLAGS");
  return flags;
}

// Channels have specs as keys do.
bool names_keys(const KeySpec& spec) {
  return std::find(spec.flags.begin(), spec.flags.end(), "NOT_KEY") == spec.flags.end();
}

// The command that args[2...] would run, and the keys it would use; replies what is wrong itself.
bool find_request_keys(Call& call, const Command** command, std::vector<KeyPosition>* keys) {
  const Args request = call.args.subspan(2);
  *command = call.executor.commands().resolve(request);
  // A container with an argument would have been resolved to its subcommand.
  if (*command == nullptr || (request.size() > 1 && !(*command)->subcommands.empty())) {
    call.reply.error("ERR Invalid command specified");
    return false;
  }
  if (std::none_of((*command)->key_specs.begin(), (*command)->key_specs.end(), names_keys)) {
    call.reply.error("ERR The command has no key arguments");
    return false;
  }
  if (!(*command)->accepts_arg_count(request.size())) {
    call.reply.error("ERR Invalid number of arguments specified for command");
    return false;
  }
  Result<std::vector<KeyPosition>> found = find_keys(**command, request);
  if (found.ok()) *keys = std::move(found).value();
  if (keys->empty() && !(*command)->is(kNoMandatoryKeys)) {
    call.reply.error(kBadArguments);
    return false;
  }
  return true;
}

void command_getkeys_command(Call& call) {
  const Command* command = nullptr;
  std::vector<KeyPosition> keys;
  if (!find_request_keys(call, &command, &keys)) return;
  call.reply.array(keys.size());
  for (const KeyPosition& key : keys) call.reply.bulk(call.args[2 + key.index]);
}

void command_getkeysandflags_command(Call& call) {
  const Command* command = nullptr;
  std::vector<KeyPosition> keys;
  if (!find_request_keys(call, &command, &keys)) return;
  call.reply.array(keys.size());
  for (const KeyPosition& key : keys) {
    call.reply.array(2);
    call.reply.bulk(call.args[2 + key.index]);
    reply_statuses(call.reply,
                   printed_key_flags(actual_key_flags(*command, *key.spec, call.args.subspan(2))));
  }
}

void command_help_command(Call& call) {
  reply_help(
      call,
      {{"(no subcommand)", "Return what the server knows of each of its commands."},
       {"COUNT", "Return how many commands there are."},
       {"LIST", "Return the names of all commands."},
       {"INFO [<command-name> ...]", "Return what the server knows of these commands, or of all."},
       {"DOCS [<command-name> ...]", "Return a description of these commands, or of all."},
       {"GETKEYS <full-command>", "Return the keys in a command with its arguments."},
       {"GETKEYSANDFLAGS <full-command>",
        "Return the keys in a command with its arguments, and how each is used."}});
}

constexpr std::string_view kUnordered = "nondeterministic_output_order";

constexpr CommandRow kRows[] = {
    {.name = "command",
     .handler = command_command,
     .arity = -1,
     .flags = "loading,stale",
     .categories = "@connection,@slow",
     .tips = kUnordered,
     .summary = "Returns what the server knows of each of its commands.",
     .since = "2.8.13",
     .group = "server",
     .complexity = "O(N), where N is the number of commands"},
    {.name = "command|count",
     .handler = command_count_command,
     .arity = 2,
     .flags = "loading,stale",
     .categories = "@connection,@slow",
     .summary = "Returns how many commands there are.",
     .since = "2.8.13",
     .group = "server",
     .complexity = "O(1)"},
    {.name = "command|info",
     .handler = command_info_command,
     .arity = -2,
     .flags = "loading,stale",
     .categories = "@connection,@slow",
     .tips = kUnordered,
     .summary = "Returns what the server knows of some or all commands.",
     .since = "2.8.13",
     .group = "server",
     .complexity = "O(N), where N is the number of commands asked for"},
    {.name = "command|docs",
     .handler = command_docs_command,
     .arity = -2,
     .flags = "loading,stale",
     .categories = "@connection,@slow",
     .tips = kUnordered,
     .summary = "Returns descriptions of some or all commands.",
     .since = "7.0.0",
     .group = "server",
     .complexity = "O(N), where N is the number of commands asked for"},
    {.name = "command|list",
     .handler = command_list_command,
     .arity = -2,
     .flags = "loading,stale",
     .categories = "@connection,@slow",
     .tips = kUnordered,
     .summary = "Returns the names of the commands, all or those that pass a filter.",
     .since = "7.0.0",
     .group = "server",
     .complexity = "O(N), where N is the number of commands"},
    {.name = "command|getkeys",
     .handler = command_getkeys_command,
     .arity = -3,
     .flags = "loading,stale",
     .categories = "@connection,@slow",
     .summary = "Finds the keys among a command's arguments.",
     .since = "2.8.13",
     .group = "server",
     .complexity = "O(N), where N is the number of arguments"},
    {.name = "command|getkeysandflags",
     .handler = command_getkeysandflags_command,
     .arity = -3,
     .flags = "loading,stale",
     .categories = "@connection,@slow",
     .summary = "Finds the keys among a command's arguments, and how each is used.",
     .since = "7.0.0",
     .group = "server",
     .complexity = "O(N), where N is the number of arguments"},
    {.name = "command|help",
     .handler = command_help_command,
     .arity = 2,
     .flags = "loading,stale",
     .categories = "@connection,@slow",
     .summary = "Lists the subcommands.",
     .since = "5.0.0",
     .group = "server",
     .complexity = "O(1)"},
};

}  // namespace

std::span<const CommandRow> introspection_commands() { return kRows; }

}  // namespace tandem
