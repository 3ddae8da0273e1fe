#pragma once

#include <span>
#include <string_view>

#include "tests/peer/random/generator.h"

namespace tandem::peer {

// Something that redis-server 7.0.15 does differently from Valkey 8.1. Exactly one of the two
// functions is set.
struct Difference {
  std::string_view command;  // in upper case; empty: any
  std::string_view reason;
  // True when two unequal replies are this difference.
  bool (*excused)(const Words& words, const ReplyValue& ours, const ReplyValue& theirs) = nullptr;
  // True when the command must not be sent, because what it leaves behind would differ.
  bool (*avoided)(const Words& words) = nullptr;
};

std::span<const Difference> differences();

// `words` with the command's name in upper case.
bool is_excused(const Words& words, const ReplyValue& ours, const ReplyValue& theirs);
bool is_avoided(const Words& words);
// A keyspace event, as "channel message", that one of them does not send.
bool is_event_excused(std::string_view event);

}  // namespace tandem::peer
