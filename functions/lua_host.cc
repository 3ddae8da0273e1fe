#include "functions/lua_host.h"

#include <algorithm>
#include <new>
#include <utility>

#include "functions/lua_result.h"
#include "functions/lua_sandbox.h"
#include "functions/map_order.h"
#include "server/base/clock.h"
#include "server/base/log.h"
#include "server/base/strings.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"

namespace tandem {

namespace {

// What a stopped script leaves where a coroutine's error would be.
const char kStoppedKey = 0;

// While little memory is in use, the collector lets it grow to so much, in percent of what it has
// left, before it looks at all of it again: a long pause then costs little and saves most of the
// looking at what stays, the code of many libraries.
constexpr int kRoomyPause = 600;

// Virtual machine instructions between two looks at the clock: well under a millisecond.
constexpr int kHookInstructions = 100'000;
// Bytes of a library's, or a script's, bytecode that are looked at: a few milliseconds' worth.
constexpr size_t kMostBytecode = 8 * 1024 * 1024;
// C functions that ask more often are not heard: who ran too long is found soon enough.
constexpr uint64_t kMicrosecondsBetweenChecks = 250;

// Fixed slots of the main stack, below everything else: the error handler; the table of globals and
// the names of those that a script is given; then the writer's field names.
constexpr int kHandlerSlot = 1;
constexpr int kGlobalsSlot = 2;
constexpr int kKeysSlot = 3;
constexpr int kArgvSlot = 4;

void push_texts(lua_State* lua, std::span<const std::string_view> texts) {
  lua_createtable(lua, static_cast<int>(texts.size()), 0);
  int index = 0;
  for (std::string_view text : texts) {
    lua_pushlstring(lua, text.data(), text.size());
    lua_rawseti(lua, -2, ++index);
  }
}

std::string_view text_field(lua_State* lua, int table, const char* name) {
  lua_pushstring(lua, name);
  lua_rawget(lua, table < 0 ? table - 1 : table);
  size_t length = 0;
  const char* bytes = lua_tolstring(lua, -1, &length);
  return bytes == nullptr ? std::string_view() : std::string_view(bytes, length);
}

// The failed command's error has been counted; passing it on as the function's own must not count
// it twice, and whoever encodes the reply will.
void forget_error(ExecutorStats& stats, std::string_view text) {
  const auto found = stats.errors.find(text.substr(0, text.find(' ')));
  if (found == stats.errors.end() || found->second == 0 || stats.total_error_replies == 0) return;
  --found->second;
  --stats.total_error_replies;
}

}  // namespace

LuaHost::LuaHost(Executor& executor, ScriptWorld world, std::shared_ptr<LuaWorld> shared)
    : executor_(executor),
      world_(world),
      shared_(std::move(shared)),
      scripts_memory_(LuaAllocator::make_owner()),
      script_client_(executor.make_internal_client(ClientKind::kInternal)) {
  lua_ = lua_newstate(&LuaAllocator::reallocate, &allocator_);
  if (lua_ == nullptr) throw std::bad_alloc();
  lua_pushlightuserdata(lua_, const_cast<char*>(&kStoppedKey));
  lua_pushliteral(lua_, "script stopped");
  lua_rawset(lua_, LUA_REGISTRYINDEX);
  open_map_orders(lua_);
  command_cache_.attach(lua_);
  open_sandbox(lua_, *this);
  lua_settop(lua_, 0);
  lua_pushcfunction(lua_, describe_error);
  push_call_globals(lua_);
  lua_pushliteral(lua_, "KEYS");
  lua_pushliteral(lua_, "ARGV");
  results_ = std::make_unique<LuaResultWriter>(lua_);
  base_top_ = lua_gettop(lua_);
  observe_lines(nullptr);
}

LuaHost::~LuaHost() {
  lua_close(lua_);
  LuaAllocator::release(scripts_memory_);
}

Status LuaHost::run_library(LibraryLoad& load, std::string_view code) {
  const auto fail = [](std::string message) {
    return make_error(ErrorKind::kInvalid, std::move(message));
  };
  const LuaAllocator::OwnerScope owner(allocator_, load.library->memory);
  // The code starts with a line break: precompiled code cannot get in here.
  if (luaL_loadbuffer(lua_, code.data(), code.size(), kFunctionChunk) != 0) {
    std::string reason = lua_tostring(lua_, -1);
    lua_settop(lua_, base_top_);
    return fail("Error compiling function: " + reason);
  }
  load_ = &load;
  fault_line_ = 0;
  if (load.limit_us > 0) load.deadline_us = executor_.clock().monotonic_us() + load.limit_us;
  show_globals(lua_, GlobalsView::kLoad);
  const int status = call_within_limit(0, 0);
  show_globals(lua_, GlobalsView::kCall);
  load_ = nullptr;
  if (status == 0) {
    // Many callbacks may be closures of one large function.
    size_t most = kMostBytecode;
    for (const auto& function : load.library->functions) {
      if (most == 0) break;
      lua_rawgeti(lua_, LUA_REGISTRYINDEX, function->callback);
      most -= look_up_globals_directly(lua_, most);
      lua_pop(lua_, 1);
    }
    lua_settop(lua_, base_top_);
    libraries_.push_back(load.library);
    load.library->lua_bytes = load.library->memory->bytes();
    library_bytes_ += load.library->lua_bytes;
    unweighed_bytes_ += load.library->lua_bytes;
    return {};
  }
  std::string reason = std::exchange(stop_message_, {});
  if (reason.empty() && lua_istable(lua_, -1)) {
    reason = text_field(lua_, -1, "err");
    lua_getfield(lua_, -2, "line");
    fault_line_ = static_cast<int>(lua_tointeger(lua_, -1));
  }
  lua_settop(lua_, base_top_);
  if (reason.empty()) reason = "ERR unknown error";
  return fail("Error registering functions: " + reason);
}

Result<int> LuaHost::compile_script(std::string_view code) {
  // Precompiled code begins with a byte that no source does.
  const bool bytecode = !code.empty() && code[0] == LUA_SIGNATURE[0];
  if (bytecode || luaL_loadbuffer(lua_, code.data(), code.size(), kScriptChunk) != 0) {
    std::string reason =
        bytecode ? "precompiled code is not accepted" : std::string(lua_tostring(lua_, -1));
    lua_settop(lua_, base_top_);
    return make_error(ErrorKind::kInvalid,
                      "Error compiling script (new function): " + std::move(reason));
  }
  look_up_globals_directly(lua_, kMostBytecode);
  return luaL_ref(lua_, LUA_REGISTRYINDEX);
}

size_t LuaHost::memory_limit() const {
  const auto limit = static_cast<size_t>(executor_.config().settings().function_memory_limit);
  return limit == 0 ? SIZE_MAX : limit;
}

// lua_pcall, which ends in an error when what the code keeps and what it has just made come to more
// than function-memory-limit.
int LuaHost::call_within_limit(int arguments, int results) {
  LuaMemoryOwner& owner = allocator_.current_owner();
  const size_t limit = memory_limit();
  if (paced_ || allocator_.bytes_in_use() > limit / 4 || roomy_ != has_spare_room(limit)) {
    pace_collector(limit);
  }
  owner.set_limit(limit);
  const int status = lua_pcall(lua_, arguments, results, kHandlerSlot);
  owner.set_limit(SIZE_MAX);
  if (status == LUA_ERRMEM) {
    lua_pop(lua_, 1);
    // What the code has piled up is garbage now.
    collect(owner);
    push_error(lua_, "ERR not enough memory: function-memory-limit is exceeded");
  }
  return status;
}

void LuaHost::collect(LuaMemoryOwner& owner) {
  lua_gc(lua_, LUA_GCCOLLECT, 0);
  owner.bytes_kept = owner.bytes();
  owner.limit_then = memory_limit();
}

// Whether the owner keeps little enough to run. Only a full collection can tell what is kept from
// what is garbage: there is one for each sixteenth of the limit that has been made, at most.
bool LuaHost::has_room(LuaMemoryOwner& owner) {
  const size_t limit = memory_limit();
  const size_t most = limit - limit / 8;
  if (owner.bytes() <= most) {
    owner.limit_then = limit;
    return true;
  }
  if (limit != owner.limit_then || owner.bytes() > owner.bytes_kept + limit / 16) collect(owner);
  return owner.bytes_kept <= most;
}

// Whether so little is in use that several times as much garbage neither costs much nor comes near
// the limit.
bool LuaHost::has_spare_room(size_t limit) const {
  return allocator_.bytes_in_use() <
         std::min(shared_->roomy_bytes, limit / 4 / (kRoomyPause / 100));
}

// Where much is kept, the collector would let as much garbage pile up before it begins, and pass
// the limit: it begins earlier and works faster. Where little is, it begins later.
void LuaHost::pace_collector(size_t limit) {
  constexpr int kDefaultPercent = 200;
  const auto load = static_cast<double>(allocator_.bytes_in_use()) / static_cast<double>(limit);
  paced_ = load > 0.25;
  roomy_ = has_spare_room(limit);
  int pause = roomy_ ? kRoomyPause : kDefaultPercent;
  if (paced_) pause = std::max(105, 100 + static_cast<int>(25 / load));
  const int step =
      paced_ ? std::min(20'000, kDefaultPercent + static_cast<int>(1600 * load)) : kDefaultPercent;
  lua_gc(lua_, LUA_GCSETPAUSE, pause);
  lua_gc(lua_, LUA_GCSETSTEPMUL, step);
}

void LuaHost::reply_without_room(const Function& function, Reply& reply) {
  const std::string who =
      function.library == nullptr ? "The script world" : "Library '" + function.library->name + "'";
  reply.error("ERR not enough memory: " + who +
              " keeps so much that function-memory-limit leaves it no room to run. Replace or "
              "delete it, or raise the limit.");
}

// Pushes what is to be called and its arguments; returns their number. A function is given its keys
// and arguments, a script finds them among the globals.
int LuaHost::push_call(const ScriptRun& run, std::span<const std::string_view> keys,
                       std::span<const std::string_view> args) {
  if (world_ == ScriptWorld::kScripts) {
    lua_pushvalue(lua_, kKeysSlot);
    push_texts(lua_, keys);
    lua_rawset(lua_, kGlobalsSlot);
    lua_pushvalue(lua_, kArgvSlot);
    push_texts(lua_, args);
    lua_rawset(lua_, kGlobalsSlot);
    lua_rawgeti(lua_, LUA_REGISTRYINDEX, run.function->callback);
    return 0;
  }
  lua_rawgeti(lua_, LUA_REGISTRYINDEX, run.function->callback);
  push_texts(lua_, keys);
  push_texts(lua_, args);
  return 2;
}

void LuaHost::run_function(ScriptRun& run, std::span<const std::string_view> keys,
                           std::span<const std::string_view> args, Reply& reply) {
  struct Finish {
    LuaHost& host;
    const bool debugged;
    ~Finish() {
      if (host.run_->busy) host.executor_.state().busy.clear();
      host.run_ = nullptr;
      host.executor_.effects().set_targets(kEffectToAll);
      host.stop_message_.clear();
      if (debugged) host.observe_lines(host.line_observer_);
      lua_settop(host.lua_, host.base_top_);
    }
  } finish{*this, run.debugger != nullptr};
  run_ = &run;
  run.keys = keys;
  run.args = args;
  if (finish.debugged) {
    lua_sethook(lua_, &LuaHost::hook, LUA_MASKLINE | LUA_MASKCOUNT, kHookInstructions);
  }
  protocol_ = 2;
  LuaMemoryOwner* const memory =
      run.function->library != nullptr ? run.function->library->memory : scripts_memory_;
  if (!has_room(*memory)) return reply_without_room(*run.function, reply);
  const LuaAllocator::OwnerScope owner(allocator_, memory);
  script_client_->db = run.call->client.db;
  const int passed = push_call(run, keys, args);
  if (call_within_limit(passed, 1) == 0) {
    results_->write(reply, protocol_, memory_limit(), &run.error);
  } else {
    reply_with_error(run, reply);
  }
}

void LuaHost::push_call_texts(lua_State* lua, CallTexts which) {
  const bool keys = which == CallTexts::kKeys;
  if (world_ == ScriptWorld::kScripts) {
    lua_getglobal(lua, keys ? "KEYS" : "ARGV");
  } else {
    push_texts(lua, keys ? run_->keys : run_->args);
  }
}

void LuaHost::release(int callback) { luaL_unref(lua_, LUA_REGISTRYINDEX, callback); }

void LuaHost::release(const FunctionLibrary& library) {
  constexpr size_t kLittle = 1 << 20;
  std::erase(libraries_, &library);
  library_bytes_ -= library.lua_bytes;
  released_bytes_ += library.memory->bytes();
  LuaAllocator::release(library.memory);
  // Without a library, this goes as well.
  if (libraries_.empty()) return;
  for (const auto& function : library.functions) release(function->callback);
  if (released_bytes_ < std::max(kLittle, allocator_.bytes_in_use() / 4)) return;
  released_bytes_ = 0;
  lua_gc(lua_, LUA_GCCOLLECT, 0);
}

bool LuaHost::libraries_keep_less_than(size_t bytes) {
  if (library_bytes_ >= bytes && unweighed_bytes_ > bytes / 4) weigh_libraries();
  return library_bytes_ < bytes;
}

void LuaHost::weigh_libraries() {
  lua_gc(lua_, LUA_GCCOLLECT, 0);
  library_bytes_ = unweighed_bytes_ = released_bytes_ = 0;
  for (FunctionLibrary* library : libraries_) {
    library_bytes_ += library->lua_bytes = library->memory->bytes();
  }
}

// The error that ended the function is on top of the stack.
void LuaHost::reply_with_error(ScriptRun& run, Reply& reply) {
  const Function& function = *run.function;
  std::string text;
  std::string position;
  bool counted = false;
  if (stopped()) {
    text = stop_message_;
    position = stop_position_;
  } else if (lua_istable(lua_, -1)) {
    const int error = lua_gettop(lua_);
    text = text_field(lua_, error, "err");
    const std::string_view source = text_field(lua_, error, "source");
    const std::string_view line = text_field(lua_, error, "line");
    if (!source.empty() && !line.empty()) {
      position.append(source).append(":").append(line);
    }
    lua_pushliteral(lua_, "ignore_error_stats_update");
    lua_rawget(lua_, error);
    counted = lua_toboolean(lua_, -1) != 0;
    if (text.empty()) text = "ERR unknown error";
  } else {
    const char* reason = lua_tostring(lua_, -1);
    text = "ERR Error running script " + function.name + ", " +
           (reason != nullptr ? reason : "execution failure");
  }
  if (!position.empty()) text += " script: " + function.name + ", on " + position + ".";
  if (counted) forget_error(executor_.stats(), text);
  reply.error(text);
  run.error = std::move(text);
}

void LuaHost::observe_lines(LineObserver* observer) {
  line_observer_ = observer;
  const int events = LUA_MASKCOUNT | (observer != nullptr ? LUA_MASKLINE : 0);
  lua_sethook(lua_, &LuaHost::hook, events, kHookInstructions);
}

void LuaHost::hook(lua_State* lua, lua_Debug* where) {
  LuaHost& host = of(lua);
  if (where->event == LUA_HOOKCOUNT) return host.on_hook(lua, where);
  if (ScriptDebugger* const session = host.debugger()) return session->on_line(host, lua, where);
  // A coroutine keeps the hook that was set when it was made.
  if (host.line_observer_ != nullptr) host.line_observer_->on_line(host, lua, where);
}

void LuaHost::on_hook(lua_State* lua, lua_Debug* where) {
  if (stopped()) stop(lua, where, stop_message_);
  if (roomy_ && !has_spare_room(memory_limit())) pace_collector(memory_limit());
  if (ScriptDebugger* const session = debugger()) return session->on_time(*this, lua, where);
  if (load_ != nullptr) {
    if (load_->deadline_us != 0 && executor_.clock().monotonic_us() > load_->deadline_us) {
      stop(lua, where, "ERR FUNCTION LOAD timeout");
    }
    return;
  }
  const int64_t threshold_ms = executor_.config().settings().busy_reply_threshold;
  if (run_ == nullptr || threshold_ms <= 0) return;
  const int64_t now_us = executor_.clock().monotonic_us();
  if (run_->started_us == 0) {
    const uint64_t ticks = tick_count() - run_->started_ticks;
    run_->started_us = now_us - static_cast<int64_t>(ticks / ticks_per_us());
  }
  if (now_us - run_->started_us >= threshold_ms * 1000) serve_others(lua, where);
}

void LuaHost::check_time(lua_State* lua) {
  const uint64_t ticks = tick_count();
  if (!stopped() && ticks - checked_ticks_ < kMicrosecondsBetweenChecks * ticks_per_us()) return;
  checked_ticks_ = ticks;
  lua_Debug where;
  // Level 0 is the C function that asks; who called it may be one as well (pcall).
  for (int level = 0; lua_getstack(lua, level, &where) != 0; ++level) {
    lua_getinfo(lua, "Sl", &where);
    if (where.currentline >= 0) break;
  }
  on_hook(lua, &where);
}

void LuaHost::serve_others(lua_State* lua, lua_Debug* where) {
  if (!run_->busy) {
    run_->busy = true;
    run_->shown_command.assign(run_->call->args.begin(), run_->call->args.end());
    const char* const killer = world_ == ScriptWorld::kScripts ? "SCRIPT KILL" : "FUNCTION KILL";
    executor_.state().busy =
        std::string("BUSY Redis is busy running a script. You can only call ") + killer +
        " or SHUTDOWN NOSAVE.";
    log_warning("Slow script detected: still in execution after " +
                std::to_string(executor_.config().settings().busy_reply_threshold) +
                " milliseconds. You can try killing the script using the " + killer +
                " command. Script name is: " + run_->function->name + ".");
  }
  if (executor_.serve_while_busy) executor_.serve_while_busy();
  if (run_->kill) stop(lua, where, "ERR Script killed by user with SCRIPT KILL...");
}

void LuaHost::stop(lua_State* lua, lua_Debug* where, std::string message) {
  if (!stopped()) {
    stop_message_ = std::move(message);
    lua_getinfo(lua, "Sl", where);
    stop_position_ = std::string(where->source) + ":" + std::to_string(where->currentline);
    fault_line_ = where->currentline;
  }
  // A coroutine that ends by an exception hands over whatever the slot above its stack's top holds
  // as its error value: let that be a live string.
  lua_pushlightuserdata(lua, const_cast<char*>(&kStoppedKey));
  lua_rawget(lua, LUA_REGISTRYINDEX);
  lua_pop(lua, 1);
  throw ScriptStopped{};
}

}  // namespace tandem
