#pragma once

#include <string>

#include "server/resp/reply_reader.h"

namespace tandem::cli {

enum class OutputMode : uint8_t {
  kTyped,       // types, quotes and indices, for a person at a terminal
  kRaw,         // bytes as they are, for a program
  kCsv,         // one line, fields quoted
  kJson,        // one line; strings are taken to be UTF-8
  kQuotedJson,  // the same with non-ASCII bytes escaped
};

struct OutputStyle {
  OutputMode mode = OutputMode::kTyped;
  // Raw mode: what stands between the elements of a reply, and after a reply.
  std::string element_delimiter = "\n";
  std::string reply_delimiter = "\n";
};

// The text redis-cli prints for `reply`, with its line end.
std::string format_reply(const ReplyValue& reply, const OutputStyle& style);

// The bytes of `reply` in raw form with no line end of their own: for INFO and its like, whose
// replies are laid out by the server.
std::string format_verbatim(const ReplyValue& reply, const OutputStyle& style);

// As format_reply, for a message the server sent unasked; an invalidation at a terminal is one
// line: "-> invalidate: 'key', 'key'".
std::string format_push(const ReplyValue& push, const OutputStyle& style);

}  // namespace tandem::cli
