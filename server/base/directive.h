#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "server/base/result.h"
#include "server/base/settings.h"

namespace tandem {

// One row of the configuration table binds a directive's name to a field of Settings, with the type
// that checks and prints its value. Defaults are those of a new Settings. A new directive is a
// field in settings.h and a row in one of directives_*.cc.

enum DirectiveFlag : unsigned {
  kImmutable = 1,     // not by CONFIG SET
  kSensitive = 2,     // a secret: not in logs
  kHidden = 4,        // CONFIG GET shows it only under its exact name
  kUnused = 8,        // accepted for compatibility, without effect here
  kMultiWord = 16,    // the value is several words
  kProtected = 32,    // CONFIG SET only as enable-protected-configs allows
  kDenyLoading = 64,  // not by CONFIG SET while loading
  kFileOnly = 128,    // in files only: neither CONFIG GET, SET nor REWRITE know it
};

struct BoolField {
  bool Settings::*field;
};

enum class IntegerUnit : uint8_t { kNone, kMemory, kMemoryOrPercent, kOctal };
struct IntegerField {
  int64_t Settings::*field;
  int64_t min;
  int64_t max;
  IntegerUnit unit = IntegerUnit::kNone;
};

// A name and its value as the field stores it.
struct EnumName {
  std::string_view name;
  int value;
};
struct EnumField {
  std::span<const EnumName> names;
  int (*get)(const Settings&);
  void (*set)(Settings&, int);
  // Of a field that is a set of bits: why a combination is refused, or null. Null otherwise.
  const char* (*check_set)(int) = nullptr;
};

struct StringField {
  std::string Settings::*field;
  // Why `value` is refused, or null.
  const char* (*check)(std::string_view value) = nullptr;
};

// A value with a form of its own.
struct CustomField {
  // `words` is the value. `more`: an earlier line of the same start has set this directive already.
  Status (*set)(Settings&, std::span<const std::string> words, bool more);
  // As CONFIG GET prints it.
  std::string (*get)(const Settings&);
  // The values that restore the setting, each on a line of its own, quoted where needed. Null: one
  // line with get().
  std::vector<std::string> (*lines)(const Settings&) = nullptr;
};

// A value that is checked, kept and shown, and that nothing reads.
enum class UnusedType : uint8_t { kBool, kInteger, kMemory, kString, kEnum };
struct UnusedField {
  UnusedType type;
  std::string_view default_value;
  std::string_view names = {};  // of an enum, separated by ", "
  int64_t min = 0;
  int64_t max = INT64_MAX;
};

using Binding =
    std::variant<BoolField, IntegerField, EnumField, StringField, CustomField, UnusedField>;

struct Directive {
  std::string_view name;
  std::string_view alias;  // may be empty
  Binding binding;
  unsigned flags = 0;

  bool has(DirectiveFlag flag) const { return (flags & flag) != 0; }
};

// The words of the value behind a directive's name on a line of a file: "save '900 1'" says the
// same as "save 900 1".
std::vector<std::string> value_of_line(const Directive& directive,
                                       std::span<const std::string> line_words);
// Sets the field from the words of a value; the error's message is the reason, as Valkey words it.
Status set_directive(const Directive& directive, std::span<const std::string> words, bool more,
                     Settings& settings);
// The value as CONFIG GET prints it.
std::string directive_value(const Directive& directive, const Settings& settings);
// The values, one a line, as a configuration file holds them; none when there is nothing to say.
std::vector<std::string> directive_lines(const Directive& directive, const Settings& settings);

// `path` as seen from `directory`: itself when absolute, without "." and "..".
std::string resolve_path(const std::string& directory, const std::string& path);

// For a field whose type is an enum, or `unsigned` for a set of bits.
template <auto Field>
EnumField enum_field(std::span<const EnumName> names, const char* (*check_set)(int) = nullptr) {
  return {names, [](const Settings& settings) { return static_cast<int>(settings.*Field); },
          [](Settings& settings, int value) {
            using Type = std::remove_reference_t<decltype(settings.*Field)>;
            settings.*Field = static_cast<Type>(value);
          },
          check_set};
}

// The table, in parts.
std::span<const Directive> network_directives();
std::span<const Directive> process_directives();
std::span<const Directive> memory_directives();
std::span<const Directive> persistence_directives();
std::span<const Directive> replication_directives();
std::span<const Directive> unused_directives();

}  // namespace tandem
