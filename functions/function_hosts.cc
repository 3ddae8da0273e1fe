#include "functions/function_hosts.h"

#include <algorithm>

#include "functions/lua_host.h"
#include "server/exec/executor.h"

namespace tandem {

namespace {

// A host takes libraries until they keep so much. Collecting the least, together with the garbage
// that it lets pile up, stays in a processor's cache. But an empty host takes some 60 KB itself,
// and more in unused parts of slabs: beyond so many hosts their libraries may keep more, up to
// where that is little.
constexpr size_t kLeastBytes = size_t{32} << 10;
constexpr size_t kMostBytes = size_t{1} << 20;
constexpr size_t kManyHosts = 64;
// Garbage may pile up while so much is in use, in all hosts together.
constexpr size_t kRoomyTotalBytes = size_t{128} << 20;

}  // namespace

FunctionHosts::FunctionHosts(Executor& executor)
    : executor_(executor), world_(std::make_shared<LuaWorld>()) {}

FunctionHosts::~FunctionHosts() = default;

std::shared_ptr<LuaHost> FunctionHosts::with_room() {
  size_t kept = 0;
  std::erase_if(hosts_, [&kept](const auto& each) {
    const std::shared_ptr<LuaHost> host = each.lock();
    if (host != nullptr) kept += host->library_bytes();
    return host == nullptr;
  });
  const size_t most = std::clamp(kept / kManyHosts, kLeastBytes, kMostBytes);
  std::shared_ptr<LuaHost> found;
  for (size_t i = 0; i < hosts_.size() && found == nullptr; ++i) {
    std::shared_ptr<LuaHost> host = hosts_[i].lock();
    if (host->libraries_keep_less_than(most)) found = std::move(host);
  }
  if (found == nullptr) found = make();
  world_->roomy_bytes = std::min(LuaWorld::kRoomyBytes, kRoomyTotalBytes / hosts_.size());
  return found;
}

std::shared_ptr<LuaHost> FunctionHosts::make() {
  // lua_close() visits each object: too much for the loop.
  const auto free_host = [&keyspace = executor_.keyspace()](LuaHost* host) {
    const size_t bytes = host->memory_bytes();
    keyspace.free_in_background([host] { delete host; }, 1, bytes);
  };
  std::shared_ptr<LuaHost> host(new LuaHost(executor_, ScriptWorld::kFunctions, world_), free_host);
  host->observe_lines(observer_);
  hosts_.push_back(host);
  return host;
}

size_t FunctionHosts::memory_bytes() const {
  size_t bytes = 0;
  for (const auto& each : hosts_) {
    if (const std::shared_ptr<LuaHost> host = each.lock()) bytes += host->memory_bytes();
  }
  return bytes;
}

void FunctionHosts::observe_lines(LineObserver* observer) {
  observer_ = observer;
  for (const auto& each : hosts_) {
    if (const std::shared_ptr<LuaHost> host = each.lock()) host->observe_lines(observer);
  }
}

}  // namespace tandem
