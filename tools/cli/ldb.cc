#include "tools/cli/ldb.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <optional>

#include "server/base/strings.h"
#include "tools/cli/line_editor.h"

namespace tandem::cli {
namespace {

using Words = std::vector<std::string>;

constexpr std::string_view kEndOfSession = "<endsession>";
constexpr const char* kPrompt = "lua debugger> ";
constexpr const char* kIntroduction =
    "Lua debugging session started, please use:\n"
    "quit    -- End the session.\n"
    "restart -- Restart the script in debug mode again.\n"
    "help    -- Show Lua script debugging commands.\n\n";

Result<std::string> read_script(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return make_error(ErrorKind::kIo, "Can't open file '" + path + "': " + std::strerror(errno));
  }
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

void print(const std::string& text) { std::fwrite(text.data(), 1, text.size(), stdout); }

// The terminal's code for a line of the debugger's output, by what it begins with.
const char* color_of(std::string_view line) {
  struct Color {
    std::string_view prefix;
    const char* code;
  };
  static constexpr Color kColors[] = {
      {"<debug>", "1;37"},  {"<redis>", "0;32"}, {"<reply>", "0;36"},
      {"<error>", "0;31"},  {"<hint>", "1;37"},  {"<value>", "0;35"},
      {"<retval>", "0;35"}, {"->", "0;33"},      {"  #", "1;37"},
  };
  for (const Color& color : kColors) {
    if (line.starts_with(color.prefix)) return color.code;
  }
  return "0;37";
}

class Debugger {
 public:
  explicit Debugger(Session& session)
      : session_(session), colors_(session.options().style.mode == OutputMode::kTyped) {
    style_.mode = OutputMode::kTyped;
  }

  int run();

 private:
  bool start();
  std::optional<std::string> next_line();
  void handle(const std::string& line);
  bool show_replies(Result<ReplyValue> reply);
  bool show_end();
  void show_line(std::string_view line) const;
  bool fail(const Error& error);

  Session& session_;
  const bool colors_;
  OutputStyle style_;
  std::unique_ptr<LineEditor> editor_;
  bool open_ = false;
};

int Debugger::run() {
  if (isatty(STDIN_FILENO) != 0) {
    editor_ = std::make_unique<LineEditor>(
        "", [](std::string_view) { return std::vector<std::string>(); });
  }
  if (!start()) return 1;
  while (std::optional<std::string> line = next_line()) {
    if (editor_ != nullptr) editor_->remember(*line);
    const std::string word = to_lower(line->substr(0, line->find(' ')));
    if (word == "quit" || word == "exit") break;
    if (word == "restart") {
      if (!start()) return 1;
    } else if (!line->empty()) {
      handle(*line);
    }
  }
  return 0;
}

// False when there is no session to be had; says why.
bool Debugger::start() {
  open_ = false;
  const Result<Words> request = program_request(session_.options());
  if (!request) return fail(request.error());
  if (!session_.connect()) return false;
  const bool sync = session_.options().program.debug == DebugChoice::kSync;
  Result<ReplyValue> enabled =
      session_.connection().call(Words{"SCRIPT", "DEBUG", sync ? "SYNC" : "YES"});
  if (!enabled) return fail(enabled.error());
  if (enabled.value().is_error()) {
    print(format_reply(enabled.value(), style_));
    return false;
  }
  print(kIntroduction);
  open_ = true;
  return show_replies(session_.connection().call(request.value()));
}

std::optional<std::string> Debugger::next_line() {
  std::fflush(stdout);
  if (editor_ != nullptr) return editor_->read(kPrompt);
  std::string line;
  if (!std::getline(std::cin, line)) return std::nullopt;
  return line;
}

void Debugger::handle(const std::string& line) {
  if (!open_) {
    print("There is no session: restart or quit.\n");
    return;
  }
  Words words;
  const size_t space = line.find(' ');
  const std::string first = line.substr(0, space);
  if (space != std::string::npos && (first == "e" || first == "eval")) {
    // Code has quotes of its own.
    words = {first, line.substr(space + 1)};
  } else if (!split_words(line, &words)) {
    print("Invalid argument(s)\n");
    return;
  }
  if (words.empty()) return;
  show_replies(session_.connection().call(words));
}

// Lines of the debugger, and what follows when the session ends. A reply that is no list of lines
// has ended it as well.
bool Debugger::show_replies(Result<ReplyValue> reply) {
  if (!reply) return fail(reply.error());
  const ReplyValue& lines = reply.value();
  if (lines.type != ReplyValue::Type::kArray) {
    print("The debugging session can't start:\n" + format_reply(lines, style_));
    open_ = false;
    return false;
  }
  for (const ReplyValue& line : lines.elements) {
    if (line.is_text(kEndOfSession)) return show_end();
    show_line(line.text);
  }
  print("\n");
  return true;
}

bool Debugger::show_end() {
  open_ = false;
  Result<ReplyValue> result = session_.connection().read_reply();
  if (!result) return fail(result.error());
  print("\n" + format_reply(result.value(), style_));
  const bool kept = session_.options().program.debug == DebugChoice::kSync;
  print(kept ? "\n(Lua debugging session ended)\n\n"
             : "\n(Lua debugging session ended -- dataset changes rolled back)\n\n");
  return true;
}

void Debugger::show_line(std::string_view line) const {
  if (!colors_) return print(std::string(line) + "\n");
  print("\033[" + std::string(color_of(line)) + ";49m" + std::string(line) + "\033[0m\n");
}

bool Debugger::fail(const Error& error) {
  open_ = false;
  std::fflush(stdout);
  std::fprintf(stderr, "%s\n", error.message.c_str());
  return false;
}

}  // namespace

Result<Words> program_request(const Options& options) {
  const Program& program = options.program;
  Words request;
  if (!program.function.empty()) {
    request = {"FCALL", program.function};
  } else {
    Result<std::string> script = read_script(program.script_path);
    if (!script) return script.error();
    request = {"EVAL", std::move(script).value()};
  }
  const auto comma = std::find(options.command.begin(), options.command.end(), ",");
  request.push_back(std::to_string(comma - options.command.begin()));
  request.insert(request.end(), options.command.begin(), comma);
  if (comma != options.command.end()) {
    request.insert(request.end(), comma + 1, options.command.end());
  }
  return request;
}

int run_debugger(Session& session) { return Debugger(session).run(); }

}  // namespace tandem::cli
