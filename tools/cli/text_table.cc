#include "tools/cli/text_table.h"

#include <algorithm>

#include "server/base/strings.h"

namespace tandem::cli {
namespace {

constexpr size_t kShownBytes = 200;

}  // namespace

std::string TextTable::format() const {
  std::vector<size_t> widths(rows_.front().size());
  for (const Row& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string out;
  for (const Row& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i] + std::string(widths[i] - row[i].size() + 2, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string printable(std::string_view text) {
  std::string shown(text.substr(0, kShownBytes));
  for (char& c : shown) {
    if (static_cast<unsigned char>(c) < ' ' || c == 0x7f) c = ' ';
  }
  return text.size() > kShownBytes ? shown + "..." : shown;
}

std::string printable_quoted(std::string_view text) {
  const std::string shown = quote(text.substr(0, kShownBytes));
  return text.size() > kShownBytes ? shown + "..." : shown;
}

}  // namespace tandem::cli
