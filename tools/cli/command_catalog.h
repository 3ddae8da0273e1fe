#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tools/cli/connection.h"

namespace tandem::cli {

struct CommandHelp {
  std::string name;    // upper case, a subcommand after its command: "CONFIG GET"
  std::string syntax;  // the arguments: "key [NX|XX]"
  std::string summary;
  std::string since;
  std::string group;
};

// What the server says of its commands (COMMAND DOCS, or only the names from COMMAND).
class CommandCatalog {
 public:
  // Empty when the server answers neither.
  static CommandCatalog load(Connection& connection);
  // From the reply of COMMAND DOCS, and of COMMAND.
  static CommandCatalog from_docs(const ReplyValue& docs);
  static CommandCatalog from_names(const ReplyValue& infos);

  // By name.
  const std::vector<CommandHelp>& commands() const { return commands_; }

  // The whole lines that `line`, up to the cursor, could become: its words so far as the start of a
  // command's name, after "help " too. They keep the case in which it is typed.
  std::vector<std::string> complete(std::string_view line) const;

  // The text of "help NAME" for a command or its subcommands, or of "help @GROUP".
  std::string help(const std::vector<std::string>& topic) const;

 private:
  void add_docs(const ReplyValue& docs);
  void sort();

  std::vector<CommandHelp> commands_;
};

}  // namespace tandem::cli
