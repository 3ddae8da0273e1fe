#include "server/base/crash.h"

#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstring>
#include <ctime>
#include <string_view>

#include "server/base/log.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TANDEM_SANITIZER_HANDLES_SIGNALS
#endif

namespace tandem {

namespace {

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
constexpr int kMaxFrames = 100;
constexpr size_t kMaxContextBytes = 4096;
constexpr size_t kHandlerStackBytes = size_t{128} * 1024;

std::atomic<CrashContextProvider> context_provider{nullptr};
std::atomic<const void*> context_subject{nullptr};

std::string_view signal_name(int signal) {
  switch (signal) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGBUS:
      return "SIGBUS";
    case SIGFPE:
      return "SIGFPE";
    case SIGILL:
      return "SIGILL";
    default:
      return "SIGABRT";
  }
}

// Text made and written with nothing but what a signal handler may call.
class RawReport {
 public:
  explicit RawReport(int fd) : fd_(fd) {}

  RawReport& text(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
      if (written <= 0) break;
      bytes.remove_prefix(static_cast<size_t>(written));
    }
    return *this;
  }
  RawReport& number(uint64_t value, unsigned base = 10) {
    char digits[20];
    size_t begin = sizeof digits;
    do {
      digits[--begin] = "0123456789abcdef"[value % base];
      value /= base;
    } while (value != 0);
    return text({digits + begin, sizeof digits - begin});
  }
  // Starts a line, marked as one that has no calendar time: converting it is not safe here.
  RawReport& line() {
    return number(static_cast<uint64_t>(::getpid()))
        .text(":signal-handler (")
        .number(static_cast<uint64_t>(::time(nullptr)))
        .text(") ");
  }
  // Bytes that a client sent, one line of printable characters.
  RawReport& escaped(std::string_view bytes) {
    for (const char& c : bytes) {
      const auto byte = static_cast<unsigned char>(c);
      if (byte >= 32 && byte < 127) {
        text({&c, 1});
      } else {
        text(byte < 16 ? "\\x0" : "\\x").number(byte, 16);
      }
    }
    return *this;
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

void report_context(RawReport& report) {
  const CrashContextProvider provider = context_provider.load();
  if (provider == nullptr) return;
  static char context[kMaxContextBytes];
  const size_t length = provider(context_subject.load(), context, sizeof context);
  report.text("\n------ CURRENT COMMAND ------\n");
  report.escaped({context, length < sizeof context ? length : sizeof context}).text("\n");
}

void report_stack(RawReport& report) {
  void* frames[kMaxFrames];
  report.text("\n------ STACK TRACE ------\n");
  const int count = ::backtrace(frames, kMaxFrames);
  ::backtrace_symbols_fd(frames, count, report.fd());
}

[[maybe_unused]] void handle_crash(int signal, siginfo_t* info, void*) {
  const char* path = log_path();
  int fd = STDOUT_FILENO;
  if (*path != '\0') {
    const int opened = ::open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (opened >= 0) fd = opened;
  }
  RawReport report(fd);
  report.text("\n\n=== TANDEM BUG REPORT START: Cut & paste starting from here ===\n");
  report.line().text("Tandem crashed by signal: ").number(static_cast<uint64_t>(signal));
  report.text(" (").text(signal_name(signal)).text(")\n");
  if (signal == SIGABRT) {
    report.line().text("Aborted: a check inside the server failed\n");
  } else {
    report.line().text("Accessing address: 0x");
    report.number(reinterpret_cast<uintptr_t>(info->si_addr), 16).text("\n");
  }
  report_stack(report);
  // Last, because it reads what may be the broken part: a second fault ends the report here.
  report_context(report);
  report.text("\n=== TANDEM BUG REPORT END ===\n");
  // SA_RESETHAND has restored the default action, and SA_NODEFER lets this take it at once.
  ::raise(signal);
}

[[maybe_unused]] void use_own_stack() {
  alignas(16) static char stack[kHandlerStackBytes];
  stack_t own{};
  own.ss_sp = stack;
  own.ss_size = sizeof stack;
  ::sigaltstack(&own, nullptr);
}

}  // namespace

void install_crash_handler() {
#ifndef TANDEM_SANITIZER_HANDLES_SIGNALS
  // The first backtrace() of a process loads a library, which a handler could not.
  void* frame = nullptr;
  ::backtrace(&frame, 1);
  use_own_stack();
  struct sigaction action {};
  action.sa_sigaction = handle_crash;
  action.sa_flags =
      static_cast<int>(SA_SIGINFO | SA_ONSTACK | static_cast<unsigned>(SA_RESETHAND) | SA_NODEFER);
  sigemptyset(&action.sa_mask);
  for (int signal : kSignals) ::sigaction(signal, &action, nullptr);
#endif
}

void remove_crash_handler() {
#ifndef TANDEM_SANITIZER_HANDLES_SIGNALS
  for (int signal : kSignals) ::signal(signal, SIG_DFL);
#endif
}

void set_crash_context_provider(CrashContextProvider provider, const void* subject) {
  // Off while the pair changes.
  context_provider = nullptr;
  context_subject = subject;
  context_provider = provider;
}

}  // namespace tandem
