#include "server/base/strings.h"

#include <cctype>
#include <cstdio>

namespace tandem {

std::string to_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = to_lower_ascii(c);
  return out;
}

std::string to_upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 32);
  }
  return out;
}

namespace {

// Matches one character class starting after '['; *position ends behind its ']' (or at the
// pattern's end).
bool match_class(std::string_view pattern, size_t* position, unsigned char c, bool ignore_case) {
  auto fold = [ignore_case](char x) {
    return static_cast<unsigned char>(ignore_case ? to_lower_ascii(x) : x);
  };
  size_t i = *position;
  const bool negated = i < pattern.size() && pattern[i] == '^';
  if (negated) ++i;
  bool matched = false;
  while (i < pattern.size() && pattern[i] != ']') {
    if (pattern[i] == '\\' && i + 1 < pattern.size()) {
      ++i;
      matched |= fold(pattern[i++]) == c;
    } else if (i + 2 < pattern.size() && pattern[i + 1] == '-') {
      unsigned char low = fold(pattern[i]), high = fold(pattern[i + 2]);
      if (low > high) std::swap(low, high);
      matched |= c >= low && c <= high;
      i += 3;
    } else {
      matched |= fold(pattern[i++]) == c;
    }
  }
  *position = i < pattern.size() ? i + 1 : i;
  return matched != negated;
}

}  // namespace

bool glob_match(std::string_view pattern, std::string_view text, bool ignore_case) {
  if (text.empty()) return pattern.empty();
  auto fold = [ignore_case](char c) {
    return static_cast<unsigned char>(ignore_case ? to_lower_ascii(c) : c);
  };
  size_t p = 0, t = 0;
  // Only the last star needs to be retried: whatever an earlier one could swallow, this one can
  // too.
  size_t star = std::string_view::npos, star_text = 0;
  while (t < text.size()) {
    bool advanced = false;
    if (p < pattern.size()) {
      const char c = pattern[p];
      if (c == '*') {
        star = ++p;
        star_text = t;
        continue;
      }
      if (c == '?') {
        ++p;
        advanced = true;
      } else if (c == '[') {
        size_t after = p + 1;
        if (match_class(pattern, &after, fold(text[t]), ignore_case)) {
          p = after;
          advanced = true;
        }
      } else {
        const size_t literal = c == '\\' && p + 1 < pattern.size() ? p + 1 : p;
        if (fold(pattern[literal]) == fold(text[t])) {
          p = literal + 1;
          advanced = true;
        }
      }
    }
    if (advanced) {
      ++t;
    } else if (star != std::string_view::npos) {
      p = star;
      t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = to_lower_ascii(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Reads a quoted word; *i stands on the opening quote and ends behind the closing one.
bool read_quoted(std::string_view line, size_t* i, std::string* word) {
  const char quote_char = line[(*i)++];
  while (*i < line.size()) {
    const char c = line[(*i)++];
    if (c == quote_char)
      return *i == line.size() || std::isspace(static_cast<unsigned char>(line[*i]));
    if (c != '\\' || *i >= line.size()) {
      *word += c;
      continue;
    }
    const char escaped = line[*i];
    if (quote_char == '\'') {
      if (escaped == '\'') ++*i;
      *word += escaped == '\'' ? '\'' : c;
      continue;
    }
    if (escaped == 'x' && *i + 2 < line.size() && hex_digit(line[*i + 1]) >= 0 &&
        hex_digit(line[*i + 2]) >= 0) {
      *word += static_cast<char>(hex_digit(line[*i + 1]) * 16 + hex_digit(line[*i + 2]));
      *i += 3;
      continue;
    }
    ++*i;
    switch (escaped) {
      case 'n':
        *word += '\n';
        break;
      case 'r':
        *word += '\r';
        break;
      case 't':
        *word += '\t';
        break;
      case 'b':
        *word += '\b';
        break;
      case 'a':
        *word += '\a';
        break;
      default:
        *word += escaped;
    }
  }
  return false;
}

}  // namespace

bool split_words(std::string_view line, std::vector<std::string>* words) {
  words->clear();
  size_t i = 0;
  while (true) {
    while (i < line.size() && std::isspace(static_cast<unsigned char>(line[i]))) ++i;
    if (i == line.size()) return true;
    std::string word;
    while (i < line.size() && !std::isspace(static_cast<unsigned char>(line[i]))) {
      if (line[i] == '"' || line[i] == '\'') {
        if (!read_quoted(line, &i, &word)) return false;
        break;
      }
      word += line[i++];
    }
    words->push_back(std::move(word));
  }
}

std::string quote(std::string_view text) {
  std::string out = "\"";
  for (char c : text) {
    switch (c) {
      case '\\':
      case '"':
        out += '\\', out += c;
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\a':
        out += "\\a";
        break;
      case '\b':
        out += "\\b";
        break;
      default:
        if (c >= 32 && c < 127) {
          out += c;
        } else {
          char hex[5];
          std::snprintf(hex, sizeof hex, "\\x%02x", static_cast<unsigned char>(c));
          out += hex;
        }
    }
  }
  return out + "\"";
}

}  // namespace tandem
