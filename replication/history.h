#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "replication/backlog.h"
#include "server/base/random.h"

namespace tandem {

// Which history this server's data belongs to and how far it has come: a replication id, the offset
// in its stream, the id that was followed before with the last offset that both share, and the
// backlog.
class ReplicationHistory {
 public:
  explicit ReplicationHistory(Random* random);

  const std::string& id() const { return id_; }
  const std::string& previous_id() const { return previous_id_; }
  uint64_t offset() const { return offset_; }
  // The first offset that the previous id has no part in; -1 without one.
  int64_t second_offset() const { return second_offset_; }
  Backlog* backlog() { return backlog_ ? &*backlog_ : nullptr; }
  const Backlog* backlog() const { return backlog_ ? &*backlog_ : nullptr; }

  // The stream grows.
  void append(std::string_view bytes);
  // A new, random id; with no memory of the one before.
  void change_id();
  // A new id for what follows: the stream so far stays known under the one before.
  void branch(std::string new_id);
  void branch();
  // Another server's history is taken over; the backlog is emptied.
  void adopt(std::string id, uint64_t offset);
  // After a restart of a primary: replicas of the earlier life may resume at exactly this point.
  void continue_from(std::string id, uint64_t offset);
  void forget_previous();

  // Creates the backlog if there is none. A fresh one stands for a fresh history when
  // `new_history`: nothing that was not recorded may be asked for.
  void ensure_backlog(uint64_t wanted_bytes, bool new_history);
  void drop_backlog() { backlog_.reset(); }

  // Whether a replica that has `id`'s stream up to before `offset` can go on from here.
  bool can_resume(std::string_view id, int64_t offset) const;

 private:
  Random* random_;
  std::string id_;
  std::string previous_id_;
  uint64_t offset_ = 0;
  int64_t second_offset_ = -1;
  std::optional<Backlog> backlog_;
};

}  // namespace tandem
