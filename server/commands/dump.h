#pragma once

#include "server/exec/call.h"

namespace tandem {

// DUMP and RESTORE, whose rows are among the key commands: a key's value as a payload that another
// server, ours or of the family, takes.
void dump_command(Call& call);
void restore_command(Call& call);

}  // namespace tandem
