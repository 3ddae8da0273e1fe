#pragma once

#include <lua.hpp>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "functions/lua_host.h"

namespace tandem::cli {

// Which lines of the libraries' files have run, over all servers it has observed.
class LineCoverage final : public LineObserver {
 public:
  // The library of `source` is about to be loaded from the file at `path`, which does not change.
  void add_library(const std::string& path, std::string_view source);
  void on_line(LuaHost& host, lua_State* lua, lua_Debug* where) override;

  // A line a file, in the order of the paths: "lib.lua: 90.0% (9 of 10 lines), missed 4-5, 7".
  // Only lines that do something count.
  std::vector<std::string> report() const;

 private:
  struct File {
    std::set<int> active;
    std::set<int> hit;
  };
  std::map<std::string, File> files_;                      // by path
  std::map<std::string, std::string, std::less<>> paths_;  // of the libraries, by name
};

}  // namespace tandem::cli
