#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "replication/digest_message.h"
#include "server/base/clock.h"
#include "server/base/random.h"
#include "server/store/keyspace.h"

namespace tandem {

// Goes round a primary's keys, a slice at a time, and says what its replicas are to have there.
class DigestWalk {
 public:
  using LibrarySources = std::function<std::vector<std::string>()>;

  // All that it is given outlives it.
  DigestWalk(Keyspace* keyspace, Clock* clock, Random* random, LibrarySources library_sources)
      : keyspace_(*keyspace),
        clock_(*clock),
        random_(*random),
        library_sources_(std::move(library_sources)) {}

  // The next slice, as text of a DigestMessage: what a millisecond suffices for, or all that is
  // left of the round. Not while a unit of effects is open: it speaks of the stream's end.
  std::string next_slice();

  // A replica wants to know about these keys: the next slices begin with them. What is too much at
  // once is passed over.
  void ask(DigestQuestion question);

  uint64_t slices() const { return slices_; }
  // How often every key has been looked at.
  uint64_t rounds() const { return rounds_; }

 private:
  bool full(const DigestMessageWriter& writer, int64_t deadline_us) const;
  bool step(DigestMessageWriter* writer);
  void answer(DigestMessageWriter* writer);
  void add_entry(int db, const Entry& entry, DigestMessageWriter* writer);

  Keyspace& keyspace_;
  Clock& clock_;
  Random& random_;
  LibrarySources library_sources_;
  DigestQuestion asked_;
  int db_ = 0;
  uint64_t cursor_ = 0;
  uint64_t slices_ = 0;
  uint64_t rounds_ = 0;
};

}  // namespace tandem
