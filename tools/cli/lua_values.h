#pragma once

#include <lua.hpp>
#include <string>

#include "server/resp/reply_reader.h"

namespace tandem::cli {

// Pushes a reply as a test sees it: statuses and bulks as strings, integers and doubles as numbers,
// arrays and sets as lists, maps as tables by key, errors inside of aggregates as {err = text}. No
// value is nil, or false inside of an aggregate, so that a list keeps its places.
void push_reply(lua_State* lua, const ReplyValue& reply);

// The string or number at `index` as a word of a request, numbers as functions write them. Raises
// a Lua error when it is neither.
std::string request_word(lua_State* lua, int index);

}  // namespace tandem::cli
