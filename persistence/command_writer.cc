#include "persistence/command_writer.h"

#include <array>

#include "server/base/numbers.h"

namespace tandem {

namespace {
constexpr size_t kFlushBytes = 64 * 1024;
}  // namespace

void CommandWriter::command(std::span<const std::string_view> args) {
  header('*', args.size());
  for (std::string_view arg : args) {
    header('$', arg.size());
    buffer_.append(arg).append("\r\n");
  }
  if (buffer_.size() >= kFlushBytes) (void)flush();
}

Status CommandWriter::flush() {
  if (status_.ok()) status_ = sink_->write(buffer_);
  buffer_.clear();
  return status_;
}

void CommandWriter::header(char mark, size_t number) {
  std::array<char, kMaxInt64Digits> digits;
  buffer_.push_back(mark);
  buffer_.append(digits.data(), format_int64(static_cast<int64_t>(number), digits.data()));
  buffer_.append("\r\n");
}

void ItemCommands::add(std::string_view word) {
  pending_.emplace_back(word);
  if (pending_.size() == words_ * CommandWriter::kItemsPerCommand) finish();
}

void ItemCommands::finish() {
  if (pending_.empty()) return;
  std::vector<std::string_view> args = {name_, key_};
  args.insert(args.end(), pending_.begin(), pending_.end());
  out_->command(args);
  pending_.clear();
}

}  // namespace tandem
