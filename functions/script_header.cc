#include "functions/script_header.h"

#include <string>
#include <utility>
#include <vector>

#include "functions/function_set.h"
#include "server/base/strings.h"

namespace tandem {

namespace {

constexpr std::string_view kEngine = "#!lua";
constexpr std::string_view kFlagsOption = "flags=";

Error refuse(std::string message) { return make_error(ErrorKind::kInvalid, std::move(message)); }

// Adds the flags of "a,b,c" to *flags.
Status parse_flags(std::string_view names, uint32_t* flags) {
  while (!names.empty()) {
    const std::string_view name = names.substr(0, names.find(','));
    names.remove_prefix(std::min(names.size(), name.size() + 1));
    if (name.empty()) continue;
    bool known = false;
    for (const auto& [flag, flag_name] : function_flag_names()) {
      if (flag_name != name) continue;
      *flags |= flag;
      known = true;
    }
    if (!known) return refuse("Unexpected flag in script shebang: " + std::string(name));
  }
  return {};
}

}  // namespace

Result<ScriptHeader> parse_script_header(std::string_view source) {
  ScriptHeader header;
  header.code = source;
  if (!source.starts_with("#!")) return header;
  const size_t line_end = source.find('\n');
  if (line_end == std::string_view::npos) return refuse("Invalid script shebang");
  std::vector<std::string> words;
  if (!split_words(source.substr(0, line_end), &words) || words.empty()) {
    return refuse("Invalid engine in script shebang");
  }
  if (words[0] != kEngine) return refuse("Unexpected engine in script shebang: " + words[0]);
  for (size_t i = 1; i < words.size(); ++i) {
    const std::string_view word = words[i];
    if (!word.starts_with(kFlagsOption)) {
      return refuse("Unknown lua shebang option: " + words[i]);
    }
    const Status parsed = parse_flags(word.substr(kFlagsOption.size()), &header.flags);
    if (!parsed.ok()) return parsed.error();
  }
  header.has_shebang = true;
  header.code = source.substr(line_end);
  return header;
}

}  // namespace tandem
