#pragma once

#include <optional>

#include "server/exec/call.h"
#include "server/store/set_value.h"

namespace tandem {

// The commands that combine sets. Their rows stand with the other set commands in sets.cc.

void sinter_command(Call& call);
void sintercard_command(Call& call);
void sinterstore_command(Call& call);
void sunion_command(Call& call);
void sunionstore_command(Call& call);
void sdiff_command(Call& call);
void sdiffstore_command(Call& call);

// The set at a key, null for a missing key. Nothing when it is of another type: WRONGTYPE has been
// replied.
std::optional<const SetValue*> find_set(Call& call, std::string_view key);

// As a bulk string.
void reply_member(Reply& reply, const SetValue::Member& member);
// All members of a set.
void reply_members(Reply& reply, const SetValue& set);

}  // namespace tandem
