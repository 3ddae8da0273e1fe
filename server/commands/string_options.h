#pragma once

#include <cstdint>
#include <string_view>

#include "server/commands/arguments.h"
#include "server/exec/call.h"

namespace tandem {

// The options of SET, GETEX and MSETEX.
struct StringOptions {
  enum class Condition : uint8_t { kNone, kIfAbsent, kIfPresent, kIfEqual };
  enum class Expiry : uint8_t { kNone, kKeep, kPersist, kDeadline };

  Condition condition = Condition::kNone;
  Expiry expiry = Expiry::kNone;
  bool get = false;
  bool absolute = false;  // kDeadline: EXAT, PXAT
  TimeUnit unit = TimeUnit::kSeconds;
  std::string_view time;            // kDeadline: as given
  std::string_view comparison;      // kIfEqual
  int64_t deadline_ms = kNoExpiry;  // kDeadline: Unix time

  // Sets deadline_ms for kDeadline; replies and returns false when the time is not one. Not part of
  // reading the options, because GETEX looks at the key first.
  bool read_deadline(Call& call);
  bool is_pxat() const { return absolute && unit == TimeUnit::kMilliseconds; }
};

// One of EX, PX, EXAT and PXAT, and a choice without a time: false when `name` is none of the
// former, or contradicts what was chosen before.
bool parse_expiry_option(std::string_view name, StringOptions* parsed);
bool choose_expiry(StringOptions::Expiry expiry, StringOptions* parsed);

// Reads SET's options, from args[3] on. Replies and returns false when they are wrong or contradict
// each other.
bool read_set_options(Call& call, StringOptions* options);
// GETEX's, from args[2] on.
bool read_getex_options(Call& call, StringOptions* options);
// MSETEX's, from args[first] on.
bool read_msetex_options(Call& call, size_t first, StringOptions* options);

}  // namespace tandem
