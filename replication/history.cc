#include "replication/history.h"

#include <utility>

namespace tandem {

namespace {

constexpr size_t kIdLength = 40;

}  // namespace

ReplicationHistory::ReplicationHistory(Random* random) : random_(random) { change_id(); }

void ReplicationHistory::append(std::string_view bytes) {
  offset_ += bytes.size();
  if (backlog_) backlog_->append(bytes);
}

void ReplicationHistory::change_id() {
  id_ = random_->hex(kIdLength);
  forget_previous();
}

void ReplicationHistory::forget_previous() {
  previous_id_.assign(kIdLength, '0');
  second_offset_ = -1;
}

void ReplicationHistory::branch(std::string new_id) {
  previous_id_ = std::exchange(id_, std::move(new_id));
  second_offset_ = static_cast<int64_t>(offset_) + 1;
}

void ReplicationHistory::branch() { branch(random_->hex(kIdLength)); }

void ReplicationHistory::adopt(std::string id, uint64_t offset) {
  id_ = std::move(id);
  offset_ = offset;
  forget_previous();
  backlog_.reset();
}

void ReplicationHistory::continue_from(std::string id, uint64_t offset) {
  previous_id_ = std::move(id);
  offset_ = offset;
  second_offset_ = static_cast<int64_t>(offset) + 1;
}

void ReplicationHistory::ensure_backlog(uint64_t wanted_bytes, bool new_history) {
  if (backlog_) return;
  if (new_history) {
    // While there was no backlog writes were not counted: whoever knows the old id and offset must
    // not take them for this state.
    change_id();
    ++offset_;
  }
  backlog_.emplace(offset_, wanted_bytes);
}

bool ReplicationHistory::can_resume(std::string_view id, int64_t offset) const {
  if (offset < 0 || !backlog_) return false;
  const bool same = id == id_ || (id == previous_id_ && offset <= second_offset_);
  return same && backlog_->can_serve_from(static_cast<uint64_t>(offset));
}

}  // namespace tandem
