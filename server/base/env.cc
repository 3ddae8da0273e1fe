#include "server/base/env.h"

#include <algorithm>

namespace tandem {

namespace {

std::string directory_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status write_and_sync(Env& env, const std::string& path, std::string_view content) {
  auto file = env.create(path);
  if (!file.ok()) return file.error();
  if (Status written = file.value()->append(content); !written.ok()) return written;
  return file.value()->sync();
}

}  // namespace

Result<ChildId> Env::fork_child_with_socket(int, std::function<int()>) {
  return make_error(ErrorKind::kIo, "there are no sockets here");
}

void Env::run_at_leisure(std::function<void()> work) { run_in_background(std::move(work), {}); }

Result<std::string> read_file(Env& env, const std::string& path, uint64_t max_bytes) {
  auto file = env.open_read(path);
  if (!file.ok()) return file.error();
  constexpr size_t kPiece = size_t{64} * 1024;
  std::string content;
  // The size is only a hint: pipes and /proc files say 0, and a file may grow while we read.
  content.reserve(static_cast<size_t>(std::min(file.value()->size(), max_bytes)));
  while (true) {
    const size_t before = content.size();
    content.resize(before + kPiece);
    auto count = file.value()->read(before, content.data() + before, kPiece);
    if (!count.ok()) return count.error();
    content.resize(before + count.value());
    if (content.size() > max_bytes) {
      return make_error(ErrorKind::kLimit,
                        path + " is larger than " + std::to_string(max_bytes) + " bytes");
    }
    if (count.value() == 0) return content;
  }
}

Status write_file_atomically(Env& env, const std::string& path, std::string_view content) {
  const std::string temporary = path + ".tmp";
  Status written = write_and_sync(env, temporary, content);
  if (written.ok()) written = env.rename(temporary, path);
  if (!written.ok()) {
    (void)env.remove(temporary);
    return written;
  }
  return env.sync_directory(directory_of(path));
}

}  // namespace tandem
