#pragma once

#include <initializer_list>
#include <string_view>

#include "server/exec/call.h"

namespace tandem {

// One entry of a HELP reply: the syntax of a subcommand and what it does. A text of several lines
// is split at its line breaks.
struct HelpEntry {
  std::string_view syntax;
  std::string_view text;
};

// Replies the HELP of a container: a heading with its name, the entries, and HELP itself, laid out
// as redis-cli users know it.
void reply_help(Call& call, std::initializer_list<HelpEntry> entries);

// "ERR unknown subcommand or wrong number of arguments for 'args[1]'. Try NAME HELP.", for a
// container that looks at its subcommands itself.
void reply_unknown_subcommand(Call& call);

}  // namespace tandem
