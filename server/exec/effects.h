#pragma once

#include <cassert>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "server/base/output_buffer.h"

namespace tandem {

// Whom an effect is for; a set of these. Nearly all effects are for everybody.
enum EffectTarget : uint8_t {
  kEffectToAof = 1,
  kEffectToReplicas = 2,
  kEffectToAll = kEffectToAof | kEffectToReplicas
};

// Who receives the stream of effects: the AOF and the replication backlog.
class EffectSink {
 public:
  virtual ~EffectSink() = default;
  virtual EffectTarget target() const = 0;
  // False while nobody would read it: then nothing is encoded.
  virtual bool wants_effects() const = 0;
  // Whole units: a SELECT where the database changes, then one effect, or several inside
  // MULTI/EXEC. Every sink gets the same bytes, but for effects that are not for all.
  virtual void on_effects(std::string_view bytes) = 0;
};

// The one stream of effects (design idea 4). A unit is what must apply together: all effects of one
// top-level command, transaction or function call. Each effect is encoded once, as a RESP array.
class EffectStream {
 public:
  void add_sink(EffectSink* sink) { sinks_.push_back(sink); }
  void remove_sink(EffectSink* sink);

  // Units nest; what was added is handed to the sinks when the outermost one ends.
  void begin_unit() { ++depth_; }
  void end_unit() {
    assert(depth_ > 0);
    if (--depth_ == 0 && unit_effects_ > 0) deliver_unit();
  }
  bool in_unit() const { return depth_ > 0; }
  // Effects added to the unit so far.
  size_t unit_effects() const { return unit_effects_; }

  // Adds one effect, which will run in `db`. Outside a unit it is a unit by itself.
  void add(int db, std::span<const std::string_view> args);
  // Whom the effects are for that are added from now on: an EffectTarget, or 0 for nobody.
  void set_targets(uint8_t targets) { targets_ = targets; }
  uint8_t targets() const { return targets_; }
  // Effects are neither encoded nor delivered while suspended (loading, applying a primary's
  // stream). Nests.
  void suspend() { ++suspended_; }
  void resume() { --suspended_; }
  bool suspended() const { return suspended_ > 0; }

  // The next effect starts with a SELECT: a sink begins a new file, or a replica a new stream.
  void forget_selected_db() { selected_db_ = -1; }
  // The database that the stream has selected at its end; -1: the next effect will say.
  int selected_db() const { return selected_db_; }
  // Effects encoded since the start, for tests: encoding happens once however many sinks there are.
  uint64_t encoded_count() const { return encoded_count_; }

 private:
  // A piece of the open unit and whom it is for.
  struct Part {
    size_t begin, end;  // offsets in pending_
    uint8_t targets;
  };

  bool wanted() const;
  void note_part(size_t begin);
  void deliver_unit();
  void deliver_parts();

  std::vector<EffectSink*> sinks_;
  OutputBuffer pending_;     // the open unit, with MULTI in front of its first effect
  size_t multi_offset_ = 0;  // where MULTI is: behind a SELECT, if there is one
  size_t unit_effects_ = 0;
  std::vector<Part> parts_;  // of a unit in which not everything is for all; empty otherwise
  uint8_t targets_ = kEffectToAll;
  int depth_ = 0;
  int suspended_ = 0;
  int selected_db_ = -1;
  uint64_t encoded_count_ = 0;
};

}  // namespace tandem
