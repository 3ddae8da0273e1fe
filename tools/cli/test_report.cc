#include "tools/cli/test_report.h"

#include <algorithm>
#include <string_view>

namespace tandem::cli {

namespace {

constexpr std::string_view kIndent = "  ";

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  for (size_t end; (end = text.find('\n')) != std::string_view::npos; text.remove_prefix(end + 1)) {
    lines.push_back(text.substr(0, end));
  }
  lines.push_back(text);
  return lines;
}

// A description ends at the line's end and at a '#'.
std::string tap_description(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '#' || c == '\\') escaped += '\\';
    escaped += c == '\n' || c == '\r' ? ' ' : c;
  }
  return escaped;
}

// How many bytes at the front of `text` are one character that XML allows; 0: none are.
size_t xml_character(std::string_view text) {
  const auto byte = [&](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u;
  };
  const unsigned first = byte(0);
  if (first < 0x80) return first >= 0x20 || first == '\t' || first == '\n' ? 1 : 0;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return 0;
  unsigned code = first & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
    code = code << 6 | (byte(i) & 0x3f);
  }
  constexpr unsigned kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code >= 0xd800 && code <= 0xdfff;
  const bool allowed = code >= kSmallest[length] && code <= 0x10ffff && !surrogate &&
                       code != 0xfffe && code != 0xffff;
  return allowed ? length : 0;
}

std::string xml_text(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    const size_t length = xml_character(text);
    const std::string_view character = text.substr(0, std::max<size_t>(1, length));
    if (length == 0) {
      escaped += '?';
    } else if (character == "<") {
      escaped += "&lt;";
    } else if (character == ">") {
      escaped += "&gt;";
    } else if (character == "&") {
      escaped += "&amp;";
    } else if (character == "\"") {
      escaped += "&quot;";
    } else if (character == "\n") {
      escaped += "&#10;";
    } else {
      escaped += character;
    }
    text.remove_prefix(character.size());
  }
  return escaped;
}

std::string attribute(std::string_view name, std::string_view value) {
  std::string text = " ";
  return text.append(name).append("=\"").append(xml_text(value)).append("\"");
}

std::string seconds_text(double seconds) {
  char text[32];
  std::snprintf(text, sizeof(text), "%.6f", seconds);
  return text;
}

std::string counts(const std::vector<const TestResult*>& results) {
  double seconds = 0;
  size_t failures = 0;
  for (const TestResult* result : results) {
    seconds += result->seconds;
    failures += result->passed ? 0 : 1;
  }
  return attribute("tests", std::to_string(results.size())) +
         attribute("failures", std::to_string(failures)) + attribute("errors", "0") +
         attribute("time", seconds_text(seconds));
}

// "stamped_test" for "functions/stamped_test.lua".
std::string_view stem(std::string_view path) {
  path.remove_prefix(path.rfind('/') + 1);
  return path.substr(0, path.rfind('.'));
}

std::string junit_case(const TestResult& result) {
  std::string text = "    <testcase" + attribute("classname", stem(result.file)) +
                     attribute("name", result.name) +
                     attribute("time", seconds_text(result.seconds));
  if (result.passed) return text + "/>\n";
  std::string place = result.file;
  if (result.line != 0) place += ":" + std::to_string(result.line);
  return text + ">\n      <failure" + attribute("message", lines_of(result.failure)[0]) + ">" +
         xml_text(place + ": " + result.failure) + "</failure>\n    </testcase>\n";
}

}  // namespace

std::string tap_header() { return "TAP version 13\n"; }

std::string tap_result(const TestResult& result, size_t number) {
  std::string text = result.passed ? "ok " : "not ok ";
  text += std::to_string(number) + " - " + tap_description(result.file + ": " + result.name) + "\n";
  if (result.passed) return text;
  text.append(kIndent).append("---\n").append(kIndent).append("message: |-\n");
  for (const std::string_view line : lines_of(result.failure)) {
    text.append(kIndent).append(kIndent).append(line).append("\n");
  }
  if (result.line != 0) {
    text.append(kIndent).append("at: ").append(result.file).append(":");
    text.append(std::to_string(result.line)).append("\n");
  }
  return text.append(kIndent).append("...\n");
}

std::string tap_plan(size_t tests) { return "1.." + std::to_string(tests) + "\n"; }

std::string tap_comment(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += "# " + line + "\n";
  return text;
}

std::string junit_document(const std::vector<TestResult>& results) {
  std::vector<const TestResult*> all;
  for (const TestResult& result : results) all.push_back(&result);
  std::string text =
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites" + counts(all) + ">\n";
  for (auto first = all.begin(); first != all.end();) {
    const auto end = std::find_if(first, all.end(), [first](const TestResult* result) {
      return result->file != (*first)->file;
    });
    text += "  <testsuite" + attribute("name", (*first)->file) + counts({first, end}) + ">\n";
    for (; first != end; ++first) text += junit_case(**first);
    text += "  </testsuite>\n";
  }
  return text + "</testsuites>\n";
}

}  // namespace tandem::cli
