#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/result.h"

namespace tandem::cli {

// The arguments of a subcommand, parted into options and the rest.
class ToolArguments {
 public:
  // An option such as "--replace", and whether a value follows it.
  struct Option {
    std::string_view name;
    bool valued = false;
  };

  // Refuses options that are not among the `known`. What follows "--" is no option.
  static Result<ToolArguments> parse(std::span<const std::string> arguments,
                                     std::span<const Option> known);

  const std::vector<std::string>& words() const { return words_; }
  bool has(std::string_view option) const { return options_.contains(option); }
  // Of an option that was given several times, the last.
  std::optional<std::string> value(std::string_view option) const;
  std::vector<std::string> values(std::string_view option) const;

 private:
  std::vector<std::string> words_;
  std::map<std::string, std::vector<std::string>, std::less<>> options_;
};

}  // namespace tandem::cli
