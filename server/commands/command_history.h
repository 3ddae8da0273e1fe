#pragma once

#include <span>
#include <string_view>

namespace tandem {

// What has changed in a command, for COMMAND DOCS.
struct CommandChange {
  std::string_view command;
  std::string_view since;
  std::string_view what;
};

// The changes of a command since it was made, oldest first; the name is that of its row
// ("client|kill").
std::span<const CommandChange> command_history(std::string_view command);

// When a command went out of use, and what to use in its place (`what`); null when it is in use.
const CommandChange* command_deprecation(std::string_view command);

// A command that servers and their tools use among themselves.
bool is_system_command(std::string_view command);

}  // namespace tandem
