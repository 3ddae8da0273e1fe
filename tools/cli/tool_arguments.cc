#include "tools/cli/tool_arguments.h"

#include <algorithm>

namespace tandem::cli {

Result<ToolArguments> ToolArguments::parse(std::span<const std::string> arguments,
                                           std::span<const Option> known) {
  ToolArguments parsed;
  bool options_end = false;
  for (size_t at = 0; at < arguments.size(); ++at) {
    const std::string& argument = arguments[at];
    if (options_end || argument.size() < 2 || argument[0] != '-') {
      parsed.words_.push_back(argument);
      continue;
    }
    if (argument == "--") {
      options_end = true;
      continue;
    }
    auto option = std::find_if(known.begin(), known.end(),
                               [&](const Option& one) { return one.name == argument; });
    if (option == known.end()) {
      return make_error(ErrorKind::kInvalid,
                        "Unrecognized option '" + argument +
                            "' (where to connect is said in front of the command)");
    }
    std::vector<std::string>& values = parsed.options_[argument];
    if (!option->valued) continue;
    if (++at == arguments.size()) {
      return make_error(ErrorKind::kInvalid, "The option '" + argument + "' needs a value");
    }
    values.push_back(arguments[at]);
  }
  return parsed;
}

std::optional<std::string> ToolArguments::value(std::string_view option) const {
  auto found = options_.find(option);
  if (found == options_.end() || found->second.empty()) return std::nullopt;
  return found->second.back();
}

std::vector<std::string> ToolArguments::values(std::string_view option) const {
  auto found = options_.find(option);
  return found == options_.end() ? std::vector<std::string>() : found->second;
}

}  // namespace tandem::cli
