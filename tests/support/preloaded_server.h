#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "tests/support/temp_dir.h"

namespace tandem {

// The server's program with one of this folder's libraries preloaded (LD_PRELOAD), and memory that
// it shares with the test through a file.
class PreloadedServer {
 public:
  // `library` is the name of the library's target; `variable` is the environment's, in which it
  // finds the file (preload/map_shared.h).
  PreloadedServer(std::string_view library, std::string_view variable, size_t shared_bytes);
  ~PreloadedServer();
  PreloadedServer(const PreloadedServer&) = delete;
  PreloadedServer& operator=(const PreloadedServer&) = delete;

  // What to start instead of tandem-server, as long as this object lives.
  std::string program() const { return dir_.file("server"); }
  void* shared() const { return shared_; }  // all zero at first

 private:
  TempDir dir_;
  const size_t shared_bytes_;
  void* shared_;
};

}  // namespace tandem
