#include "tools/cli/functions_test.h"

#include <cstdio>
#include <optional>
#include <string_view>
#include <vector>

#include "server/base/numbers.h"
#include "tools/cli/line_coverage.h"
#include "tools/cli/snapshot_file.h"
#include "tools/cli/test_file.h"
#include "tools/cli/test_report.h"

namespace tandem::cli {

namespace {

constexpr double kMaxTimeoutSeconds = 1e6;

constexpr std::string_view kUsage =
    "Usage: tandem-cli functions test [OPTION ...] FILE_test.lua ...\n"
    "  --format tap|junit   How to report (default: tap)\n"
    "  --output FILE        Where to (default: standard output)\n"
    "  --filter TEXT        Only tests with this in their names\n"
    "  --coverage           Say which lines of the libraries have run\n"
    "  --timeout SECONDS    How long one test may take (default: 10)\n";

struct Request {
  std::vector<std::string> files;
  bool junit = false;
  std::string output = "-";
  bool measure_coverage = false;
  TestSettings settings;
};

Error invalid(std::string message) { return make_error(ErrorKind::kInvalid, std::move(message)); }

Status apply_option(const std::string& name, const std::string& value, Request* request) {
  if (name == "--format") {
    if (value != "tap" && value != "junit") return invalid("--format is tap or junit");
    request->junit = value == "junit";
  } else if (name == "--output") {
    request->output = value;
  } else if (name == "--filter") {
    request->settings.filter = value;
  } else if (name == "--timeout") {
    const std::optional<double> seconds = parse_double(value);
    if (!seconds || !(*seconds > 0) || *seconds > kMaxTimeoutSeconds) {
      return invalid("--timeout is a number of seconds");
    }
    request->settings.timeout_seconds = *seconds;
  } else {
    return invalid("there is no option " + name);
  }
  return {};
}

Result<Request> parse(std::span<const std::string> arguments) {
  Request request;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i] == "--coverage") {
      request.measure_coverage = true;
    } else if (!arguments[i].starts_with("--")) {
      request.files.push_back(arguments[i]);
    } else if (i + 1 == arguments.size()) {
      return invalid(arguments[i] + " needs a value");
    } else {
      const Status applied = apply_option(arguments[i], arguments[i + 1], &request);
      if (!applied.ok()) return applied.error();
      ++i;
    }
  }
  if (request.files.empty()) return invalid("name at least one file");
  return request;
}

// TAP goes out line by line, so that what hangs can be seen; JUnit at the end.
class Reporter {
 public:
  explicit Reporter(const Request& request) : junit_(request.junit) {}

  Status open(const std::string& path) {
    Status opened = file_.open(path);
    return opened.ok() && !junit_ ? file_.write(tap_header()) : opened;
  }
  void add(const TestResult& result) {
    results_.push_back(result);
    failed_ += result.passed ? 0 : 1;
    if (!junit_) keep(file_.write(tap_result(result, results_.size())));
  }
  Status finish(const std::vector<std::string>& coverage) {
    if (junit_) {
      keep(file_.write(junit_document(results_)));
      for (const std::string& line : coverage) std::fprintf(stderr, "%s\n", line.c_str());
    } else {
      keep(file_.write(tap_plan(results_.size()) + tap_comment(coverage)));
    }
    return written_.ok() ? file_.commit() : written_;
  }
  size_t run() const { return results_.size(); }
  size_t failed() const { return failed_; }

 private:
  void keep(Status status) {
    if (written_.ok()) written_ = std::move(status);
  }

  const bool junit_;
  SnapshotFile file_;
  Status written_;
  std::vector<TestResult> results_;
  size_t failed_ = 0;
};

int fail(const std::string& message) {
  std::fprintf(stderr, "tandem-cli functions test: %s\n", message.c_str());
  return 1;
}

}  // namespace

int run_functions_test(const Options&, std::span<const std::string> arguments) {
  if (!arguments.empty() && arguments[0] == "--help") {
    std::fwrite(kUsage.data(), 1, kUsage.size(), stdout);
    return 0;
  }
  Result<Request> parsed = parse(arguments);
  if (!parsed.ok()) {
    fail(parsed.error().message);
    std::fwrite(kUsage.data(), 1, kUsage.size(), stderr);
    return 1;
  }
  Request& request = parsed.value();
  log_to_standard_error();
  LineCoverage coverage;
  if (request.measure_coverage) request.settings.coverage = &coverage;
  Reporter reporter(request);
  if (Status opened = reporter.open(request.output); !opened.ok()) {
    return fail(opened.error().message);
  }
  for (const std::string& file : request.files) {
    TestFile(file, request.settings).run([&](const TestResult& result) { reporter.add(result); });
  }
  if (Status finished = reporter.finish(coverage.report()); !finished.ok()) {
    return fail(finished.error().message);
  }
  if (reporter.run() == 0)
    return fail("no test has \"" + request.settings.filter + "\" in its name");
  return reporter.failed() == 0 ? 0 : 1;
}

}  // namespace tandem::cli
