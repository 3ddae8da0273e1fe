#include "functions/library_header.h"

#include <utility>
#include <vector>

#include "functions/function_set.h"
#include "server/base/strings.h"

namespace tandem {

namespace {

constexpr std::string_view kShebang = "#!";
constexpr std::string_view kNameArgument = "name=";

Error refuse(std::string message) { return make_error(ErrorKind::kInvalid, std::move(message)); }

}  // namespace

Result<LibraryHeader> parse_library_header(std::string_view source) {
  if (!source.starts_with(kShebang)) return refuse("Missing library metadata");
  const size_t line_end = source.find('\n');
  if (line_end == std::string_view::npos) return refuse("Invalid library metadata");
  std::vector<std::string> words;
  if (!split_words(source.substr(0, line_end), &words) || words.empty()) {
    return refuse("Invalid library metadata");
  }
  LibraryHeader header;
  header.engine = words[0].substr(kShebang.size());
  bool named = false;
  for (size_t i = 1; i < words.size(); ++i) {
    if (!std::string_view(words[i]).starts_with(kNameArgument)) {
      return refuse("Invalid metadata value given: " + words[i]);
    }
    if (named) {
      return refuse("Invalid metadata value, name argument was given multiple times");
    }
    named = true;
    header.name = words[i].substr(kNameArgument.size());
  }
  if (!named) return refuse("Library name was not given");
  if (!is_function_name(header.name)) {
    return refuse(
        "Library names can only contain letters, numbers, or underscores(_) and must be at least "
        "one character long");
  }
  header.code = source.substr(line_end);
  return header;
}

}  // namespace tandem
