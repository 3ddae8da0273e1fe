#include "tests/peer/random/differences.h"

#include <algorithm>

#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "tests/peer/random/generator.h"
#include "tests/support/reply_text.h"

namespace tandem::peer {
namespace {

bool is_bulk(const ReplyValue& reply, std::string_view text) {
  return reply.type == ReplyValue::Type::kBulk && reply.text == text;
}

bool are_errors(const ReplyValue& ours, std::string_view our_text, const ReplyValue& theirs,
                std::string_view their_text) {
  return ours.is_error() && theirs.is_error() && ours.text == our_text && theirs.text == their_text;
}

// "LREM key -9223372036854775808 element"
bool is_least_count(const Words& words) {
  return words.size() > 2 && parse_int64(words[2]) == INT64_MIN;
}

// "LPOS … RANK -9223372036854775808"
bool is_least_rank_refused(const Words& words, const ReplyValue& ours, const ReplyValue&) {
  return std::find(words.begin(), words.end(), "-9223372036854775808") != words.end() &&
         ours.is_error() && ours.text.starts_with("ERR value is out of range, value must between");
}

bool asks_for_billions(const Words& words) {
  return words.size() > 2 && parse_int64(words[2]).value_or(0) < -100'000;
}

// 7.0.15 takes an empty cursor for 0, and -1 for the largest one, but none that begins with a
// space.
bool is_odd_cursor(const Words& words, const ReplyValue& ours, const ReplyValue& theirs) {
  const size_t at = words[0] == "SCAN" ? 1 : 2;
  if (words.size() <= at) return false;
  const std::string& cursor = words[at];
  const bool odd = cursor.empty() || cursor[0] == '-' || cursor[0] == ' ';
  return odd && (ours.text == "ERR invalid cursor" || theirs.text == "ERR invalid cursor");
}

bool names_shapes(const Words&, const ReplyValue& ours, const ReplyValue& theirs) {
  return ours.is_error() && theirs.is_error() &&
         ours.text.starts_with("ERR exactly one of BYRADIUS, BYBOX and BYPOLYGON") &&
         theirs.text.starts_with("ERR exactly one of BYRADIUS and BYBOX");
}

// Another argument than these is no error of arity to Valkey.
bool has_option(const Words& words) { return words.size() == 4; }

// sorted_sets.cc keeps these keys for members that all have the score 0.
bool scores_differ(const Words& words) {
  if (words.size() < 2 || !words[1].starts_with("lex:")) return false;
  if (words.size() < 3 || words[2] != "NX") return true;
  for (size_t i = 3; i < words.size(); i += 2) {
    if (words[i] != "0") return true;
  }
  return false;
}

constexpr const char* kRankReason = "ZRANK and ZREVRANK have got the option WITHSCORE.";
constexpr const char* kPolygonReason = "Valkey 9 has a third shape, and names it.";
constexpr const char* kCursorReason = "Valkey parses cursors more strictly.";

bool are_unbalanced(const Words&, const ReplyValue& ours, const ReplyValue& theirs) {
  return ours.text.starts_with("ERR Unbalanced ") && theirs.text.starts_with("ERR Unbalanced ");
}

// Has COUNT choose among members, or stores what it has chosen.
bool chooses(const Words& words) {
  return std::any_of(words.begin(), words.end(),
                     [](const std::string& word) { return equals_ignore_case(word, "count"); });
}
bool stores_a_choice(const Words& words) {
  return chooses(words) && (words[0] == "GEOSEARCHSTORE" ||
                            std::any_of(words.begin(), words.end(), [](const std::string& word) {
                              return word.starts_with("STORE");
                            }));
}
// The same members in another order or, with COUNT, as many, of whom some may be others as far
// away.
bool are_as_far_away(const Words& words, const ReplyValue& ours, const ReplyValue& theirs) {
  if (ours.elements.size() != theirs.elements.size() || ours.elements.empty()) return false;
  if (chooses(words)) return true;
  ReplyValue our_sorted = ours, their_sorted = theirs;
  any_order(words, our_sorted);
  any_order(words, their_sorted);
  return reply_text(our_sorted) == reply_text(their_sorted);
}

// Ends a key's life so soon that one server may have seen it and the other not.
bool expires_soon(const Words& words) {
  static constexpr std::string_view kRelative[] = {"EXPIRE", "PEXPIRE", "SETEX",
                                                   "PSETEX", "EX",      "PX"};
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    const bool relative =
        std::any_of(std::begin(kRelative), std::end(kRelative),
                    [&](std::string_view name) { return equals_ignore_case(words[i], name); });
    const size_t at = i == 0 ? 2 : i + 1;
    if (!relative || at >= words.size()) continue;
    const int64_t duration = parse_int64(words[at]).value_or(0);
    if (duration > 0 && duration < 1'000'000) return true;
  }
  return false;
}

// What an earlier command's conversion has left in errno.
bool is_stale_error(const Words&, const ReplyValue& ours, const ReplyValue& theirs) {
  return !ours.is_error() && theirs.text == "ERR One or more scores can't be converted into double";
}

constexpr const char* kStaleReason = "7.0.15 takes the error of an earlier command for SORT's own.";
constexpr const char* kDistanceReason =
    "Which of the members at the same distance comes first is a matter of the sorting algorithm.";
constexpr const char* kUnbalancedReason = "The text says the command's name in another way.";

// Refused for its arguments on our side, while 7.0.15 looks at the key, or at another argument,
// first.
bool is_refused_for_its_range(const Words&, const ReplyValue& ours, const ReplyValue& theirs) {
  const bool bad_range =
      ours.text == "ERR value is not an integer or out of range" || ours.text == "ERR syntax error";
  return ours.is_error() && bad_range &&
         (theirs.is_error() || theirs.type == ReplyValue::Type::kInteger);
}

// Would change single bytes of a HyperLogLog, or give it a name under which others do.
bool may_damage_hyperloglog(const Words& words) {
  static constexpr std::string_view kFirstKey[] = {"SETBIT", "BITFIELD", "APPEND", "SETRANGE",
                                                   "RENAME", "RENAMENX", "COPY"};
  const bool first =
      std::find(std::begin(kFirstKey), std::end(kFirstKey), words[0]) != std::end(kFirstKey);
  const size_t key = words[0] == "BITOP" ? 2 : first ? 1 : SIZE_MAX;
  return key < words.size() && words[key].starts_with("p:");
}

constexpr const char* kRangeReason =
    "Valkey reads all arguments before it looks at the key, and the unit before the end.";

constexpr Difference kDifferences[] = {
    {.command = "BITCOUNT", .reason = kRangeReason, .excused = is_refused_for_its_range},
    {.command = "BITCOUNT",
     .reason = "Valkey takes a start without an end.",
     .excused = [](const Words& words, const ReplyValue&,
                   const ReplyValue& theirs) { return words.size() == 3 && theirs.is_error(); }},
    {.command = "",
     .reason = "7.0.15 takes HyperLogLogs whose runs end early or go on too long, and reads past "
               "the end of a string.",
     .avoided = may_damage_hyperloglog},
    {.command = "BITPOS", .reason = kRangeReason, .excused = is_refused_for_its_range},
    {.command = "SCAN", .reason = kCursorReason, .excused = is_odd_cursor},
    {.command = "HSCAN", .reason = kCursorReason, .excused = is_odd_cursor},
    {.command = "SSCAN", .reason = kCursorReason, .excused = is_odd_cursor},
    {.command = "ZSCAN", .reason = kCursorReason, .excused = is_odd_cursor},
    {.command = "HRANDFIELD",
     .reason = "Both reply with as many elements as they are asked for, repeating themselves.",
     .avoided = asks_for_billions},
    {.command = "SRANDMEMBER", .reason = "As HRANDFIELD.", .avoided = asks_for_billions},
    {.command = "ZRANDMEMBER", .reason = "As HRANDFIELD.", .avoided = asks_for_billions},
    {.command = "XREAD", .reason = kUnbalancedReason, .excused = are_unbalanced},
    {.command = "XREADGROUP", .reason = kUnbalancedReason, .excused = are_unbalanced},
    {.command = "XGROUP",
     .reason = "Since 7.2 XCLAIM and XAUTOCLAIM create a consumer that has nothing to claim.",
     .excused =
         [](const Words& words, const ReplyValue& ours, const ReplyValue& theirs) {
           return words.size() == 5 && equals_ignore_case(words[1], "createconsumer") &&
                  ours.type == ReplyValue::Type::kInteger && ours.integer == 0 &&
                  theirs.integer == 1;
         }},
    {.command = "ZADD",
     .reason = "What is in a range of members of several scores depends on the skip list's levels.",
     .avoided = scores_differ},
    {.command = "ZRANK", .reason = kRankReason, .avoided = has_option},
    {.command = "ZREVRANK", .reason = kRankReason, .avoided = has_option},
    {.command = "", .reason = kDistanceReason, .avoided = stores_a_choice},
    {.command = "",
     .reason = "The two clocks are not read at the same moment.",
     .avoided = expires_soon},
    {.command = "GEORADIUS", .reason = kDistanceReason, .excused = are_as_far_away},
    {.command = "GEORADIUS_RO", .reason = kDistanceReason, .excused = are_as_far_away},
    {.command = "GEORADIUSBYMEMBER", .reason = kDistanceReason, .excused = are_as_far_away},
    {.command = "GEORADIUSBYMEMBER_RO", .reason = kDistanceReason, .excused = are_as_far_away},
    {.command = "GEOSEARCH", .reason = kDistanceReason, .excused = are_as_far_away},
    {.command = "GEOSEARCH", .reason = kPolygonReason, .excused = names_shapes},
    {.command = "GEOSEARCHSTORE", .reason = kPolygonReason, .excused = names_shapes},
    {.command = "OBJECT",
     .reason = "7.0.15 has no listpacks for sets, finds out when it loads a table that all members "
               "are integers, and makes no intset of an intersection.",
     .excused =
         [](const Words& words, const ReplyValue& ours, const ReplyValue& theirs) {
           const bool packed = is_bulk(ours, "intset") || is_bulk(ours, "listpack");
           return words.size() == 3 && packed &&
                  (is_bulk(theirs, "hashtable") || is_bulk(theirs, "intset"));
         }},
    {.command = "OBJECT",
     .reason = "SORT unpacks a sorted set for good there; here what reads leaves a value as it is.",
     .excused =
         [](const Words&, const ReplyValue& ours, const ReplyValue& theirs) {
           return is_bulk(ours, "listpack") && is_bulk(theirs, "skiplist");
         }},
    {.command = "SORT", .reason = kStaleReason, .excused = is_stale_error},
    {.command = "SORT_RO", .reason = kStaleReason, .excused = is_stale_error},
    {.command = "SPOP",
     .reason = "What it leaves is a matter of chance, unless it takes all.",
     .avoided =
         [](const Words& words) {
           if (words.size() != 3) return words.size() == 2;
           const int64_t count = parse_int64(words[2]).value_or(0);
           return count > 0 && count < 100'000;
         }},
    {.command = "",
     .reason = "Valkey's errors of scripts and functions do not name Redis.",
     .excused =
         [](const Words&, const ReplyValue& ours, const ReplyValue& theirs) {
           return are_errors(ours, "ERR Wrong number of args calling command from script", theirs,
                             "ERR Wrong number of args calling Redis command from script") ||
                  are_errors(ours, "ERR Unknown command called from script", theirs,
                             "ERR Unknown Redis command called from script");
         }},
    {.command = "LREM",
     .reason = "Valkey refuses a count that has no magnitude.",
     .avoided = is_least_count},
    {.command = "LPOS",
     .reason = "Valkey refuses a rank that has no magnitude.",
     .excused = is_least_rank_refused},
    {.command = "OBJECT",
     .reason = "7.0.15 has no listpack encoding of lists.",
     .excused =
         [](const Words& words, const ReplyValue& ours, const ReplyValue& theirs) {
           return words.size() == 3 && is_bulk(ours, "listpack") && is_bulk(theirs, "quicklist");
         }},
    {.command = "OBJECT",
     .reason = "A small string's encoding tells of its past: a sum that INCRBYFLOAT left, or a "
               "number of a RESTORE, is an integer on one side and text on the other.",
     .excused =
         [](const Words& words, const ReplyValue& ours, const ReplyValue& theirs) {
           return words.size() == 3 && (is_bulk(ours, "int") || is_bulk(ours, "embstr")) &&
                  (is_bulk(theirs, "int") || is_bulk(theirs, "embstr"));
         }},
};

}  // namespace

std::span<const Difference> differences() { return kDifferences; }

bool is_excused(const Words& words, const ReplyValue& ours, const ReplyValue& theirs) {
  return std::any_of(std::begin(kDifferences), std::end(kDifferences), [&](const Difference& one) {
    return one.excused != nullptr && (one.command.empty() || one.command == words[0]) &&
           one.excused(words, ours, theirs);
  });
}

// 7.0.15 creates the consumer that XREADGROUP, XCLAIM and XAUTOCLAIM name only when there is
// something for it, and so has less to delete; Valkey always does.
bool is_event_excused(std::string_view event) {
  return event.find("xgroup-createconsumer") != std::string_view::npos ||
         event.find("xgroup-delconsumer") != std::string_view::npos;
}

bool is_avoided(const Words& words) {
  return std::any_of(std::begin(kDifferences), std::end(kDifferences), [&](const Difference& one) {
    return one.avoided != nullptr && (one.command.empty() || one.command == words[0]) &&
           one.avoided(words);
  });
}

}  // namespace tandem::peer
