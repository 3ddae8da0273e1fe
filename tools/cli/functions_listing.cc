#include "tools/cli/functions_manage.h"
#include "tools/cli/text_table.h"
#include "tools/cli/unified_diff.h"

namespace tandem::cli {
namespace {

ReplyValue text(std::string value) {
  return {.type = ReplyValue::Type::kBulk, .text = std::move(value)};
}

ReplyValue array() { return {.type = ReplyValue::Type::kArray}; }

ReplyValue map(std::vector<ReplyValue> names_and_values) {
  return {.type = ReplyValue::Type::kMap, .elements = std::move(names_and_values)};
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ",") + word;
  return out;
}

}  // namespace

std::string functions_table(const std::vector<LibraryDescription>& libraries) {
  TextTable table({"LIBRARY", "FUNCTION", "FLAGS", "DESCRIPTION"});
  for (const LibraryDescription& library : libraries) {
    for (const FunctionDescription& function : library.functions) {
      table.add({printable(library.name), printable(function.name),
                 function.flags.empty() ? "-" : printable(joined(function.flags)),
                 printable(function.description)});
    }
  }
  return table.format();
}

ReplyValue functions_json(const std::string& server,
                          const std::vector<LibraryDescription>& libraries) {
  ReplyValue list = array();
  for (const LibraryDescription& library : libraries) {
    ReplyValue functions = array();
    for (const FunctionDescription& function : library.functions) {
      ReplyValue flags = array();
      for (const std::string& flag : function.flags) flags.elements.push_back(text(flag));
      functions.elements.push_back(
          map({text("name"), text(function.name), text("flags"), std::move(flags),
               text("description"), text(function.description)}));
    }
    list.elements.push_back(map({text("name"), text(library.name), text("engine"),
                                 text(library.engine), text("functions"), std::move(functions)}));
  }
  return map({text("server"), text(server), text("libraries"), std::move(list)});
}

std::string libraries_diff(const std::string& server_name, const Libraries& server,
                           const std::string& source_name, const Libraries& source) {
  std::string added;
  std::string removed;
  std::string changed;
  for (const auto& [name, code] : source) {
    auto there = server.find(name);
    if (there == server.end()) {
      added += "added: " + name + "\n";
    } else if (there->second != code) {
      changed +=
          "changed: " + name + "\n" +
          unified_diff(server_name + "/" + name, there->second, source_name + "/" + name, code);
    }
  }
  for (const auto& [name, code] : server) {
    if (!source.contains(name)) removed += "removed: " + name + "\n";
  }
  return added + removed + changed;
}

}  // namespace tandem::cli
