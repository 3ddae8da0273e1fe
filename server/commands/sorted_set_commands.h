#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "server/exec/call.h"
#include "server/store/sorted_set_value.h"

namespace tandem {

// What the families that work on sorted sets share.

// Up to where sorted sets stay packed, from the configuration.
SortedSetLimits sorted_set_limits(const Call& call);

// The sorted set at a key, null for a missing key. Empty when it is of another type: WRONGTYPE has
// been replied.
std::optional<const SortedSetValue*> find_sorted_set(Call& call, std::string_view key);
// As find_sorted_set(), for changing it.
std::optional<SortedSetValue*> find_sorted_set_for_write(Call& call, std::string_view key);
SortedSetValue* create_sorted_set(Call& call, std::string_view key,
                                  std::unique_ptr<SortedSetValue> value);

// How ZADD and GEOADD add.
struct AddOptions {
  SortedSetValue::Conditions conditions;
  bool count_changed = false;  // CH: the reply counts changed scores too
  size_t first_pair = 2;       // the first argument behind the options
};

// ZADD once its options have been read: `pairs` is score, member, score, member … Adds them to the
// set at args[1] and replies. Returns whether anything has changed.
bool add_pairs(Call& call, Args pairs, const AddOptions& options);

// To be called when `count` elements, more than none, have been taken out: says so, and removes a
// set that has become empty.
void removed_from_sorted_set(Call& call, std::string_view key, const SortedSetValue& set,
                             size_t count, std::string_view event);

// Puts a result where a STORE command wants it, in place of what is there, and replies its size. An
// empty result leaves no key.
void store_sorted_set(Call& call, std::string_view destination,
                      std::unique_ptr<SortedSetValue> result, std::string_view event);

// Replies of several elements: the header, then each element. With scores, RESP3 has a pair for
// each, RESP2 one flat array.
class ScoredReply {
 public:
  ScoredReply(Reply& reply, bool with_scores)
      : reply_(reply), with_scores_(with_scores), in_pairs_(with_scores && reply.protocol() >= 3) {}

  void header(size_t elements) {
    reply_.array(with_scores_ && !in_pairs_ ? 2 * elements : elements);
  }
  void operator()(std::string_view member, double score) {
    if (in_pairs_) reply_.array(2);
    reply_.bulk(member);
    if (with_scores_) reply_.real(score);
  }

 private:
  Reply& reply_;
  const bool with_scores_;
  const bool in_pairs_;
};

// "ERR value is not a valid float" (or `message`) unless `text` is a score: a number, maybe
// infinite.
std::optional<double> read_score(Call& call, std::string_view text,
                                 std::string_view message = "ERR value is not a valid float");

// "MIN" or "MAX".
enum class SetEnd : uint8_t { kMin, kMax };
std::optional<SetEnd> read_set_end(std::string_view text);

}  // namespace tandem
