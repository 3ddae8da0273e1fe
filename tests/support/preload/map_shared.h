#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>

namespace tandem {

// In a preloaded library: the T that it shares with the test, in the file that the environment
// names; null when there is none.
template <typename T>
T* map_shared(const char* variable) {
  const char* path = std::getenv(variable);
  const int fd = path == nullptr ? -1 : open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return nullptr;
  void* mapped = mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  return mapped == MAP_FAILED ? nullptr : static_cast<T*>(mapped);
}

}  // namespace tandem
