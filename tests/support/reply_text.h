#pragma once

#include <string>

#include "server/resp/reply_reader.h"

namespace tandem {

// A reply on one line, in redis-cli's words: OK, (nil), (integer) 1, "bulk", (error) ERR no,
// ["a", (integer) 2], {"field": "value"}.
std::string reply_text(const ReplyValue& value);

}  // namespace tandem
