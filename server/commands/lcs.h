#pragma once

#include "server/exec/call.h"

namespace tandem {

// LCS, whose row is among the string commands: the longest common subsequence of two strings, its
// length, or where it stands in both.
void lcs_command(Call& call);

}  // namespace tandem
