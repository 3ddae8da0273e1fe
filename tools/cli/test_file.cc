#include "tools/cli/test_file.h"

#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "functions/script_engine.h"
#include "server/base/clock.h"
#include "tools/cli/library_loading.h"
#include "tools/cli/lua_values.h"
#include "tools/cli/test_prelude.h"

namespace tandem::cli {

namespace {

constexpr std::string_view kTestSuffix = "_test.lua";
constexpr int kHookInstructions = 100'000;
constexpr double kMaxSeconds = 1e10;  // that the clock can be moved by

std::string_view directory_of(std::string_view path) { return path.substr(0, path.rfind('/') + 1); }

std::string format_seconds(double seconds) {
  char text[32];
  std::snprintf(text, sizeof(text), "%g s", seconds);
  return text;
}

// Takes "name:LINE: " from the front of the text; the line, or 0 when it does not begin so.
int take_position(std::string_view name, std::string* text) {
  if (!text->starts_with(name) || text->size() <= name.size() || (*text)[name.size()] != ':') {
    return 0;
  }
  const char* digits = text->c_str() + name.size() + 1;
  char* end = nullptr;
  const long line = std::strtol(digits, &end, 10);
  if (end == digits || end[0] != ':' || end[1] != ' ') return 0;
  text->erase(0, static_cast<size_t>(end + 2 - text->c_str()));
  return static_cast<int>(line);
}

}  // namespace

// Upvalue 1 of each is the TestFile.
struct TestFile::Api {
  static TestFile& self(lua_State* lua) {
    return *static_cast<TestFile*>(lua_touserdata(lua, lua_upvalueindex(1)));
  }

  // test(name, function)
  static int test(lua_State* lua) {
    TestFile& file = self(lua);
    std::string name = luaL_checkstring(lua, 1);
    luaL_checktype(lua, 2, LUA_TFUNCTION);
    if (!file.reading_) luaL_error(lua, "test() cannot be called inside of a test");
    for (const Test& other : file.tests_) {
      if (other.name == name) luaL_error(lua, "there is a test of this name already");
    }
    lua_settop(lua, 2);
    file.tests_.push_back({std::move(name), luaL_ref(lua, LUA_REGISTRYINDEX)});
    return 0;
  }

  // load_library(path): for all tests of the file, or in a test for its own server.
  static int load_library(lua_State* lua) {
    TestFile& file = self(lua);
    const std::string path = file.beside(luaL_checkstring(lua, 1));
    if (file.reading_) {
      file.libraries_.push_back(path);
      return 0;
    }
    std::string name;
    const Status loaded = file.load_into_server(path, &name);
    if (!loaded.ok()) return raise(lua, loaded.error().message);
    lua_pushlstring(lua, name.data(), name.size());
    return 1;
  }

  // call(command, ...)
  static int call(lua_State* lua) {
    std::vector<std::string> words;
    for (int i = 1; i <= lua_gettop(lua); ++i) words.push_back(request_word(lua, i));
    if (words.empty()) luaL_error(lua, "call() needs a command");
    return run(lua, words);
  }

  static int fcall(lua_State* lua) { return call_function(lua, "FCALL"); }
  static int fcall_ro(lua_State* lua) { return call_function(lua, "FCALL_RO"); }

  // (name, keys, args), the last two lists or left out
  static int call_function(lua_State* lua, const char* command) {
    lua_settop(lua, 3);
    std::vector<std::string> words = {command, luaL_checkstring(lua, 1), ""};
    append_list(lua, 2, &words);
    words[2] = std::to_string(words.size() - 3);
    append_list(lua, 3, &words);
    return run(lua, words);
  }

  static void append_list(lua_State* lua, int index, std::vector<std::string>* words) {
    if (lua_isnil(lua, index)) return;
    luaL_checktype(lua, index, LUA_TTABLE);
    const int length = static_cast<int>(lua_objlen(lua, index));
    for (int i = 1; i <= length; ++i) {
      lua_rawgeti(lua, index, i);
      words->push_back(request_word(lua, -1));
      lua_pop(lua, 1);
    }
  }

  static int run(lua_State* lua, const std::vector<std::string>& words) {
    TestFile& file = self(lua);
    const ReplyValue reply = file.server(lua).run({words.begin(), words.end()});
    if (!reply.is_error()) {
      push_reply(lua, reply);
      return 1;
    }
    std::string text = reply.text;
    if (file.timed_out()) text += " (" + file.timeout_text() + ")";
    return raise(lua, text);
  }

  static int raise(lua_State* lua, const std::string& text) {
    lua_pushlstring(lua, text.data(), text.size());
    return lua_error(lua);
  }

  static int clock_now(lua_State* lua) {
    lua_pushnumber(lua, static_cast<lua_Number>(self(lua).server(lua).now_us()) / 1e6);
    return 1;
  }
  static int clock_advance(lua_State* lua) {
    self(lua).server(lua).advance_us(microseconds(lua));
    return 0;
  }
  static int clock_set(lua_State* lua) {
    InProcessServer& server = self(lua).server(lua);
    server.advance_us(microseconds(lua) - server.now_us());
    return 0;
  }
  static int64_t microseconds(lua_State* lua) {
    const double seconds = luaL_checknumber(lua, 1);
    if (!(std::abs(seconds) <= kMaxSeconds)) luaL_error(lua, "that is no time: %f", seconds);
    return std::llround(seconds * 1e6);
  }

  static void hook(lua_State* lua, lua_Debug*) {
    lua_getfield(lua, LUA_REGISTRYINDEX, "tandem.test_file");
    const auto* file = static_cast<const TestFile*>(lua_touserdata(lua, -1));
    lua_pop(lua, 1);
    if (file->timed_out()) luaL_error(lua, "%s", file->timeout_text().c_str());
  }

  // The error handler of tests: finds the line of the file that the error came from.
  static int locate(lua_State* lua) {
    TestFile& file = self(lua);
    lua_Debug where;
    for (int level = 1; lua_getstack(lua, level, &where) != 0; ++level) {
      lua_getinfo(lua, "Sl", &where);
      if (file.chunk_name_ != where.source || where.currentline < 0) continue;
      file.failure_line_ = where.currentline;
      break;
    }
    return 1;
  }
};

TestFile::TestFile(std::string path, const TestSettings& settings)
    : path_(std::move(path)),
      settings_(settings),
      chunk_name_("@" + path_.substr(directory_of(path_).size())),
      lua_(luaL_newstate(), &lua_close) {
  lua_State* lua = lua_.get();
  luaL_openlibs(lua);
  lua_pushlightuserdata(lua, this);
  lua_setfield(lua, LUA_REGISTRYINDEX, "tandem.test_file");
  const auto set = [&](const char* name, lua_CFunction function) {
    lua_pushlightuserdata(lua, this);
    lua_pushcclosure(lua, function, 1);
    lua_setfield(lua, -2, name);
  };
  lua_pushvalue(lua, LUA_GLOBALSINDEX);
  set("test", Api::test);
  set("load_library", Api::load_library);
  set("call", Api::call);
  set("fcall", Api::fcall);
  set("fcall_ro", Api::fcall_ro);
  lua_newtable(lua);
  set("now", Api::clock_now);
  set("set", Api::clock_set);
  set("advance", Api::clock_advance);
  lua_setfield(lua, -2, "clock");
  // Modules beside the file can be required.
  lua_getfield(lua, -1, "package");
  lua_getfield(lua, -1, "path");
  const std::string search = beside("?.lua") + ";" + lua_tostring(lua, -1);
  lua_pushlstring(lua, search.data(), search.size());
  lua_setfield(lua, -3, "path");
  lua_settop(lua, 0);
  lua_sethook(lua, Api::hook, LUA_MASKCOUNT, kHookInstructions);
}

TestFile::~TestFile() = default;

void TestFile::run(const std::function<void(const TestResult&)>& done) {
  TestResult file{path_, "(file)"};
  if (!load_file(&file)) return done(file);
  for (const Test& test : tests_) {
    if (test.name.find(settings_.filter) == std::string::npos) continue;
    TestResult result{path_, test.name};
    run_test(test, &result);
    done(result);
  }
}

bool TestFile::load_file(TestResult* result) {
  const auto fail = [&](std::string text) {
    result->passed = false;
    result->failure = std::move(text);
    return false;
  };
  const Result<std::string> text = read_library_file(path_);
  if (!text.ok()) return fail(text.error().message);
  lua_State* lua = lua_.get();
  start_timer();
  luaL_loadbuffer(lua, kTestPrelude, std::strlen(kTestPrelude), "=(expect)");
  lua_call(lua, 0, 1);
  finish_ = luaL_ref(lua, LUA_REGISTRYINDEX);
  if (luaL_loadbuffer(lua, text.value().data(), text.value().size(), chunk_name_.c_str()) != 0) {
    take_failure(result);
    return false;
  }
  reading_ = true;
  const bool ran = run_protected(result);
  reading_ = false;
  if (!ran) return false;
  if (tests_.empty()) return fail("it has no tests: test(name, function)");
  if (libraries_.empty() && path_.ends_with(kTestSuffix)) {
    const std::string library = path_.substr(0, path_.size() - kTestSuffix.size()) + ".lua";
    if (access(library.c_str(), F_OK) == 0) libraries_.push_back(library);
  }
  // Libraries that do not load would fail each test: once is enough.
  const Status opened = open_server();
  return opened.ok() || fail(opened.error().message);
}

Status TestFile::open_server() {
  server_ = std::make_unique<InProcessServer>();
  Server& server = server_->server();
  Settings& settings = server.executor().config().mutable_settings();
  settings.busy_reply_threshold = std::llround(settings_.timeout_seconds * 1000);
  server.executor().serve_while_busy = [this] { stop_when_late(); };
  if (settings_.coverage != nullptr) server.functions().observe_lines(settings_.coverage);
  for (const std::string& path : libraries_) {
    std::string name;
    if (Status loaded = load_into_server(path, &name); !loaded.ok()) return loaded;
  }
  return {};
}

Status TestFile::load_into_server(const std::string& path, std::string* name) {
  const Result<std::string> source = read_library_file(path);
  if (!source.ok()) return make_error(ErrorKind::kIo, source.error().message);
  if (settings_.coverage != nullptr) settings_.coverage->add_library(path, source.value());
  Diagnostic fault;
  if (load_library(server_->server(), path, source.value(), name, &fault)) return {};
  return make_error(ErrorKind::kInvalid, fault.to_string("error"));
}

// Called while a function or script runs too long. FUNCTION KILL spares one that has written, to
// keep the data whole; here the data is gone with the test.
void TestFile::stop_when_late() {
  if (!timed_out()) return;
  Server& server = server_->server();
  for (ScriptRun* run :
       {server.functions().current_run(), server.services().scripts->host().run()}) {
    if (run != nullptr) run->kill = true;
  }
}

void TestFile::start_timer() {
  deadline_us_ =
      system_clock().monotonic_us() + static_cast<int64_t>(settings_.timeout_seconds * 1e6);
}

bool TestFile::timed_out() const { return system_clock().monotonic_us() >= deadline_us_; }

std::string TestFile::timeout_text() const {
  return "the test ran longer than " + format_seconds(settings_.timeout_seconds);
}

InProcessServer& TestFile::server(lua_State* lua) {
  if (reading_) luaL_error(lua, "there is no server outside of a test");
  return *server_;
}

void TestFile::run_test(const Test& test, TestResult* result) {
  lua_State* lua = lua_.get();
  const int64_t started_us = system_clock().monotonic_us();
  if (Status opened = open_server(); !opened.ok()) {
    result->passed = false;
    result->failure = opened.error().message;
    return;
  }
  start_timer();
  lua_rawgeti(lua, LUA_REGISTRYINDEX, test.body);
  const bool passed = run_protected(result);
  // After a test that has failed it only forgets what that one had begun.
  TestResult unused;
  lua_rawgeti(lua, LUA_REGISTRYINDEX, finish_);
  run_protected(passed ? result : &unused);
  result->seconds = static_cast<double>(system_clock().monotonic_us() - started_us) / 1e6;
}

bool TestFile::run_protected(TestResult* result) {
  lua_State* lua = lua_.get();
  failure_line_ = 0;
  lua_pushlightuserdata(lua, this);
  lua_pushcclosure(lua, Api::locate, 1);
  lua_insert(lua, 1);
  if (lua_pcall(lua, 0, 0, 1) != 0) take_failure(result);
  lua_settop(lua, 0);
  return result->passed;
}

// The error's value is on top of the stack.
void TestFile::take_failure(TestResult* result) {
  lua_State* lua = lua_.get();
  if (lua_istable(lua, -1)) lua_getfield(lua, -1, "err");
  const char* text = lua_tostring(lua, -1);
  result->passed = false;
  result->failure = text != nullptr ? text : "an error that is no text was raised";
  result->line = failure_line_;
  const int line = take_position(std::string_view(chunk_name_).substr(1), &result->failure);
  if (line != 0) result->line = line;
}

std::string TestFile::beside(std::string_view name) const {
  if (name.starts_with('/')) return std::string(name);
  return std::string(directory_of(path_)).append(name);
}

}  // namespace tandem::cli
