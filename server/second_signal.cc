#include "server/second_signal.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <string>

#include "persistence/rdb_file.h"
#include "server/base/log.h"

namespace tandem {

namespace {

// A handler has nothing but globals to go by.
std::atomic<bool> signalled{false};
void (*loops_handlers[2])(int) = {nullptr, nullptr};
std::string* last_words = nullptr;
std::string* temporary_rdb = nullptr;

void (*&loops_handler(int number))(int) { return loops_handlers[number == SIGINT ? 0 : 1]; }

// Only what may be called in a signal handler.
void on_signal(int number) {
  const bool again = signalled.exchange(true);
  if (!again || number != SIGINT) return loops_handler(number)(number);
  const char* const path = log_path();
  const int fd = *path != '\0' ? ::open(path, O_WRONLY | O_APPEND | O_CLOEXEC) : STDOUT_FILENO;
  // Nobody is left who could do something about a failure.
  [[maybe_unused]] const ssize_t written = ::write(fd, last_words->data(), last_words->size());
  ::unlink(temporary_rdb->c_str());
  ::_exit(1);
}

}  // namespace

void end_at_second_sigint() {
  last_words =
      new std::string(std::to_string(::getpid()) + ":signal-handler You insist... exiting now.\n");
  temporary_rdb = new std::string(temporary_rdb_name());
  for (const int number : {SIGINT, SIGTERM}) {
    struct sigaction action {};
    ::sigaction(number, nullptr, &action);
    loops_handler(number) = action.sa_handler;
    action.sa_handler = on_signal;
    ::sigaction(number, &action, nullptr);
  }
}

void forget_first_signal() { signalled = false; }

}  // namespace tandem
