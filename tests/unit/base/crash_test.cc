#include "server/base/crash.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

#include "server/base/log.h"

namespace tandem {
namespace {

#ifndef __SANITIZE_ADDRESS__

using testing::HasSubstr;

size_t describe(const void* subject, char* out, size_t capacity) {
  const auto* text = static_cast<const std::string*>(subject);
  return text->copy(out, capacity);
}

class CrashTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = testing::TempDir() + "tandem-crash-" + std::to_string(getpid());
    std::remove(path_.c_str());
    ASSERT_TRUE(open_log(path_).ok());
  }
  void TearDown() override {
    ASSERT_TRUE(open_log("").ok());
    std::remove(path_.c_str());
  }

  // Runs `crash` in a child with the handler installed; returns the signal that ended it.
  template <typename Crash>
  int crash_in_child(Crash crash) {
    const pid_t child = fork();
    if (child == 0) {
      install_crash_handler();
      crash();
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }
  std::string log() const {
    std::ifstream file(path_);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

  std::string path_;
};

TEST_F(CrashTest, FaultIsReportedWithStackAndRunningCommand) {
  const std::string command = "\"FCALL\" \"f\" \x01";
  const int signal = crash_in_child([&] {
    set_crash_context_provider(describe, &command);
    // An address that a test can recognise.
    *reinterpret_cast<volatile int*>(0x1234) = 1;
  });
  EXPECT_EQ(signal, SIGSEGV);
  const std::string report = log();
  EXPECT_THAT(report, HasSubstr("Tandem crashed by signal: 11 (SIGSEGV)"));
  EXPECT_THAT(report, HasSubstr("Accessing address: 0x1234\n"));
  EXPECT_THAT(report, HasSubstr("unit_base("));
  EXPECT_THAT(report, HasSubstr("CURRENT COMMAND ------\n\"FCALL\" \"f\" \\x01\n"));
  EXPECT_THAT(report, HasSubstr("=== TANDEM BUG REPORT END ===\n"));
}

TEST_F(CrashTest, AbortIsReported) {
  EXPECT_EQ(crash_in_child([] { std::abort(); }), SIGABRT);
  EXPECT_THAT(log(), HasSubstr("Tandem crashed by signal: 6 (SIGABRT)"));
}

// Not a tail call, and not one that the compiler sees through.
[[gnu::noinline]] int overflow(volatile int* depth) {
  volatile char frame[4096];
  frame[0] = static_cast<char>(*depth);
  *depth = *depth + 1;
  return *depth > 0 ? overflow(depth) + frame[0] : 0;
}

TEST_F(CrashTest, StackOverflowIsReported) {
  EXPECT_EQ(crash_in_child([] {
              volatile int depth = 1;
              overflow(&depth);
            }),
            SIGSEGV);
  EXPECT_THAT(log(), HasSubstr("=== TANDEM BUG REPORT END ===\n"));
}

TEST_F(CrashTest, FaultInsideTheReportStillEndsTheProcess) {
  const int signal = crash_in_child([] {
    set_crash_context_provider(
        [](const void*, char*, size_t) -> size_t { return *reinterpret_cast<volatile char*>(8); },
        nullptr);
    raise(SIGSEGV);
  });
  EXPECT_EQ(signal, SIGSEGV);
  EXPECT_THAT(log(), HasSubstr("STACK TRACE"));
}

#endif

}  // namespace
}  // namespace tandem
