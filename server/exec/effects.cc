#include "server/exec/effects.h"

#include <algorithm>
#include <string>

#include "server/base/numbers.h"
#include "server/resp/resp_format.h"

namespace tandem {

namespace {

constexpr std::string_view kMulti = "*1\r\n$5\r\nMULTI\r\n";
constexpr std::string_view kExec = "*1\r\n$4\r\nEXEC\r\n";

}  // namespace

void EffectStream::remove_sink(EffectSink* sink) { std::erase(sinks_, sink); }

bool EffectStream::wanted() const {
  return std::any_of(sinks_.begin(), sinks_.end(),
                     [](const EffectSink* sink) { return sink->wants_effects(); });
}

void EffectStream::deliver_unit() {
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
    encode(select);
    selected_db_ = db;
  }
  if (unit_effects_ == 0) {
    multi_offset_ = pending_.size();
    pending_.append(kMulti);
  }
  encode(args);
  ++unit_effects_;
  ++encoded_count_;
  end_unit();
}

void EffectStream::encode(std::span<const std::string_view> args) {
  size_t room = kRespHeaderBytes;
  for (std::string_view arg : args) room += kRespHeaderBytes + arg.size() + 2;
  char* const begin = pending_.reserve(room);
  char* end = write_resp_header(begin, '*', args.size());
  for (std::string_view arg : args) end = write_resp_bulk(end, arg);
  pending_.commit(static_cast<size_t>(end - begin));
}

}  // namespace tandem
