#include "tools/cli/command_catalog.h"

#include <algorithm>

#include "server/base/strings.h"

namespace tandem::cli {
namespace {

using Words = std::vector<std::string>;

// The value under `key` in a map, or in the flat array that stands for one in RESP2.
const ReplyValue* field(const ReplyValue& map, std::string_view key) {
  for (size_t i = 0; i + 1 < map.elements.size(); i += 2) {
    if (map.elements[i].is_text(key)) return &map.elements[i + 1];
  }
  return nullptr;
}

std::string text_field(const ReplyValue& map, std::string_view key) {
  const ReplyValue* value = field(map, key);
  return value == nullptr ? "" : value->text;
}

bool has_flag(const ReplyValue& argument, std::string_view flag) {
  const ReplyValue* flags = field(argument, "flags");
  if (flags == nullptr) return false;
  return std::any_of(flags->elements.begin(), flags->elements.end(),
                     [&](const ReplyValue& one) { return one.is_text(flag); });
}

std::string syntax_of(const ReplyValue& argument);

std::string join_syntax(const ReplyValue& arguments, std::string_view separator) {
  std::string out;
  for (const ReplyValue& argument : arguments.elements) {
    if (!out.empty()) out += separator;
    out += syntax_of(argument);
  }
  return out;
}

// One argument as help shows it: "[EX seconds]", "key [key ...]", "NX|XX".
std::string syntax_of(const ReplyValue& argument) {
  std::string type = text_field(argument, "type");
  std::string token = text_field(argument, "token");
  const ReplyValue* inner = field(argument, "arguments");
  std::string body;
  if (type == "oneof" && inner != nullptr) {
    body = join_syntax(*inner, "|");
  } else if (type == "block" && inner != nullptr) {
    body = join_syntax(*inner, " ");
  } else if (type != "pure-token") {
    body = text_field(argument, "display_text");
    if (body.empty()) body = text_field(argument, "name");
  }
  bool token_repeats = has_flag(argument, "multiple_token");
  bool repeats = token_repeats || has_flag(argument, "multiple");
  if (repeats && !token_repeats) body += " [" + body + " ...]";
  if (!token.empty()) body = body.empty() ? token : token + " " + body;
  if (token_repeats) body += " [" + body + " ...]";
  return has_flag(argument, "optional") ? "[" + body + "]" : body;
}

// "config|get" and "config get" are both in use as names.
std::string display_name(std::string_view name) {
  std::string out = to_upper(name);
  std::replace(out.begin(), out.end(), '|', ' ');
  return out;
}

bool has_prefix_ignoring_case(std::string_view text, std::string_view prefix) {
  return text.size() >= prefix.size() && equals_ignore_case(text.substr(0, prefix.size()), prefix);
}

std::string describe(const CommandHelp& command, bool with_group) {
  std::string out = "\n  \x1b[1m" + command.name + "\x1b[0m \x1b[90m" + command.syntax +
                    "\x1b[0m\n  \x1b[33msummary:\x1b[0m " + command.summary +
                    "\n  \x1b[33msince:\x1b[0m " + command.since + "\n";
  if (with_group) out += "  \x1b[33mgroup:\x1b[0m " + command.group + "\n";
  return out;
}

}  // namespace

CommandCatalog CommandCatalog::load(Connection& connection) {
  Result<ReplyValue> docs = connection.call(Words{"COMMAND", "DOCS"});
  if (!docs) return CommandCatalog();
  if (docs.value().is_aggregate()) return from_docs(docs.value());
  Result<ReplyValue> infos = connection.call(Words{"COMMAND"});
  return infos ? from_names(infos.value()) : CommandCatalog();
}

CommandCatalog CommandCatalog::from_docs(const ReplyValue& docs) {
  CommandCatalog catalog;
  catalog.add_docs(docs);
  catalog.sort();
  return catalog;
}

CommandCatalog CommandCatalog::from_names(const ReplyValue& infos) {
  CommandCatalog catalog;
  for (const ReplyValue& info : infos.elements) {
    if (info.elements.empty()) continue;
    CommandHelp command;
    command.name = display_name(info.elements[0].text);
    catalog.commands_.push_back(std::move(command));
  }
  catalog.sort();
  return catalog;
}

void CommandCatalog::sort() {
  std::sort(commands_.begin(), commands_.end(),
            [](const CommandHelp& a, const CommandHelp& b) { return a.name < b.name; });
}

void CommandCatalog::add_docs(const ReplyValue& docs) {
  for (size_t i = 0; i + 1 < docs.elements.size(); i += 2) {
    const ReplyValue& doc = docs.elements[i + 1];
    CommandHelp command;
    command.name = display_name(docs.elements[i].text);
    command.summary = text_field(doc, "summary");
    command.since = text_field(doc, "since");
    command.group = text_field(doc, "group");
    if (const ReplyValue* arguments = field(doc, "arguments")) {
      command.syntax = join_syntax(*arguments, " ");
    }
    commands_.push_back(std::move(command));
    if (const ReplyValue* subcommands = field(doc, "subcommands")) add_docs(*subcommands);
  }
}

std::vector<std::string> CommandCatalog::complete(std::string_view line) const {
  std::string_view before = has_prefix_ignoring_case(line, "help ") ? line.substr(0, 5) : "";
  std::string_view typed = line.substr(before.size());
  bool lower = std::any_of(typed.begin(), typed.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  std::vector<std::string> out;
  auto offer = [&](std::string_view candidate) {
    if (!has_prefix_ignoring_case(candidate, typed)) return;
    std::string_view tail = candidate.substr(typed.size());
    out.push_back(std::string(line) + (lower ? to_lower(tail) : std::string(tail)));
  };
  for (const CommandHelp& command : commands_) {
    offer(command.name);
    if (!before.empty()) offer("@" + command.group);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

std::string CommandCatalog::help(const std::vector<std::string>& topic) const {
  if (commands_.empty()) return "The server gives no help on its commands.\n";
  std::string name;
  for (const std::string& word : topic) name += (name.empty() ? "" : " ") + to_upper(word);
  bool group = name.starts_with('@');
  std::string out;
  for (const CommandHelp& command : commands_) {
    bool wanted = group ? equals_ignore_case(command.group, std::string_view(name).substr(1))
                        : command.name == name || command.name.starts_with(name + " ");
    if (wanted) out += describe(command, !group);
  }
  return out + "\n";
}

}  // namespace tandem::cli
