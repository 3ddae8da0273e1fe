#include "tools/cli/repl.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <optional>

#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "tools/cli/command_catalog.h"
#include "tools/cli/line_editor.h"

namespace tandem::cli {
namespace {

using Clock = std::chrono::steady_clock;
using Words = std::vector<std::string>;

constexpr double kSlowSeconds = 0.5;
constexpr const char* kHistoryVariables[] = {"TANDEMCLI_HISTFILE", "VALKEYCLI_HISTFILE",
                                             "REDISCLI_HISTFILE"};

constexpr const char* kHelp =
    "To get help about commands type:\n"
    "      \"help @<group>\" to get a list of commands in <group>\n"
    "      \"help <command>\" for help on <command>\n"
    "      \"help <tab>\" to get a list of possible help topics\n"
    "      \"quit\" to exit\n";

// Where history is kept; empty for nowhere.
std::string history_path() {
  for (const char* variable : kHistoryVariables) {
    const char* path = std::getenv(variable);
    if (path != nullptr && *path != '\0') {
      return path == std::string_view("/dev/null") ? "" : path;
    }
  }
  const char* home = std::getenv("HOME");
  return home == nullptr || *home == '\0' ? "" : std::string(home) + "/.tandemcli_history";
}

bool is(const Words& words, size_t at, std::string_view word) {
  return at < words.size() && equals_ignore_case(words[at], word);
}

// Whether the command carries a password, which must not end up in a file.
bool is_secret(const Words& words) {
  if (is(words, 0, "auth")) return true;
  if (is(words, 0, "acl")) return is(words, 1, "setuser");
  if (is(words, 0, "config") && is(words, 1, "set")) {
    for (size_t i = 2; i < words.size(); ++i) {
      if (is(words, i, "requirepass") || is(words, i, "masterauth") ||
          is(words, i, "primaryauth") || is(words, i, "masteruser") ||
          is(words, i, "primaryuser") || is(words, i, "tls-key-file-pass")) {
        return true;
      }
    }
  }
  if (is(words, 0, "hello") || is(words, 0, "migrate")) {
    for (size_t i = 1; i < words.size(); ++i) {
      if (is(words, i, "auth") || is(words, i, "auth2")) return true;
    }
  }
  return is(words, 0, "sentinel") &&
         (is(words, 3, "auth-pass") || is(words, 3, "auth-user") || is(words, 2, "sentinel-pass"));
}

class Repl {
 public:
  explicit Repl(Session& session) : session_(session) {}

  int run();

 private:
  // Nothing when the program shall go on.
  std::optional<int> handle(const std::string& line);
  std::optional<int> dispatch(Words words);
  std::optional<int> execute(const Words& words, int64_t repeat);
  std::optional<std::string> next_line();
  void print_help(const Words& topic);
  const CommandCatalog& catalog();

  Session& session_;
  std::optional<LineEditor> editor_;
  std::optional<CommandCatalog> catalog_;
};

int Repl::run() {
  if (isatty(STDIN_FILENO)) {
    editor_.emplace(history_path(),
                    [this](std::string_view line) { return catalog().complete(line); });
  }
  session_.connect();
  while (std::optional<std::string> line = next_line()) {
    std::optional<int> code = handle(*line);
    std::fflush(stdout);
    if (code) return *code;
  }
  return 0;
}

std::optional<std::string> Repl::next_line() {
  std::fflush(stdout);
  if (editor_) return editor_->read(session_.prompt());
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  return line;
}

std::optional<int> Repl::handle(const std::string& line) {
  if (line.empty()) return std::nullopt;
  Words words;
  bool balanced = split_words(line, &words);
  if (editor_ && !(balanced && is_secret(words))) editor_->remember(line);
  if (!balanced) {
    std::fputs("Invalid argument(s)\n", stdout);
    return std::nullopt;
  }
  if (words.empty()) return std::nullopt;
  return dispatch(std::move(words));
}

std::optional<int> Repl::dispatch(Words words) {
  if (is(words, 0, "quit") || is(words, 0, "exit")) return 0;
  if (is(words, 0, "help") || is(words, 0, "?")) {
    print_help(Words(words.begin() + 1, words.end()));
    return std::nullopt;
  }
  if (words.size() == 1 && is(words, 0, "clear")) {
    std::fputs("\x1b[H\x1b[2J", stdout);
    return std::nullopt;
  }
  if (words.size() == 3 && is(words, 0, "connect")) {
    std::optional<int64_t> port = parse_int64(words[2]);
    if (port && *port >= 0 && *port <= 65535) {
      session_.connect_to(words[1], static_cast<int>(*port));
    } else {
      std::fputs("Invalid server port.\n", stdout);
    }
    return std::nullopt;
  }
  char* number_end = nullptr;
  errno = 0;
  int64_t repeat = std::strtoll(words[0].c_str(), &number_end, 10);
  if (words.size() == 1 || number_end == words[0].c_str() || *number_end != '\0') {
    return execute(words, 1);
  }
  if (errno == ERANGE || repeat <= 0) {
    std::fputs("Invalid tandem-cli repeat command option value.\n", stdout);
    return std::nullopt;
  }
  words.erase(words.begin());
  return execute(words, repeat);
}

std::optional<int> Repl::execute(const Words& words, int64_t repeat) {
  Clock::time_point start = Clock::now();
  Session::Outcome outcome = session_.run(words, repeat, true);
  if (outcome == Session::Outcome::kFatal) return 1;
  double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  if (seconds >= kSlowSeconds && session_.options().style.mode == OutputMode::kTyped) {
    std::printf("(%.2fs)\n", seconds);
  }
  return std::nullopt;
}

const CommandCatalog& Repl::catalog() {
  if (!catalog_ || catalog_->commands().empty()) {
    std::unique_ptr<Connection> connection = session_.open_aside();
    catalog_ = connection ? CommandCatalog::load(*connection) : CommandCatalog();
  }
  return *catalog_;
}

void Repl::print_help(const Words& topic) {
  std::string text = topic.empty() ? version_text() + kHelp : catalog().help(topic);
  std::fwrite(text.data(), 1, text.size(), stdout);
}

}  // namespace

int run_repl(Session& session) { return Repl(session).run(); }

}  // namespace tandem::cli
