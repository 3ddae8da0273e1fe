#include "tests/support/jumping_clock.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "tests/support/process.h"

namespace tandem {
namespace {

constexpr std::string_view kLibrary = TANDEM_BINARY_DIR "/tests/libtandem_jumping_clock.so";

[[noreturn]] void fail_with_errno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

}  // namespace

JumpingClock::JumpingClock() {
  const std::string file = dir_.file("seconds");
  write_whole(file, std::string(sizeof *seconds_, '\0'));
  const int fd = open(file.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) fail_with_errno(file);
  void* mapped = mmap(nullptr, sizeof *seconds_, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  close(fd);
  if (mapped == MAP_FAILED) fail_with_errno(file);
  seconds_ = static_cast<std::atomic<int64_t>*>(mapped);
  // The sanitizer's own library need not be the first.
  write_whole(program(), "#!/bin/sh\nexec env LD_PRELOAD='" + std::string(kLibrary) + "' " +
                             kJumpingClockVariable + "='" + file +
                             "' ASAN_OPTIONS=\"$ASAN_OPTIONS:verify_asan_link_order=0\" '" +
                             tandem_server_path() + "' \"$@\"\n");
  if (chmod(program().c_str(), 0755) != 0) fail_with_errno(program());
}

JumpingClock::~JumpingClock() { munmap(seconds_, sizeof *seconds_); }

}  // namespace tandem
