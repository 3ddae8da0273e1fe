#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "server/base/directive.h"

namespace tandem {

// Every directive, in the order of the table's parts.
const std::vector<const Directive*>& all_directives();
// By name or alias, in any case; null when there is none.
const Directive* find_directive(std::string_view name);
// The known name that is the fewest typing errors away, or nothing when none is close.
std::string nearest_directive(std::string_view name);

}  // namespace tandem
