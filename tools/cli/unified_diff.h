#pragma once

#include <string>
#include <string_view>

namespace tandem::cli {

// What turns `before` into `after`, line by line, as `diff -u` shows it: headers with the two
// names, then hunks with three lines of context. Empty when the texts are equal. Texts that have
// next to nothing in common are shown as one replaced by the other, to bound time and memory.
std::string unified_diff(std::string_view before_name, std::string_view before,
                         std::string_view after_name, std::string_view after);

}  // namespace tandem::cli
