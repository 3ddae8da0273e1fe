#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace tandem {

class Executor;
class LineObserver;
class LuaHost;
struct LuaWorld;

// The Lua states that function libraries live in. A library's first load makes one; it goes, freed
// in the background, with its last library.
//
// There are several because a state's garbage piles up, and the collector looks through it, in
// proportion to what the state keeps: with thousands of libraries in one, each call works on memory
// that has left the processor's cache. A state therefore takes libraries until they keep so much:
// many small ones, or a single large one.
class FunctionHosts {
 public:
  explicit FunctionHosts(Executor& executor);
  ~FunctionHosts();
  FunctionHosts(const FunctionHosts&) = delete;
  FunctionHosts& operator=(const FunctionHosts&) = delete;

  // Where the next library is to be loaded: the oldest host with room, or a new one. It lives as
  // long as somebody holds it.
  std::shared_ptr<LuaHost> with_room();
  // What Lua has allocated, in all hosts.
  size_t memory_bytes() const;
  // Of all hosts, of those to come as well: see LuaHost.
  void observe_lines(LineObserver* observer);

 private:
  std::shared_ptr<LuaHost> make();

  Executor& executor_;
  const std::shared_ptr<LuaWorld> world_;
  // Their libraries own them.
  std::vector<std::weak_ptr<LuaHost>> hosts_;
  LineObserver* observer_ = nullptr;
};

}  // namespace tandem
