#pragma once

#include <cstddef>
#include <cstdint>
#include <lua.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/resp/reply_reader.h"
#include "server/resp/request_parser.h"

namespace tandem {

class LuaHost;

// The client's end of a debug session, spoken with while nothing else runs: both functions wait.
class DebugChannel {
 public:
  virtual ~DebugChannel() = default;
  // Appends what the client sends next; false when it is gone.
  virtual bool receive(std::string* input) = 0;
  // A client that does not take the bytes in reasonable time is as good as gone: they are lost.
  virtual void send(std::string_view bytes) = 0;
  // Whether the client has hung up; does not wait.
  virtual bool closed() = 0;
};

// The lines of what is debugged, and the breakpoints among them. Lines count from 1.
class DebugSource {
 public:
  static constexpr size_t kMaxBreakpoints = 64;

  // Line ends at the end of `text`, which must outlive this, make no lines.
  explicit DebugSource(std::string_view text);

  int64_t line_count() const { return static_cast<int64_t>(lines_.size()); }
  // "-> 3   return 1": marked when it is the `current` line or has a breakpoint.
  std::string show(int64_t line, int64_t current) const;

  std::span<const int64_t> breakpoints() const { return breakpoints_; }
  bool is_breakpoint(int64_t line) const;
  // False when the line does not exist or has one.
  bool add_breakpoint(int64_t line);
  bool remove_breakpoint(int64_t line);
  void clear_breakpoints() { breakpoints_.clear(); }

 private:
  std::vector<std::string_view> lines_;
  std::vector<int64_t> breakpoints_;
};

// One session of the Lua debugger: stops the script or function it is given to (ScriptRun) at its
// first line, and then does what the client says, in the protocol of `redis-cli --ldb`. A request
// is an array of words, its answer an array of statuses; the line "<endsession>" ends the last one.
//
// Once the client is gone the code runs on without stopping, to its end or for another
// busy-reply-threshold.
class ScriptDebugger {
 public:
  // `source` is what the client sees as the code, with line numbers that are those of `chunk`, the
  // name Lua knows it by ("@user_script"). `top_level` is what a backtrace calls the outermost
  // Lua function. `disposable`: nobody will miss what the code does once the client is gone, so it
  // may end then.
  struct Target {
    std::string_view source;
    std::string_view chunk;
    std::string top_level;
    bool disposable = false;
  };
  ScriptDebugger(DebugChannel& channel, Target target);

  // Before a line of the code that runs in `host`, and now and then in between. May end the run.
  void on_line(LuaHost& host, lua_State* lua, lua_Debug* where);
  void on_time(LuaHost& host, lua_State* lua, lua_Debug* where);

  // Whether commands and errors are shown: the client goes through the code step by step.
  bool shows_commands() const { return stepping_; }
  void show_command(std::span<const std::string_view> args);
  // The reply as RESP bytes of this protocol.
  void show_reply(std::string_view resp, int protocol);
  // An error that the script is told; begins with its code.
  void show_error(std::string_view text);
  // The same of one that is a reply, a command's or the script's own.
  void show_error_reply(std::string_view text);

  // server.breakpoint(): the next line stops.
  void break_at_next_line() { break_at_next_line_ = true; }
  // server.debug(): shows the values from stack index 1 to the top.
  void show_values(lua_State* lua);

  // The run is over: sends what has not been sent and the mark of the end.
  void finish();

 private:
  // Where the code has stopped.
  struct Stop {
    LuaHost& host;
    lua_State* lua;
    lua_Debug* where;
  };
  using Words = std::span<const std::string>;
  enum class Next : uint8_t { kStay, kResume };
  struct CommandEntry;
  static std::span<const CommandEntry> commands();

  void stop_at(const Stop& stop, std::string_view reason);
  void talk(const Stop& stop);
  bool next_request(const Stop& stop, std::vector<std::string>* words);
  Next obey(const Stop& stop, Words words);

  Next help(const Stop& stop, Words words);
  Next step(const Stop& stop, Words words);
  Next go_on(const Stop& stop, Words words);
  Next list(const Stop& stop, Words words);
  Next whole(const Stop& stop, Words words);
  Next print(const Stop& stop, Words words);
  Next set_breakpoints(const Stop& stop, Words words);
  Next trace(const Stop& stop, Words words);
  Next evaluate(const Stop& stop, Words words);
  Next run_command(const Stop& stop, Words words);
  Next set_max_length(const Stop& stop, Words words);
  Next abort(const Stop& stop, Words words);

  void print_locals(lua_State* lua);
  bool print_variable(const Stop& stop, const std::string& name);
  void change_breakpoint(const std::string& word);
  void show_lines(int64_t first, int64_t last);
  void show_value(std::string prefix, lua_State* lua, int index);
  bool is_own(const lua_Debug& where) const;

  // A line for the client. Nothing that is logged without a stop goes on for ever; what must come
  // through is kept all the same.
  void log(std::string_view line);
  void keep(std::string_view line);
  void log_limited(std::string line);
  void flush();

  DebugChannel& channel_;
  const Target target_;
  DebugSource source_;
  RequestParser parser_;
  std::string input_;
  std::vector<std::string> log_;
  size_t log_bytes_ = 0;
  size_t max_length_ = 256;  // of a value or a reply as shown; 0: no limit
  bool length_hint_given_ = false;
  int64_t current_line_ = 0;
  int64_t resumed_us_ = 0;  // monotonic; 0: not yet
  bool stepping_ = true;
  bool break_at_next_line_ = false;
  bool evaluating_ = false;
  bool client_gone_ = false;
};

}  // namespace tandem
