#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tandem {

inline char to_lower_ascii(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

// ASCII case-insensitive comparison, for command names and options.
inline bool equals_ignore_case(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (to_lower_ascii(a[i]) != to_lower_ascii(b[i])) return false;
  }
  return true;
}

std::string to_lower(std::string_view text);
std::string to_upper(std::string_view text);

// Redis-style glob: * ? [abc] [^a] [a-z] and \ escapes. The empty text
// is matched by the empty pattern alone, not even by *. Bounded work: runs in O(pattern * text) at
// worst.
bool glob_match(std::string_view pattern, std::string_view text, bool ignore_case = false);

// Splits a configuration or inline-request line into words: "double" quotes with \n \r \t \b \a
// \xHH escapes and 'single' quotes, separated by white space. False when the quotes do not balance.
bool split_words(std::string_view line, std::vector<std::string>* words);

// `text` in double quotes with non-printable bytes escaped, as logs and the command line print it.
std::string quote(std::string_view text);

}  // namespace tandem
