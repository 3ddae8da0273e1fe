#include "server/base/directive.h"

#include <algorithm>
#include <charconv>
#include <cinttypes>
#include <cstdio>
#include <filesystem>

#include "server/base/numbers.h"
#include "server/base/strings.h"

namespace tandem {

namespace {

Error refuse(std::string reason) { return make_error(ErrorKind::kInvalid, std::move(reason)); }

Result<bool> parse_bool(std::string_view text) {
  if (equals_ignore_case(text, "yes")) return true;
  if (equals_ignore_case(text, "no")) return false;
  return refuse("argument must be 'yes' or 'no'");
}

// Memory is an unsigned size, and an empty text is 0.
Result<int64_t> parse_memory(std::string_view text, const char* reason) {
  if (text.empty()) return int64_t{0};
  const auto bytes = parse_memory_size(text);
  if (!bytes || *bytes > static_cast<uint64_t>(INT64_MAX)) return refuse(reason);
  return static_cast<int64_t>(*bytes);
}

// A percentage is kept as its negative.
Result<int64_t> parse_memory_or_percent(std::string_view text, int64_t min) {
  constexpr char kReason[] = "argument must be a memory or percent value";
  if (text.empty() || text.back() != '%') return parse_memory(text, kReason);
  const auto percent = parse_int64(text.substr(0, text.size() - 1));
  if (!percent || *percent < 0) return refuse(kReason);
  if (*percent > -min) {
    return refuse("percentage argument must be less or equal to " + std::to_string(-min));
  }
  return -*percent;
}

Result<int64_t> parse_octal(std::string_view text) {
  int64_t value = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value, 8);
  if (code != std::errc() || end != text.data() + text.size()) {
    return refuse("argument couldn't be parsed as an octal number");
  }
  return value;
}

Result<int64_t> parse_integer(std::string_view text, IntegerUnit unit, int64_t min) {
  switch (unit) {
    case IntegerUnit::kMemory:
      return parse_memory(text, "argument must be a memory value");
    case IntegerUnit::kMemoryOrPercent:
      return parse_memory_or_percent(text, min);
    case IntegerUnit::kOctal:
      return parse_octal(text);
    case IntegerUnit::kNone:
      break;
  }
  if (const auto value = parse_int64(text)) return *value;
  return refuse("argument couldn't be parsed into an integer");
}

std::string in_octal(int64_t value) {
  char text[32];
  std::snprintf(text, sizeof text, "%" PRIo64, static_cast<uint64_t>(value));
  return text;
}

Result<int64_t> parse_bounded(std::string_view text, IntegerUnit unit, int64_t min, int64_t max) {
  auto value = parse_integer(text, unit, min);
  if (!value.ok() || (value.value() >= min && value.value() <= max)) return value;
  const bool octal = unit == IntegerUnit::kOctal;
  return refuse("argument must be between " + (octal ? in_octal(min) : std::to_string(min)) +
                " and " + (octal ? in_octal(max) : std::to_string(max)) + " inclusive");
}

std::string joined_names(std::span<const EnumName> names) {
  std::string text;
  for (const EnumName& each : names) {
    if (!text.empty()) text += ", ";
    text += each.name;
  }
  return text;
}

Error not_a_name(std::string_view names) {
  return refuse("argument(s) must be one of the following: " + std::string(names));
}

struct Setter {
  Settings& settings;
  const Directive& directive;
  std::span<const std::string> words;
  bool more;

  Status operator()(const BoolField& target) const {
    auto value = parse_bool(words[0]);
    if (!value.ok()) return value.error();
    settings.*target.field = value.value();
    return {};
  }

  Status operator()(const IntegerField& target) const {
    auto value = parse_bounded(words[0], target.unit, target.min, target.max);
    if (!value.ok()) return value.error();
    settings.*target.field = value.value();
    return {};
  }

  Status operator()(const EnumField& target) const {
    if (words.empty()) return not_a_name(joined_names(target.names));
    int combined = 0;
    for (const std::string& word : words) {
      const EnumName* found = nullptr;
      for (const EnumName& each : target.names) {
        if (equals_ignore_case(each.name, word)) found = &each;
      }
      if (found == nullptr) return not_a_name(joined_names(target.names));
      combined |= found->value;
    }
    if (target.check_set != nullptr) {
      if (const char* reason = target.check_set(combined)) return refuse(reason);
    }
    target.set(settings, combined);
    return {};
  }

  Status operator()(const StringField& target) const {
    if (target.check != nullptr) {
      if (const char* reason = target.check(words[0])) return refuse(reason);
    }
    settings.*target.field = words[0];
    return {};
  }

  Status operator()(const CustomField& target) const { return target.set(settings, words, more); }

  Status operator()(const UnusedField& target) const {
    auto text = checked_text(target);
    if (!text.ok()) return text.error();
    settings.unused[directive.name] = std::move(text).value();
    return {};
  }

  Result<std::string> checked_text(const UnusedField& target) const {
    switch (target.type) {
      case UnusedType::kBool: {
        auto value = parse_bool(words[0]);
        if (!value.ok()) return value.error();
        return std::string(value.value() ? "yes" : "no");
      }
      case UnusedType::kInteger:
      case UnusedType::kMemory: {
        const auto unit =
            target.type == UnusedType::kMemory ? IntegerUnit::kMemory : IntegerUnit::kNone;
        auto value = parse_bounded(words[0], unit, target.min, target.max);
        if (!value.ok()) return value.error();
        return std::to_string(value.value());
      }
      case UnusedType::kEnum:
        return checked_name(target);
      case UnusedType::kString:
        break;
    }
    std::string text;
    for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
    return text;
  }

  Result<std::string> checked_name(const UnusedField& target) const {
    constexpr std::string_view kSeparator = ", ";
    std::string_view rest = target.names;
    while (!rest.empty()) {
      const std::string_view name = rest.substr(0, rest.find(kSeparator));
      if (equals_ignore_case(name, words[0])) return std::string(name);
      rest.remove_prefix(std::min(rest.size(), name.size() + kSeparator.size()));
    }
    return not_a_name(target.names);
  }
};

struct Printer {
  const Settings& settings;
  const Directive& directive;

  std::string operator()(const BoolField& source) const {
    return settings.*source.field ? "yes" : "no";
  }
  std::string operator()(const IntegerField& source) const {
    const int64_t value = settings.*source.field;
    if (source.unit == IntegerUnit::kOctal) return in_octal(value);
    if (source.unit == IntegerUnit::kMemoryOrPercent && value < 0) {
      return std::to_string(-value) + "%";
    }
    return std::to_string(value);
  }
  std::string operator()(const EnumField& source) const {
    const int value = source.get(settings);
    std::string text;
    for (const EnumName& each : source.names) {
      if (each.value == value) return std::string(each.name);
      if (source.check_set == nullptr || each.value == 0 || (value & each.value) != each.value)
        continue;
      text += (text.empty() ? "" : " ") + std::string(each.name);
    }
    return text;
  }
  std::string operator()(const StringField& source) const { return settings.*source.field; }
  std::string operator()(const CustomField& source) const { return source.get(settings); }
  std::string operator()(const UnusedField& source) const {
    const auto set = settings.unused.find(directive.name);
    return set != settings.unused.end() ? set->second : std::string(source.default_value);
  }
};

// 104857600 as 100mb: what an operator would have written.
std::string in_memory_units(int64_t bytes) {
  struct Unit {
    int64_t bytes;
    const char* name;
  };
  for (const Unit& unit : {Unit{int64_t{1} << 30, "gb"}, {1 << 20, "mb"}, {1 << 10, "kb"}}) {
    if (bytes != 0 && bytes % unit.bytes == 0)
      return std::to_string(bytes / unit.bytes) + unit.name;
  }
  return std::to_string(bytes);
}

bool is_memory(const Directive& directive) {
  const auto* integer = std::get_if<IntegerField>(&directive.binding);
  return integer != nullptr &&
         (integer->unit == IntegerUnit::kMemory || integer->unit == IntegerUnit::kMemoryOrPercent);
}

bool is_free_text(const Directive& directive) {
  if (const auto* unused = std::get_if<UnusedField>(&directive.binding)) {
    return unused->type == UnusedType::kString && !directive.has(kMultiWord);
  }
  return std::holds_alternative<StringField>(directive.binding);
}

}  // namespace

std::string resolve_path(const std::string& directory, const std::string& path) {
  auto resolved = (std::filesystem::path(directory) / path).lexically_normal();
  if (!resolved.has_filename() && resolved.has_relative_path()) resolved = resolved.parent_path();
  return resolved.string();
}

std::vector<std::string> value_of_line(const Directive& directive,
                                       std::span<const std::string> line_words) {
  const auto words = line_words.subspan(1);
  std::vector<std::string> value(words.begin(), words.end());
  if (value.size() != 1 || value[0].empty() || !directive.has(kMultiWord) ||
      directive.has(kFileOnly)) {
    return value;
  }
  std::vector<std::string> pieces;
  return split_words(value[0], &pieces) && !pieces.empty() ? pieces : value;
}

Status set_directive(const Directive& directive, std::span<const std::string> words, bool more,
                     Settings& settings) {
  const bool custom = std::holds_alternative<CustomField>(directive.binding);
  if (!custom && words.size() != 1 && !directive.has(kMultiWord)) {
    return refuse("wrong number of arguments");
  }
  return std::visit(Setter{settings, directive, words, more}, directive.binding);
}

std::string directive_value(const Directive& directive, const Settings& settings) {
  return std::visit(Printer{settings, directive}, directive.binding);
}

std::vector<std::string> directive_lines(const Directive& directive, const Settings& settings) {
  const auto* custom = std::get_if<CustomField>(&directive.binding);
  if (custom != nullptr && custom->lines != nullptr) return custom->lines(settings);
  std::string value = directive_value(directive, settings);
  if (is_memory(directive) && value.back() != '%') {
    value = in_memory_units(settings.*std::get<IntegerField>(directive.binding).field);
  }
  if (is_free_text(directive) || value.empty()) value = quote(value);
  return {value};
}

}  // namespace tandem
