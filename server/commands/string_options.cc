#include "server/commands/string_options.h"

#include "server/base/strings.h"

namespace tandem {

bool parse_expiry_option(std::string_view name, StringOptions* parsed) {
  struct Choice {
    std::string_view name;
    TimeUnit unit;
    bool absolute;
  };
  static constexpr Choice kChoices[] = {{"ex", TimeUnit::kSeconds, false},
                                        {"px", TimeUnit::kMilliseconds, false},
                                        {"exat", TimeUnit::kSeconds, true},
                                        {"pxat", TimeUnit::kMilliseconds, true}};
  for (const Choice& choice : kChoices) {
    if (!equals_ignore_case(name, choice.name)) continue;
    const bool again = parsed->expiry == StringOptions::Expiry::kDeadline &&
                       parsed->unit == choice.unit && parsed->absolute == choice.absolute;
    if (parsed->expiry != StringOptions::Expiry::kNone && !again) return false;
    parsed->expiry = StringOptions::Expiry::kDeadline;
    parsed->unit = choice.unit;
    parsed->absolute = choice.absolute;
    return true;
  }
  return false;
}

bool choose_expiry(StringOptions::Expiry expiry, StringOptions* parsed) {
  if (parsed->expiry != StringOptions::Expiry::kNone && parsed->expiry != expiry) return false;
  parsed->expiry = expiry;
  return true;
}

namespace {

bool choose_condition(StringOptions::Condition condition, StringOptions* parsed) {
  if (parsed->condition != StringOptions::Condition::kNone && parsed->condition != condition) {
    return false;
  }
  parsed->condition = condition;
  return true;
}

// One option of MSETEX at args[*at], which moves past the value of an option that has one.
bool parse_msetex_option(Args args, size_t* at, StringOptions* parsed) {
  using Condition = StringOptions::Condition;
  const std::string_view name = args[*at];
  if (equals_ignore_case(name, "nx")) return choose_condition(Condition::kIfAbsent, parsed);
  if (equals_ignore_case(name, "xx")) return choose_condition(Condition::kIfPresent, parsed);
  if (equals_ignore_case(name, "keepttl")) {
    return choose_expiry(StringOptions::Expiry::kKeep, parsed);
  }
  if (*at + 1 >= args.size() || !parse_expiry_option(name, parsed)) return false;
  parsed->time = args[++*at];
  return true;
}

// One of SET, which has MSETEX's and more.
bool parse_set_option(Args args, size_t* at, StringOptions* parsed) {
  using Condition = StringOptions::Condition;
  if (equals_ignore_case(args[*at], "get")) {
    parsed->get = true;
    return true;
  }
  if (*at + 1 < args.size() && equals_ignore_case(args[*at], "ifeq")) {
    if (parsed->condition != Condition::kNone) return false;
    parsed->condition = Condition::kIfEqual;
    parsed->comparison = args[++*at];
    return true;
  }
  return parse_msetex_option(args, at, parsed);
}

bool parse_getex_option(Args args, size_t* at, StringOptions* parsed) {
  if (equals_ignore_case(args[*at], "persist")) {
    return choose_expiry(StringOptions::Expiry::kPersist, parsed);
  }
  if (*at + 1 >= args.size() || !parse_expiry_option(args[*at], parsed)) return false;
  parsed->time = args[++*at];
  return true;
}

// Reads all options from args[first] on; replies and returns false when they are wrong.
template <typename ParseOption>
bool read_options(Call& call, size_t first, ParseOption parse_option, StringOptions* parsed) {
  for (size_t i = first; i < call.args.size(); ++i) {
    if (!parse_option(call.args, &i, parsed)) {
      call.syntax_error();
      return false;
    }
  }
  return true;
}

}  // namespace

bool StringOptions::read_deadline(Call& call) {
  if (expiry != Expiry::kDeadline) return true;
  const auto read = tandem::read_deadline(call, time, unit, absolute);
  if (read) deadline_ms = *read;
  return read.has_value();
}

bool read_set_options(Call& call, StringOptions* options) {
  return read_options(call, 3, parse_set_option, options);
}

bool read_getex_options(Call& call, StringOptions* options) {
  return read_options(call, 2, parse_getex_option, options);
}

bool read_msetex_options(Call& call, size_t first, StringOptions* options) {
  return read_options(call, first, parse_msetex_option, options);
}

}  // namespace tandem
