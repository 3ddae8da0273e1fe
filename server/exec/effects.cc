#include "server/exec/effects.h"

#include <algorithm>
#include <cassert>

#include "server/base/numbers.h"

namespace tandem {

namespace {

constexpr std::string_view kMulti = "*1\r\n$5\r\nMULTI\r\n";
constexpr std::string_view kExec = "*1\r\n$4\r\nEXEC\r\n";

void append_header(std::string* out, char type, uint64_t length) {
  char digits[kMaxInt64Digits];
  out->push_back(type);
  out->append(digits, format_int64(static_cast<int64_t>(length), digits));
  out->append("\r\n");
}

}  // namespace

void EffectStream::remove_sink(EffectSink* sink) { std::erase(sinks_, sink); }

bool EffectStream::wanted() const {
  return std::any_of(sinks_.begin(), sinks_.end(),
                     [](const EffectSink* sink) { return sink->wants_effects(); });
}

void EffectStream::begin_unit() { ++depth_; }

void EffectStream::end_unit() {
  assert(depth_ > 0);
  if (--depth_ > 0 || unit_effects_ == 0) return;
  std::string_view bytes;
  if (unit_effects_ > 1) {
    pending_.append(kExec);
    pending_.replace(multi_gap_, kMulti.size(), kMulti);
    bytes = pending_;
  } else {
    // The room for MULTI was not needed: close it from the short side, which holds a SELECT at
    // most.
    std::copy_backward(pending_.begin(), pending_.begin() + static_cast<ptrdiff_t>(multi_gap_),
                       pending_.begin() + static_cast<ptrdiff_t>(multi_gap_ + kMulti.size()));
    bytes = std::string_view(pending_).substr(kMulti.size());
  }
  unit_effects_ = 0;
  for (EffectSink* sink : sinks_) {
    if (sink->wants_effects()) sink->on_effects(bytes);
  }
  constexpr size_t kKept = 64 * 1024;
  pending_.clear();
  if (pending_.capacity() > kKept) pending_.shrink_to_fit();
}

void EffectStream::add(int db, std::span<const std::string_view> args) {
  if (suspended() || !wanted()) return;
  begin_unit();
  if (db != selected_db_) {
    char digits[kMaxInt64Digits];
    const std::string_view select[] = {"SELECT", format_int64(db, std::span<char>(digits))};
    // In front of MULTI when it is the unit's first: a reader may look at databases outside
    // transactions only.
    encode(select);
    selected_db_ = db;
  }
  if (unit_effects_ == 0) {
    multi_gap_ = pending_.size();
    pending_.append(kMulti.size(), '\0');
  }
  encode(args);
  ++unit_effects_;
  ++encoded_count_;
  end_unit();
}

void EffectStream::encode(std::span<const std::string_view> args) {
  append_header(&pending_, '*', args.size());
  for (std::string_view arg : args) {
    append_header(&pending_, '$', arg.size());
    pending_.append(arg);
    pending_.append("\r\n");
  }
}

}  // namespace tandem
