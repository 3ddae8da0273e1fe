#include "tools/cli/line_editor.h"

#include <editline/readline.h>
#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>

namespace tandem::cli {
namespace {

constexpr size_t kMaxHistoryLines = 1000;

// libedit's callbacks carry no pointer of ours.
LineEditor::Completer* active_completer = nullptr;

void leave_quietly(int) {
  // libedit has put the terminal right before it passes the signal on.
  (void)!write(STDOUT_FILENO, "\n", 1);
  _exit(0);
}

// Gives libedit the candidates for the last word one by one; it frees them.
char* next_candidate(const char* /*word*/, int state) {
  static std::vector<std::string> candidates;
  static size_t at = 0;
  if (state == 0) {
    std::string line(rl_line_buffer, static_cast<size_t>(rl_point));
    size_t word_start = line.find_last_of(' ') + 1;
    candidates.clear();
    at = 0;
    for (const std::string& whole : (*active_completer)(line)) {
      candidates.push_back(whole.substr(word_start));
    }
  }
  return at < candidates.size() ? strdup(candidates[at++].c_str()) : nullptr;
}

char** complete_word(const char* word, int /*start*/, int /*end*/) {
  rl_attempted_completion_over = 1;  // no file names when nothing fits
  return rl_completion_matches(word, next_candidate);
}

}  // namespace

LineEditor::LineEditor(std::string history_path, Completer completer)
    : history_path_(std::move(history_path)) {
  static Completer current;
  current = std::move(completer);
  active_completer = &current;
  struct sigaction action {};
  action.sa_handler = leave_quietly;
  sigaction(SIGINT, &action, nullptr);
  static char program[] = "tandem-cli";
  rl_readline_name = program;
  static char breaks[] = " ";
  rl_basic_word_break_characters = breaks;
  rl_completer_word_break_characters = breaks;
  rl_initialize();
  rl_attempted_completion_function = complete_word;
  using_history();
  stifle_history(static_cast<int>(kMaxHistoryLines));
  load_history();
}

LineEditor::~LineEditor() { signal(SIGINT, SIG_DFL); }

void LineEditor::load_history() {
  if (history_path_.empty()) return;
  std::vector<std::string> lines;
  {
    std::ifstream file(history_path_);
    for (std::string line; std::getline(file, line);) lines.push_back(line);
  }
  size_t first = lines.size() > kMaxHistoryLines ? lines.size() - kMaxHistoryLines : 0;
  for (size_t i = first; i < lines.size(); ++i) add_history(lines[i].c_str());
  if (!lines.empty()) last_remembered_ = lines.back();
  // Twice the limit, so that the file is not rewritten at every start.
  if (first <= kMaxHistoryLines) return;
  std::ofstream file(history_path_, std::ios::trunc);
  for (size_t i = first; i < lines.size(); ++i) file << lines[i] << '\n';
}

std::optional<std::string> LineEditor::read(const std::string& prompt) {
  // Before the prompt shows, or the terminal itself would echo what is typed in between.
  rl_prep_terminal(1);
  char* line = readline(prompt.c_str());
  if (line == nullptr) return std::nullopt;
  std::string out = line;
  std::free(line);
  return out;
}

void LineEditor::remember(const std::string& line) {
  if (line == last_remembered_) return;
  last_remembered_ = line;
  add_history(line.c_str());
  if (history_path_.empty()) return;
  int fd = open(history_path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return;
  std::string text = line + "\n";
  (void)!write(fd, text.data(), text.size());
  close(fd);
}

}  // namespace tandem::cli
