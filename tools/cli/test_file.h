#pragma once

#include <functional>
#include <lua.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/result.h"
#include "server/resp/reply_reader.h"
#include "tools/cli/in_process_server.h"
#include "tools/cli/line_coverage.h"
#include "tools/cli/test_report.h"

namespace tandem::cli {

struct TestSettings {
  std::string filter;  // only tests with this in their names; empty: all
  double timeout_seconds = 10;
  LineCoverage* coverage = nullptr;  // null: none is measured
};

// A file of tests: Lua code that is the developer's own, in an ordinary Lua state, which calls
// functions in an in-process server with the sandbox of a real one. Each test has a server of its
// own.
class TestFile {
 public:
  TestFile(std::string path, const TestSettings& settings);
  ~TestFile();
  TestFile(const TestFile&) = delete;
  TestFile& operator=(const TestFile&) = delete;

  // Runs the file and then its tests, and hands each result on. What keeps the tests from being
  // run at all is the result of a test named "(file)".
  void run(const std::function<void(const TestResult&)>& done);

 private:
  struct Test {
    std::string name;
    int body = 0;  // reference to the Lua function
  };
  struct Api;  // the functions that the file calls

  // False when there is nothing to run: the result says why.
  bool load_file(TestResult* result);
  // The next test's server, with the libraries.
  Status open_server();
  Status load_into_server(const std::string& path, std::string* name);
  void run_test(const Test& test, TestResult* result);
  // Calls the function on top of the stack, which must hold nothing else. False when it fails; the
  // result then says how.
  bool run_protected(TestResult* result);
  void take_failure(TestResult* result);

  void start_timer();
  bool timed_out() const;
  std::string timeout_text() const;
  void stop_when_late();

  // Raises a Lua error when there is none.
  InProcessServer& server(lua_State* lua);
  // A path that is relative to the file's directory.
  std::string beside(std::string_view name) const;

  const std::string path_;
  const TestSettings settings_;
  const std::string chunk_name_;
  std::unique_ptr<lua_State, void (*)(lua_State*)> lua_;
  int finish_ = 0;  // reference to the prelude's last word on a test
  std::vector<Test> tests_;
  std::vector<std::string> libraries_;  // files that each test's server has loaded
  bool reading_ = false;                // the file itself runs, no test yet
  std::unique_ptr<InProcessServer> server_;
  int64_t deadline_us_ = 0;  // monotonic
  int failure_line_ = 0;     // of this file, where the last error came from; 0: elsewhere
};

}  // namespace tandem::cli
