#include "replication/snapshot_receiver.h"

#include <algorithm>

#include "server/base/log.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"

namespace tandem {

namespace {
constexpr size_t kMarkLength = 40;
constexpr size_t kLongestHeader = 1024;
constexpr std::string_view kMarkedHeader = "$EOF:";
}  // namespace

Result<size_t> SnapshotReceiver::receive(std::string_view input) {
  size_t taken = 0;
  while (!done()) {
    const std::string_view rest = input.substr(taken);
    const State before = state_;
    const Result<size_t> step = state_ == State::kHeader    ? receive_header(rest)
                                : state_ == State::kCounted ? receive_counted(rest)
                                                            : receive_marked(rest);
    if (!step.ok()) return step;
    taken += step.value();
    if (step.value() == 0 && state_ == before) break;
  }
  return taken;
}

Result<size_t> SnapshotReceiver::receive_header(std::string_view input) {
  const size_t end = input.find('\n');
  if (end == std::string_view::npos) {
    if (input.size() < kLongestHeader) return size_t{0};
    return make_error(ErrorKind::kCorrupt, "Bad protocol from MASTER: no snapshot header");
  }
  std::string_view line = input.substr(0, end);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (!line.empty()) {
    const Status parsed = parse_header(line);
    if (!parsed.ok()) return parsed.error();
  }
  return end + 1;
}

Status SnapshotReceiver::parse_header(std::string_view line) {
  if (line.front() == '-') {
    return make_error(ErrorKind::kInvalid,
                      "MASTER aborted replication with an error: " + std::string(line.substr(1)));
  }
  if (line.starts_with(kMarkedHeader) && line.size() == kMarkedHeader.size() + kMarkLength) {
    mark_ = line.substr(kMarkedHeader.size());
    state_ = State::kMarked;
    log_notice("MASTER <-> REPLICA sync: receiving streamed RDB from master with EOF to disk");
    return {};
  }
  const auto length = parse_int64(line.substr(1));
  if (line.front() != '$' || !length || *length < 0) {
    return make_error(ErrorKind::kCorrupt,
                      "Bad protocol from MASTER, the first byte is not '$' (we received " +
                          quote(line.substr(0, 128)) +
                          "), are you sure the host and port are right?");
  }
  total_ = *length;
  state_ = total_ == 0 ? State::kDone : State::kCounted;
  log_notice("MASTER <-> REPLICA sync: receiving " + std::to_string(total_) +
             " bytes from master to disk");
  return {};
}

Result<size_t> SnapshotReceiver::receive_counted(std::string_view input) {
  const uint64_t missing = static_cast<uint64_t>(total_) - received_;
  const std::string_view piece =
      input.substr(0, static_cast<size_t>(std::min<uint64_t>(missing, input.size())));
  const Status written = sink_.write(piece);
  if (!written.ok()) return written.error();
  received_ += piece.size();
  if (received_ == static_cast<uint64_t>(total_)) state_ = State::kDone;
  return piece.size();
}

Result<size_t> SnapshotReceiver::receive_marked(std::string_view input) {
  const size_t at = input.find(mark_);
  const bool found = at != std::string_view::npos;
  // A part of the mark may stand at the end: that stays.
  const size_t content = found                         ? at
                         : input.size() >= kMarkLength ? input.size() - (kMarkLength - 1)
                                                       : 0;
  if (content > 0) {
    const Status written = sink_.write(input.substr(0, content));
    if (!written.ok()) return written.error();
    received_ += content;
  }
  if (!found) return content;
  state_ = State::kDone;
  return content + kMarkLength;
}

}  // namespace tandem
