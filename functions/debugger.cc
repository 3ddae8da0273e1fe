#include "functions/debugger.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "functions/debug_text.h"
#include "functions/lua_host.h"
#include "server/base/clock.h"
#include "server/exec/executor.h"

namespace tandem {

namespace {

constexpr RequestLimits kRequestLimits = {.max_args = 1024, .max_bulk_bytes = 64 * 1024};
constexpr size_t kMaxInput = size_t{1} << 20;
// What a script shows between two stops (a server.debug() in a long loop) must not fill the memory.
constexpr size_t kMaxLogBytes = size_t{16} << 20;
// Of one value, when the client wants them whole.
constexpr size_t kLongestValue = size_t{1} << 20;
// Words of a command that are shown.
constexpr size_t kShownArguments = 10;
constexpr int64_t kDefaultTimeoutMs = 5000;

}  // namespace

DebugSource::DebugSource(std::string_view text) {
  text = text.substr(0, text.find_last_not_of("\r\n") + 1);
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    lines_.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

std::string DebugSource::show(int64_t line, int64_t current) const {
  const bool exists = line >= 1 && line <= line_count();
  char number[32];
  std::snprintf(number, sizeof number, "%-3lld ", static_cast<long long>(line));
  std::string out = line == current ? "->" : "  ";
  out += is_breakpoint(line) ? '#' : ' ';
  out += number;
  return out += exists ? lines_[static_cast<size_t>(line - 1)] : "<out of range source code line>";
}

bool DebugSource::is_breakpoint(int64_t line) const {
  return std::find(breakpoints_.begin(), breakpoints_.end(), line) != breakpoints_.end();
}

bool DebugSource::add_breakpoint(int64_t line) {
  if (line < 1 || line > line_count() || is_breakpoint(line)) return false;
  breakpoints_.push_back(line);
  return true;
}

bool DebugSource::remove_breakpoint(int64_t line) { return std::erase(breakpoints_, line) > 0; }

ScriptDebugger::ScriptDebugger(DebugChannel& channel, Target target)
    : channel_(channel), target_(std::move(target)), source_(target_.source) {}

bool ScriptDebugger::is_own(const lua_Debug& where) const { return where.source == target_.chunk; }

void ScriptDebugger::on_line(LuaHost& host, lua_State* lua, lua_Debug* where) {
  const Stop stop{host, lua, where};
  lua_getinfo(lua, "Sl", where);
  // Code given to eval, and code that the script has compiled, have other lines.
  if (evaluating_ || !is_own(*where)) return;
  current_line_ = where->currentline;
  if (break_at_next_line_) {
    stop_at(stop, "server.breakpoint() called");
  } else if (source_.is_breakpoint(current_line_)) {
    stop_at(stop, "break point");
  } else if (stepping_) {
    stop_at(stop, "step over");
  }
}

void ScriptDebugger::on_time(LuaHost& host, lua_State* lua, lua_Debug* where) {
  lua_getinfo(lua, "Sl", where);
  if (target_.disposable && (client_gone_ || channel_.closed())) {
    host.stop(lua, where, "ERR the client that debugs has closed its connection");
  }
  Executor& executor = host.executor();
  const int64_t threshold_ms = executor.config().settings().busy_reply_threshold;
  const int64_t limit_us = (threshold_ms > 0 ? threshold_ms : kDefaultTimeoutMs) * 1000;
  const int64_t now_us = executor.clock().monotonic_us();
  if (resumed_us_ == 0) resumed_us_ = now_us;
  if (now_us - resumed_us_ < limit_us) return;
  if (client_gone_) {
    host.stop(lua, where, "ERR timeout during Lua debugging with client closing connection");
  }
  if (evaluating_) {
    host.stop(lua, where, "ERR timeout in the code given to the debugger's eval");
  }
  if (is_own(*where)) {
    current_line_ = where->currentline;
    stop_at({host, lua, where}, "timeout reached, infinite loop?");
  }
}

void ScriptDebugger::stop_at(const Stop& stop, std::string_view reason) {
  stepping_ = false;
  break_at_next_line_ = false;
  keep("* Stopped at " + std::to_string(current_line_) + ", stop reason = " + std::string(reason));
  keep(source_.show(current_line_, current_line_));
  flush();
  talk(stop);
  resumed_us_ = stop.host.executor().clock().monotonic_us();
}

// Does what the client says until the code is to go on.
void ScriptDebugger::talk(const Stop& stop) {
  std::vector<std::string> words;
  while (next_request(stop, &words)) {
    if (obey(stop, words) == Next::kResume) return;
    flush();
  }
  client_gone_ = true;
  source_.clear_breakpoints();
}

// False when the client is gone.
bool ScriptDebugger::next_request(const Stop& stop, std::vector<std::string>* words) {
  while (true) {
    switch (parser_.parse(input_, kRequestLimits)) {
      case RequestParser::Outcome::kRequest:
        words->assign(parser_.args().begin(), parser_.args().end());
        input_.erase(0, parser_.consumed());
        return true;
      case RequestParser::Outcome::kEmpty:
        input_.erase(0, parser_.consumed());
        break;
      case RequestParser::Outcome::kNeedMore:
        if (input_.size() > kMaxInput) {
          stop.host.stop(stop.lua, stop.where, "ERR max client buffer reached");
        }
        if (!channel_.receive(&input_)) return false;
        break;
      case RequestParser::Outcome::kError:
        stop.host.stop(stop.lua, stop.where, "ERR protocol error");
    }
  }
}

void ScriptDebugger::show_command(std::span<const std::string_view> args) {
  std::string line = "<redis>";
  for (size_t i = 0; i < std::min(args.size(), kShownArguments); ++i)
    line.append(" ").append(args[i]);
  if (args.size() > kShownArguments) {
    line += " ... (" + std::to_string(args.size() - kShownArguments - 1) + " more)";
  }
  log(line);
}

void ScriptDebugger::show_reply(std::string_view resp, int protocol) {
  ReplyReader::Limits limits;
  limits.max_bulk_bytes = limits.max_line_bytes = SIZE_MAX / 2;
  ReplyReader reader(limits);
  reader.feed(resp);
  const auto reply = reader.next();
  if (!reply.ok() || !reply.value()) return log("<error> a reply that cannot be shown");
  if (reply.value()->is_error()) show_error_reply(reply.value()->text);
  log_limited("<reply> " + describe_reply(*reply.value(), protocol));
}

void ScriptDebugger::show_error(std::string_view text) {
  constexpr std::string_view kPlainCode = "ERR ";
  if (!text.starts_with(kPlainCode)) return show_error_reply(text);
  log("<error> " + std::string(text.substr(kPlainCode.size())));
}

void ScriptDebugger::show_error_reply(std::string_view text) {
  log("<error> -" + std::string(text));
}

void ScriptDebugger::show_values(lua_State* lua) {
  std::string line = "<debug> line " + std::to_string(current_line_) + ": ";
  const int count = lua_gettop(lua);
  for (int i = 1; i <= count; ++i) {
    if (i > 1) line += ", ";
    line += describe_value(lua, i, kLongestValue);
  }
  log(line);
}

void ScriptDebugger::show_value(std::string prefix, lua_State* lua, int index) {
  const size_t limit = max_length_ != 0 ? max_length_ : kLongestValue;
  log_limited(std::move(prefix) + describe_value(lua, index, limit));
}

void ScriptDebugger::log_limited(std::string line) {
  const size_t limit = max_length_ != 0 ? max_length_ : kLongestValue;
  if (line.size() <= limit) return log(line);
  line.resize(limit);
  log(line + " ...");
  if (!std::exchange(length_hint_given_, true)) {
    log("<hint> The above reply was trimmed. Use 'maxlen 0' to disable trimming.");
  }
}

void ScriptDebugger::log(std::string_view line) {
  if (log_bytes_ > kMaxLogBytes) return;
  log_bytes_ += line.size() + sizeof(std::string);
  keep(log_bytes_ > kMaxLogBytes ? "<hint> There is more, which is not kept for so long." : line);
}

void ScriptDebugger::keep(std::string_view line) {
  std::string& added = log_.emplace_back(line);
  std::replace_if(
      added.begin(), added.end(), [](char c) { return c == '\r' || c == '\n'; }, ' ');
}

void ScriptDebugger::flush() {
  std::string out = "*" + std::to_string(log_.size()) + "\r\n";
  for (const std::string& line : log_) out.append("+").append(line).append("\r\n");
  log_.clear();
  log_bytes_ = 0;
  channel_.send(out);
}

void ScriptDebugger::finish() {
  keep("<endsession>");
  flush();
}

}  // namespace tandem
