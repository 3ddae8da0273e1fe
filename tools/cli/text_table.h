#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tandem::cli {

// Columns of text, each as wide as its widest cell; the last one is as long as it is.
class TextTable {
 public:
  using Row = std::vector<std::string>;

  explicit TextTable(Row titles) : rows_{std::move(titles)} {}
  // As many cells as there are titles.
  void add(Row row) { rows_.push_back(std::move(row)); }
  std::string format() const;

 private:
  std::vector<Row> rows_;
};

// Fit for a table: on one line, not too long, and without the control characters with which it
// could paint a terminal.
std::string printable(std::string_view text);
// The same in quotes, with what is not printable escaped.
std::string printable_quoted(std::string_view text);

}  // namespace tandem::cli
