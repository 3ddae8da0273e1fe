#include "tests/support/preloaded_server.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "tests/support/process.h"

namespace tandem {
namespace {

[[noreturn]] void fail_with_errno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

PreloadedServer::PreloadedServer(std::string_view library, std::string_view variable,
                                 size_t shared_bytes)
    : shared_bytes_(shared_bytes) {
  const std::string file = dir_.file("shared");
  write_whole(file, std::string(shared_bytes, '\0'));
  const int fd = open(file.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) fail_with_errno(file);
  shared_ = mmap(nullptr, shared_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (shared_ == MAP_FAILED) fail_with_errno(file);
  // The sanitizer's own library need not be the first.
  write_whole(program(), "#!/bin/sh\nexec env LD_PRELOAD='" TANDEM_BINARY_DIR "/tests/lib" +
                             std::string(library) + ".so' " + std::string(variable) + "='" + file +
                             "' ASAN_OPTIONS=\"$ASAN_OPTIONS:verify_asan_link_order=0\" '" +
                             tandem_server_path() + "' \"$@\"\n");
  if (chmod(program().c_str(), 0755) != 0) fail_with_errno(program());
}

PreloadedServer::~PreloadedServer() { munmap(shared_, shared_bytes_); }

}  // namespace tandem
