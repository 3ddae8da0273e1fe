#pragma once

#include <string>
#include <string_view>

namespace tandem {

// A fresh directory under the system's temporary one, removed with all it holds at the end.
class TempDir {
 public:
  TempDir();
  ~TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string file(std::string_view name) const { return path_ + "/" + std::string(name); }

 private:
  std::string path_;
};

// A whole file; throws std::runtime_error when it cannot be read.
std::string read_whole(const std::string& path);
void write_whole(const std::string& path, std::string_view content);

}  // namespace tandem
