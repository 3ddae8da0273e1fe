#pragma once

#include <string>

#include "server/exec/call.h"

namespace tandem {

// The client as a line of CLIENT LIST, without the line's end. What depends on the moment (ages,
// the arguments of the running command) is as `call` sees it.
std::string describe_client(const Call& call, Client& client);

}  // namespace tandem
