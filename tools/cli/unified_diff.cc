#include "tools/cli/unified_diff.h"

#include <algorithm>
#include <vector>

namespace tandem::cli {
namespace {

constexpr size_t kContextLines = 3;
// Myers' algorithm keeps a row of this many numbers at most for each edit: 4 million numbers in
// all.
constexpr int kMaxEdits = 2000;

using Lines = std::vector<std::string_view>;

struct Edit {
  char mark;  // ' ', '-' or '+'
  std::string_view line;
};

Lines split_lines(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return lines;
}

// The shortest edit script between two sequences: "An O(ND) Difference Algorithm and Its
// Variations", E. Myers, 1986. Row d of the history holds, for each diagonal k, how far along
// `before` d edits lead.
class EditScript {
 public:
  EditScript(const Lines& before, const Lines& after)
      : before_(before), after_(after), n_(int_size(before)), m_(int_size(after)) {}

  std::vector<Edit> find() {
    const int edits = search();
    return edits < 0 ? replace_all() : trace_back(edits);
  }

 private:
  static int int_size(const Lines& lines) { return static_cast<int>(lines.size()); }

  // Diagonals -d..d are kept at 0..2d.
  static int reached(const std::vector<int>& row, int d, int k) {
    return k < -d || k > d ? -1 : row[static_cast<size_t>(k + d)];
  }

  // Whether the best way to diagonal k inserts a line (comes from k + 1) rather than removing one.
  static bool inserts(const std::vector<int>& row, int d, int k) {
    return k == -d || (k != d && reached(row, d - 1, k - 1) < reached(row, d - 1, k + 1));
  }

  // The number of edits; negative when they are too many.
  int search() {
    for (int d = 0; d <= kMaxEdits; ++d) {
      std::vector<int> row(static_cast<size_t>(2 * d + 1), -1);
      for (int k = -d; k <= d; k += 2) {
        int x = 0;
        if (d > 0) {
          const std::vector<int>& last = rows_.back();
          x = inserts(last, d, k) ? reached(last, d - 1, k + 1) : reached(last, d - 1, k - 1) + 1;
        }
        while (x < n_ && x - k < m_ && x - k >= 0 && before_[x] == after_[x - k]) ++x;
        row[static_cast<size_t>(k + d)] = x;
        if (x >= n_ && x - k >= m_) return d;
      }
      rows_.push_back(std::move(row));
    }
    return -1;
  }

  std::vector<Edit> trace_back(int edits) const {
    std::vector<Edit> script;
    int x = n_;
    int y = m_;
    for (int d = edits; d > 0; --d) {
      const std::vector<int>& last = rows_[static_cast<size_t>(d - 1)];
      const int k = x - y;
      const bool inserted = inserts(last, d, k);
      const int from_k = inserted ? k + 1 : k - 1;
      const int from_x = reached(last, d - 1, from_k);
      const int from_y = from_x - from_k;
      for (; x > from_x + (inserted ? 0 : 1) && y > from_y + (inserted ? 1 : 0); --x, --y) {
        script.push_back({' ', before_[x - 1]});
      }
      script.push_back(inserted ? Edit{'+', after_[y - 1]} : Edit{'-', before_[x - 1]});
      x = from_x;
      y = from_y;
    }
    for (; x > 0; --x) script.push_back({' ', before_[x - 1]});
    std::reverse(script.begin(), script.end());
    return script;
  }

  std::vector<Edit> replace_all() const {
    std::vector<Edit> script;
    for (std::string_view line : before_) script.push_back({'-', line});
    for (std::string_view line : after_) script.push_back({'+', line});
    return script;
  }

  const Lines& before_;
  const Lines& after_;
  const int n_;
  const int m_;
  std::vector<std::vector<int>> rows_;
};

// "12,3" as a hunk's header counts lines; an empty range stands behind the line before it.
std::string range(size_t first, size_t count) {
  return std::to_string(count == 0 ? first : first + 1) + "," + std::to_string(count);
}

// Where the hunk ends that begins with the change at `at`: behind its last change, before a stretch
// of equal lines too long to be its context and the next one's.
size_t end_of_changes(const std::vector<Edit>& script, size_t at) {
  size_t end = at;
  for (size_t i = at; i < script.size() && i <= end + 2 * kContextLines; ++i) {
    if (script[i].mark != ' ') end = i + 1;
  }
  return end;
}

std::string format_hunks(const std::vector<Edit>& script) {
  std::string out;
  size_t before_line = 0;
  size_t after_line = 0;
  size_t at = 0;
  while (at < script.size()) {
    size_t change = at;
    while (change < script.size() && script[change].mark == ' ') ++change;
    if (change == script.size()) break;
    const size_t begin = std::max(at, change - std::min(change, kContextLines));
    const size_t end = std::min(script.size(), end_of_changes(script, change) + kContextLines);
    before_line += begin - at;
    after_line += begin - at;
    std::string body;
    size_t removed = 0;
    size_t added = 0;
    for (size_t i = begin; i < end; ++i) {
      body += script[i].mark + std::string(script[i].line) + "\n";
      removed += script[i].mark != '+';
      added += script[i].mark != '-';
    }
    out += "@@ -" + range(before_line, removed) + " +" + range(after_line, added) + " @@\n" + body;
    before_line += removed;
    after_line += added;
    at = end;
  }
  return out;
}

}  // namespace

std::string unified_diff(std::string_view before_name, std::string_view before,
                         std::string_view after_name, std::string_view after) {
  if (before == after) return "";
  const Lines before_lines = split_lines(before);
  const Lines after_lines = split_lines(after);
  std::string hunks = format_hunks(EditScript(before_lines, after_lines).find());
  if (hunks.empty()) hunks = "(they differ in the line break at the end alone)\n";
  return "--- " + std::string(before_name) + "\n+++ " + std::string(after_name) + "\n" + hunks;
}

}  // namespace tandem::cli
