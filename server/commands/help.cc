#include "server/commands/help.h"

#include <string>
#include <vector>

#include "server/base/strings.h"

namespace tandem {
namespace {

// The container's name in capitals: "CLIENT" for "client|help".
std::string container_name(const Call& call) {
  const std::string& name = call.command.name;
  return to_upper(std::string_view(name).substr(0, name.find('|')));
}

void add_entry(const HelpEntry& entry, std::vector<std::string>* lines) {
  lines->emplace_back(entry.syntax);
  std::string_view text = entry.text;
  while (!text.empty()) {
    const size_t end = text.find('\n');
    lines->push_back("    " + std::string(text.substr(0, end)));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

void reply_help(Call& call, std::initializer_list<HelpEntry> entries) {
  std::vector<std::string> lines;
  lines.push_back(container_name(call) +
                  " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  for (const HelpEntry& entry : entries) add_entry(entry, &lines);
  add_entry({"HELP", "Print this help."}, &lines);
  call.reply.array(lines.size());
  for (const std::string& line : lines) call.reply.simple(line);
}

void reply_unknown_subcommand(Call& call) {
  const std::string_view sub = call.args[1];
  call.reply.error("ERR unknown subcommand or wrong number of arguments for '" +
                   std::string(sub.substr(0, 128)) + "'. Try " + container_name(call) + " HELP.");
}

}  // namespace tandem
