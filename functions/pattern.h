#pragma once

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <lua.hpp>
#include <string_view>
#include <vector>

#include "functions/lua_allocator.h"

namespace tandem {

// Lua's string patterns (Lua 5.1 reference manual, section 5.4.1), compiled, with a matcher that
// library code can neither run out of C stack nor hold up: the matcher goes no deeper than
// kMaxDepth ("pattern too complex"), and looks now and then whether the script has to end.
//
// What is wrong with a pattern is reported when the matcher gets there, as in Lua: an error in a
// part that no subject reaches goes unnoticed. Errors are Lua errors.
class Pattern {
 public:
  // `text` may be freed afterwards. As in Lua 5.1, it ends at its first zero byte. The pattern
  // lives in the state's memory; when there is not enough, Lua's error is raised.
  Pattern(lua_State* lua, std::string_view text);

  // Whether a plain search finds the same.
  static bool is_plain(std::string_view text);

 private:
  friend class PatternMatch;

  enum class Op : uint8_t {
    kByte,      // `byte`
    kAny,       // any byte
    kSet,       // a byte of sets_[index]
    kOpen,      // a capture begins
    kPosition,  // a capture of the position
    kClose,     // the innermost open capture ends
    kBack,      // what capture `byte` holds
    kBalanced,  // from `byte` to `second`, balanced
    kFrontier,  // between a byte outside sets_[index] and one in it
    kSubjectEnd,
    kError,  // errors_[index]
    kMatched,
  };
  enum class Repeat : uint8_t { kOnce, kOptional, kAny, kMany, kFewest };
  struct Item {
    Op op;
    Repeat repeat = Repeat::kOnce;
    unsigned char byte = 0;
    unsigned char second = 0;
    uint16_t index = 0;
  };

  void compile(std::string_view text);
  size_t add_escaped(std::string_view text, size_t at);
  size_t add_set(std::string_view text, size_t at, Item* item);
  size_t add_single(std::string_view text, size_t at);
  void add_error(const char* message);

  std::vector<Item, LuaStdAllocator<Item>> items_;
  std::vector<std::bitset<256>, LuaStdAllocator<std::bitset<256>>> sets_;
  const char* error_ = nullptr;  // of the kError item, which ends the pattern
};

// One search for a pattern in a subject, which both outlive it.
class PatternMatch {
 public:
  static constexpr int kMaxCaptures = 32;
  static constexpr int kMaxDepth = 200;

  PatternMatch(lua_State* lua, const Pattern& pattern, std::string_view subject)
      : lua_(lua), pattern_(pattern), subject_(subject) {}

  // The end of a match that begins at `begin`, or npos.
  size_t match_at(size_t begin);

  // Pushes all captures of a match, or, when there are none, the whole of it. Returns how many.
  int push_captures(size_t begin, size_t end) const;
  // Pushes the captures alone.
  int push_only_captures() const;
  // Pushes capture `index`, from 0 on; 0 is the whole when there are no captures.
  void push_capture(int index, size_t begin, size_t end) const;

 private:
  using Item = Pattern::Item;
  static constexpr size_t kOpenCapture = SIZE_MAX;
  static constexpr size_t kPositionCapture = SIZE_MAX - 1;
  struct Capture {
    size_t begin;
    size_t length;
  };

  bool takes(const Item& item, size_t at) const;
  size_t match(size_t at, const Item* item);
  size_t match_repeated(size_t at, const Item* item);
  size_t match_greedy(size_t at, const Item* item);
  size_t match_fewest(size_t at, const Item* item);
  size_t match_captured(size_t at, const Item* item, size_t length);
  size_t match_closed(size_t at, const Item* item);
  size_t skip_back_reference(size_t at, const Item& item) const;
  size_t skip_balanced(size_t at, const Item& item);
  bool is_frontier(size_t at, const Item& item) const;
  void count_step();

  lua_State* lua_;
  const Pattern& pattern_;
  std::string_view subject_;
  int depth_ = 0;
  int capture_count_ = 0;
  uint32_t steps_ = 0;
  Capture captures_[kMaxCaptures];
};

}  // namespace tandem
