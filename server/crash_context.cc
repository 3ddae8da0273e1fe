#include "server/crash_context.h"

#include <algorithm>
#include <string_view>

#include "server/base/numbers.h"
#include "server/exec/call.h"
#include "server/exec/client.h"
#include "server/exec/executor.h"

namespace tandem {
namespace {

// Runs in a broken process: copies bytes and nothing else.
class BoundedText {
 public:
  BoundedText(char* out, size_t capacity) : out_(out), capacity_(capacity) {}

  size_t size() const { return size_; }

  void text(std::string_view bytes) {
    bytes = bytes.substr(0, capacity_ - size_);
    std::copy(bytes.begin(), bytes.end(), out_ + size_);
    size_ += bytes.size();
  }
  void number(uint64_t value) {
    char digits[kMaxInt64Digits];
    text({digits, format_int64(static_cast<int64_t>(value), digits)});
  }

 private:
  char* out_;
  size_t capacity_;
  size_t size_ = 0;
};

}  // namespace

size_t describe_running_command(const void* executor, char* out, size_t capacity) {
  constexpr size_t kMaxArguments = 16;
  constexpr size_t kMaxArgumentBytes = 128;
  const Call* call = static_cast<const Executor*>(executor)->current_call();
  if (call == nullptr) return 0;
  BoundedText report(out, capacity);
  report.text("client id=");
  report.number(call->client.id);
  report.text(" db=");
  report.number(static_cast<uint64_t>(call->client.db));
  report.text(" command:");
  for (size_t i = 0; i < std::min(call->args.size(), kMaxArguments); ++i) {
    report.text(" '");
    report.text(call->args[i].substr(0, kMaxArgumentBytes));
    report.text("'");
  }
  return report.size();
}

}  // namespace tandem
