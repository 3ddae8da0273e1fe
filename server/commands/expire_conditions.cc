#include "server/commands/expire_conditions.h"

#include <string>

#include "server/base/strings.h"
#include "server/store/entry.h"

namespace tandem {

bool ExpireConditions::hold(int64_t current_ms, int64_t deadline_ms) const {
  const bool has_expiry = current_ms != kNoExpiry;
  if (if_none && has_expiry) return false;
  if (if_some && !has_expiry) return false;
  if (if_later && (!has_expiry || deadline_ms <= current_ms)) return false;
  if (if_earlier && has_expiry && deadline_ms >= current_ms) return false;
  return true;
}

bool read_conditions(Call& call, Args options, ExpireConditions* conditions) {
  for (const std::string_view option : options) {
    if (equals_ignore_case(option, "nx")) {
      conditions->if_none = true;
    } else if (equals_ignore_case(option, "xx")) {
      conditions->if_some = true;
    } else if (equals_ignore_case(option, "gt")) {
      conditions->if_later = true;
    } else if (equals_ignore_case(option, "lt")) {
      conditions->if_earlier = true;
    } else {
      call.reply.error("ERR Unsupported option " + std::string(option));
      return false;
    }
  }
  if (conditions->if_none &&
      (conditions->if_some || conditions->if_later || conditions->if_earlier)) {
    call.reply.error("ERR NX and XX, GT or LT options at the same time are not compatible");
    return false;
  }
  if (conditions->if_later && conditions->if_earlier) {
    call.reply.error("ERR GT and LT options at the same time are not compatible");
    return false;
  }
  return true;
}

}  // namespace tandem
