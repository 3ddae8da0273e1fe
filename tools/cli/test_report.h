#pragma once

#include <cstdio>
#include <string>
#include <vector>

namespace tandem::cli {

// How one test of functions ended.
struct TestResult {
  std::string file;
  std::string name;
  bool passed = true;
  std::string failure;  // several lines, perhaps
  int line = 0;         // of the file where it failed; 0: unknown
  double seconds = 0;
};

// Lines of the Test Anything Protocol, version 13, to be written as the tests end.
std::string tap_header();
std::string tap_result(const TestResult& result, size_t number);
std::string tap_plan(size_t tests);
// Each line as a comment.
std::string tap_comment(const std::vector<std::string>& lines);

// All results as a JUnit document, one suite a file.
std::string junit_document(const std::vector<TestResult>& results);

}  // namespace tandem::cli
