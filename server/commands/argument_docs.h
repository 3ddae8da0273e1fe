#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "server/resp/reply.h"

namespace tandem {

// An argument of a command as COMMAND DOCS describes it. The texts are views into the notation.
struct ArgumentDoc {
  std::string_view name;
  std::string_view type;  // "key", "oneof", …
  std::optional<std::string_view> token;
  int key_spec = -1;
  std::string_view since;
  bool optional = false;
  bool multiple = false;
  bool multiple_token = false;
  std::vector<ArgumentDoc> arguments;  // of "oneof" and "block"
};

// Reads the notation of argument_syntax.h. A malformed one is a programming error.
std::vector<ArgumentDoc> parse_arguments(std::string_view syntax);

// The array of their descriptions.
void reply_arguments(Reply& reply, const std::vector<ArgumentDoc>& arguments);

}  // namespace tandem
