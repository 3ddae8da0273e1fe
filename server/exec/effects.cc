#include "server/exec/effects.h"

#include <algorithm>
#include <string>
#include <utility>

#include "server/base/numbers.h"
#include "server/resp/request_encoder.h"

namespace tandem {

namespace {

constexpr std::string_view kMulti = "*1\r\n$5\r\nMULTI\r\n";
constexpr std::string_view kExec = "*1\r\n$4\r\nEXEC\r\n";

}  // namespace

void EffectStream::remove_sink(EffectSink* sink) { std::erase(sinks_, sink); }

bool EffectStream::wanted() const {
  for (const EffectSink* sink : sinks_) {
    if (sink->wants_effects() && (sink->target() & targets_) != 0) return true;
  }
  return false;
}

// Remembers that what stands in pending_ from `begin` on is for targets_ only.
void EffectStream::note_part(size_t begin) {
  if (parts_.empty()) {
    if (targets_ == kEffectToAll) return;
    // What came before was for all.
    const size_t first = multi_offset_ + kMulti.size();
    if (begin > first) parts_.push_back({first, begin, kEffectToAll});
  }
  parts_.push_back({begin, pending_.size(), targets_});
}

// Each sink gets the parts that are for it.
void EffectStream::deliver_parts() {
  const std::string_view all = pending_.view();
  const std::string_view select = all.substr(0, multi_offset_);
  for (EffectSink* sink : sinks_) {
    if (!sink->wants_effects()) continue;
    std::string effects;
    for (const Part& part : parts_) {
      if ((part.targets & sink->target()) == 0) continue;
      effects.append(all.substr(part.begin, part.end - part.begin));
    }
    std::string bytes(select);
    if (unit_effects_ == 1) {
      bytes.append(effects);
    } else if (!effects.empty()) {
      bytes.append(kMulti).append(effects).append(kExec);
    }
    if (!bytes.empty()) sink->on_effects(bytes);
  }
  parts_.clear();
  unit_effects_ = 0;
  pending_.consume(pending_.size());
}

void EffectStream::deliver_unit() {
  if (!parts_.empty()) return deliver_parts();
  std::string select_and_effect;
  std::string_view bytes;
  if (unit_effects_ > 1) {
    pending_.append(kExec);
    bytes = pending_.view();
  } else if (multi_offset_ == 0) {
    bytes = pending_.view().substr(kMulti.size());
  } else {
    // A single effect behind a SELECT, which is rare: MULTI goes from between them.
    select_and_effect = pending_.view();
    select_and_effect.erase(multi_offset_, kMulti.size());
    bytes = select_and_effect;
  }
  unit_effects_ = 0;
  for (EffectSink* sink : sinks_) {
    if (sink->wants_effects()) sink->on_effects(bytes);
  }
  pending_.consume(pending_.size());
}

void EffectStream::add(int db, std::span<const std::string_view> args) {
  if (suspended() || !wanted()) return;
  begin_unit();
  if (db != selected_db_) {
    char digits[kMaxInt64Digits];
    const std::string_view select[] = {"SELECT", format_int64(db, std::span<char>(digits))};
    // In front of MULTI when it is the unit's first: a reader may look at databases outside
    // transactions only.
    const uint8_t targets = std::exchange(targets_, kEffectToAll);
    const size_t begin = pending_.size();
    append_request(pending_, select);
    if (unit_effects_ > 0) note_part(begin);
    targets_ = targets;
    selected_db_ = db;
  }
  if (unit_effects_ == 0) {
    multi_offset_ = pending_.size();
    pending_.append(kMulti);
  }
  const size_t begin = pending_.size();
  append_request(pending_, args);
  note_part(begin);
  ++unit_effects_;
  ++encoded_count_;
  end_unit();
}

}  // namespace tandem
