#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tandem::cli {

// Lines from a terminal, edited with libedit. At most one lives at a time: libedit's state is the
// process's own. While it waits for a line, Ctrl-C ends the process with exit code 0.
class LineEditor {
 public:
  // The whole lines that a line, up to the cursor, could become.
  using Completer = std::function<std::vector<std::string>(std::string_view line)>;

  // History is read from and appended to `history_path`, one line each, readable only by its owner;
  // an empty path keeps it in memory. Only the last thousand lines count. A file that cannot be
  // used is done without.
  LineEditor(std::string history_path, Completer completer);
  ~LineEditor();
  LineEditor(const LineEditor&) = delete;
  LineEditor& operator=(const LineEditor&) = delete;

  // Nothing at the end of input.
  std::optional<std::string> read(const std::string& prompt);

  // Adds `line` to the history unless it repeats the last one.
  void remember(const std::string& line);

 private:
  void load_history();

  std::string history_path_;
  std::string last_remembered_;
};

}  // namespace tandem::cli
