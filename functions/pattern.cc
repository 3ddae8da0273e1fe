#include "functions/pattern.h"

#include <cctype>
#include <cstring>
#include <new>

#include "functions/lua_host.h"

namespace tandem {

namespace {

constexpr size_t npos = std::string_view::npos;
// Between two looks whether the script has to end: well under a millisecond.
constexpr uint32_t kStepsBetweenChecks = 1u << 16;

// The test behind a class letter (%a, %d, …); null for a byte that stands for itself.
int (*class_test(unsigned char letter))(int) {
  switch (std::tolower(letter)) {
    case 'a':
      return std::isalpha;
    case 'c':
      return std::iscntrl;
    case 'd':
      return std::isdigit;
    case 'l':
      return std::islower;
    case 'p':
      return std::ispunct;
    case 's':
      return std::isspace;
    case 'u':
      return std::isupper;
    case 'w':
      return std::isalnum;
    case 'x':
      return std::isxdigit;
    case 'z':
      return [](int byte) { return byte == 0 ? 1 : 0; };
    default:
      return nullptr;
  }
}

// Adds the bytes that %letter stands for; an upper-case letter means all others.
void add_class(unsigned char letter, std::bitset<256>* set) {
  const auto test = class_test(letter);
  if (test == nullptr) {
    set->set(letter);
    return;
  }
  const bool wanted = std::isupper(letter) == 0;
  for (int byte = 0; byte < 256; ++byte) {
    if ((test(byte) != 0) == wanted) set->set(static_cast<size_t>(byte));
  }
}

}  // namespace

bool Pattern::is_plain(std::string_view text) {
  return text.substr(0, text.find('\0')).find_first_of("^$*+?.([%-") == npos;
}

Pattern::Pattern(lua_State* lua, std::string_view text)
    : items_(LuaStdAllocator<Item>(LuaAllocator::of(lua))),
      sets_(LuaStdAllocator<std::bitset<256>>(LuaAllocator::of(lua))) {
  try {
    compile(text);
  } catch (const std::bad_alloc&) {
    // Only Lua can raise its own error of this kind: it fails to make a block that nobody could.
    lua_newuserdata(lua, SIZE_MAX / 4);
  }
}

void Pattern::compile(std::string_view text) {
  text = text.substr(0, text.find('\0'));
  items_.reserve(text.size() + 1);
  for (size_t at = 0; at < text.size() && error_ == nullptr;) {
    switch (text[at]) {
      case '(':
        if (at + 1 < text.size() && text[at + 1] == ')') {
          items_.push_back({Op::kPosition});
          at += 2;
        } else {
          items_.push_back({Op::kOpen});
          ++at;
        }
        break;
      case ')':
        items_.push_back({Op::kClose});
        ++at;
        break;
      case '$':
        if (at + 1 == text.size()) {
          items_.push_back({Op::kSubjectEnd});
          ++at;
        } else {
          at = add_single(text, at);
        }
        break;
      case '%':
        at = add_escaped(text, at);
        break;
      default:
        at = add_single(text, at);
    }
  }
  if (error_ == nullptr) items_.push_back({Op::kMatched});
}

void Pattern::add_error(const char* message) {
  error_ = message;
  items_.push_back({Op::kError});
}

// What begins with a '%' at `at`. Returns where the pattern goes on.
size_t Pattern::add_escaped(std::string_view text, size_t at) {
  const char next = at + 1 < text.size() ? text[at + 1] : '\0';
  if (std::isdigit(static_cast<unsigned char>(next)) != 0) {
    Item item{Op::kBack};
    item.byte = static_cast<unsigned char>(next - '1');  // %0 is out of any range
    items_.push_back(item);
    return at + 2;
  }
  if (next == 'b') {
    if (at + 3 >= text.size()) {
      add_error("unbalanced pattern");
      return text.size();
    }
    Item item{Op::kBalanced};
    item.byte = static_cast<unsigned char>(text[at + 2]);
    item.second = static_cast<unsigned char>(text[at + 3]);
    items_.push_back(item);
    return at + 4;
  }
  if (next == 'f') {
    if (at + 2 >= text.size() || text[at + 2] != '[') {
      add_error("missing '[' after '%f' in pattern");
      return text.size();
    }
    Item item{Op::kFrontier};
    at = add_set(text, at + 2, &item);
    if (error_ == nullptr) items_.push_back(item);
    return at;
  }
  return add_single(text, at);
}

// The set that begins with the '[' at `at`, for `item`. Returns where the pattern goes on.
size_t Pattern::add_set(std::string_view text, size_t at, Item* item) {
  std::bitset<256> set;
  ++at;
  const bool others = at < text.size() && text[at] == '^';
  if (others) ++at;
  // The first one is never the end of the set.
  for (bool first = true; first || at >= text.size() || text[at] != ']'; first = false) {
    if (at >= text.size()) {
      add_error("malformed pattern (missing ']')");
      return text.size();
    }
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte == '%' && at + 1 < text.size()) {
      add_class(static_cast<unsigned char>(text[at + 1]), &set);
      at += 2;
    } else if (at + 2 < text.size() && text[at + 1] == '-' && text[at + 2] != ']') {
      const auto last = static_cast<unsigned char>(text[at + 2]);
      for (size_t each = byte; each <= last; ++each) set.set(each);
      at += 3;
    } else {
      set.set(byte);
      ++at;
    }
  }
  item->index = static_cast<uint16_t>(sets_.size());
  if (sets_.size() == UINT16_MAX) {
    add_error("pattern too complex");
    return text.size();
  }
  sets_.push_back(others ? ~set : set);
  return at + 1;
}

// An item that takes one byte, and how often it may. Returns where the pattern goes on.
size_t Pattern::add_single(std::string_view text, size_t at) {
  Item item{Op::kByte};
  const char first = text[at];
  if (first == '[') {
    item.op = Op::kSet;
    at = add_set(text, at, &item);
    if (error_ != nullptr) return at;
  } else if (first == '%') {
    if (at + 1 == text.size()) {
      add_error("malformed pattern (ends with '%')");
      return text.size();
    }
    const auto letter = static_cast<unsigned char>(text[at + 1]);
    item.byte = letter;
    if (class_test(letter) != nullptr) {
      if (sets_.size() == UINT16_MAX) {
        add_error("pattern too complex");
        return text.size();
      }
      item.op = Op::kSet;
      item.index = static_cast<uint16_t>(sets_.size());
      add_class(letter, &sets_.emplace_back());
    }
    at += 2;
  } else {
    if (first == '.') item.op = Op::kAny;
    item.byte = static_cast<unsigned char>(first);
    ++at;
  }
  constexpr std::string_view kMarks = "?*+-";
  constexpr Repeat kRepeats[] = {Repeat::kOptional, Repeat::kAny, Repeat::kMany, Repeat::kFewest};
  const size_t mark = at < text.size() ? kMarks.find(text[at]) : npos;
  if (mark != npos) {
    item.repeat = kRepeats[mark];
    ++at;
  }
  items_.push_back(item);
  return at;
}

size_t PatternMatch::match_at(size_t begin) {
  capture_count_ = 0;
  depth_ = 0;
  return match(begin, pattern_.items_.data());
}

bool PatternMatch::takes(const Item& item, size_t at) const {
  if (at >= subject_.size()) return false;
  const auto byte = static_cast<unsigned char>(subject_[at]);
  switch (item.op) {
    case Pattern::Op::kAny:
      return true;
    case Pattern::Op::kSet:
      return pattern_.sets_[item.index][byte];
    default:
      return byte == item.byte;
  }
}

void PatternMatch::count_step() {
  if (++steps_ % kStepsBetweenChecks == 0) LuaHost::of(lua_).check_time(lua_);
}

// The end of a match of the items from `item` on that begins at `at`, or npos. Items that take what
// they take in only one way are a loop; the others try the rest of the pattern one level deeper.
size_t PatternMatch::match(size_t at, const Item* item) {
  if (++depth_ > kMaxDepth) luaL_error(lua_, "pattern too complex");
  size_t end = npos;
  while (true) {
    count_step();
    switch (item->op) {
      case Pattern::Op::kOpen:
        end = match_captured(at, item + 1, kOpenCapture);
        break;
      case Pattern::Op::kPosition:
        end = match_captured(at, item + 1, kPositionCapture);
        break;
      case Pattern::Op::kClose:
        end = match_closed(at, item + 1);
        break;
      case Pattern::Op::kBack:
        at = skip_back_reference(at, *item++);
        if (at != npos) continue;
        break;
      case Pattern::Op::kBalanced:
        at = skip_balanced(at, *item++);
        if (at != npos) continue;
        break;
      case Pattern::Op::kFrontier:
        if (is_frontier(at, *item++)) continue;
        break;
      case Pattern::Op::kSubjectEnd:
        if (at == subject_.size()) end = at;
        break;
      case Pattern::Op::kError:
        luaL_error(lua_, "%s", pattern_.error_);
        break;
      case Pattern::Op::kMatched:
        end = at;
        break;
      default:
        if (item->repeat != Pattern::Repeat::kOnce) {
          end = match_repeated(at, item);
        } else if (takes(*item, at)) {
          ++at;
          ++item;
          continue;
        }
    }
    break;
  }
  --depth_;
  return end;
}

size_t PatternMatch::match_repeated(size_t at, const Item* item) {
  switch (item->repeat) {
    case Pattern::Repeat::kOptional:
      if (takes(*item, at)) {
        const size_t end = match(at + 1, item + 1);
        if (end != npos) return end;
      }
      return match(at, item + 1);
    case Pattern::Repeat::kMany:
      return takes(*item, at) ? match_greedy(at, item) : npos;
    case Pattern::Repeat::kAny:
      return match_greedy(at, item);
    default:
      return match_fewest(at, item);
  }
}

// As many as there are, then fewer and fewer. kMany has looked at the first, which is not given
// back.
size_t PatternMatch::match_greedy(size_t at, const Item* item) {
  const size_t fewest = at + (item->repeat == Pattern::Repeat::kMany ? 1 : 0);
  size_t last = fewest;
  while (takes(*item, last)) {
    ++last;
    count_step();
  }
  while (true) {
    const size_t end = match(last, item + 1);
    if (end != npos) return end;
    if (last == fewest) return npos;
    --last;
  }
}

size_t PatternMatch::match_fewest(size_t at, const Item* item) {
  while (true) {
    const size_t end = match(at, item + 1);
    if (end != npos) return end;
    if (!takes(*item, at)) return npos;
    ++at;
  }
}

size_t PatternMatch::match_captured(size_t at, const Item* item, size_t length) {
  if (capture_count_ >= kMaxCaptures) luaL_error(lua_, "too many captures");
  captures_[capture_count_++] = {at, length};
  const size_t end = match(at, item);
  if (end == npos) --capture_count_;
  return end;
}

size_t PatternMatch::match_closed(size_t at, const Item* item) {
  int open = capture_count_ - 1;
  while (open >= 0 && captures_[open].length != kOpenCapture) --open;
  if (open < 0) luaL_error(lua_, "invalid pattern capture");
  captures_[open].length = at - captures_[open].begin;
  const size_t end = match(at, item);
  if (end == npos) captures_[open].length = kOpenCapture;
  return end;
}

size_t PatternMatch::skip_back_reference(size_t at, const Item& item) const {
  if (item.byte >= capture_count_ || captures_[item.byte].length == kOpenCapture) {
    luaL_error(lua_, "invalid capture index");
  }
  const Capture& capture = captures_[item.byte];
  // What a position refers back to can be nowhere.
  if (capture.length == kPositionCapture || capture.length > subject_.size() - at) return npos;
  const bool same =
      subject_.substr(at, capture.length) == subject_.substr(capture.begin, capture.length);
  return same ? at + capture.length : npos;
}

size_t PatternMatch::skip_balanced(size_t at, const Item& item) {
  if (at >= subject_.size() || static_cast<unsigned char>(subject_[at]) != item.byte) return npos;
  for (size_t nested = 1; ++at < subject_.size(); count_step()) {
    const auto byte = static_cast<unsigned char>(subject_[at]);
    if (byte == item.second) {
      if (--nested == 0) return at + 1;
    } else if (byte == item.byte) {
      ++nested;
    }
  }
  return npos;
}

// Both ends of the subject count as zero bytes.
bool PatternMatch::is_frontier(size_t at, const Item& item) const {
  const auto byte_at = [this](size_t place) {
    return place < subject_.size() ? static_cast<unsigned char>(subject_[place]) : 0;
  };
  const std::bitset<256>& set = pattern_.sets_[item.index];
  return !set[at == 0 ? 0 : byte_at(at - 1)] && set[byte_at(at)];
}

void PatternMatch::push_capture(int index, size_t begin, size_t end) const {
  if (index >= capture_count_) {
    if (index != 0) luaL_error(lua_, "invalid capture index");
    lua_pushlstring(lua_, subject_.data() + begin, end - begin);
    return;
  }
  const Capture& capture = captures_[index];
  if (capture.length == kOpenCapture) luaL_error(lua_, "unfinished capture");
  if (capture.length == kPositionCapture) {
    lua_pushinteger(lua_, static_cast<lua_Integer>(capture.begin + 1));
  } else {
    lua_pushlstring(lua_, subject_.data() + capture.begin, capture.length);
  }
}

int PatternMatch::push_captures(size_t begin, size_t end) const {
  if (capture_count_ > 0) return push_only_captures();
  push_capture(0, begin, end);
  return 1;
}

int PatternMatch::push_only_captures() const {
  luaL_checkstack(lua_, capture_count_, "too many captures");
  for (int i = 0; i < capture_count_; ++i) push_capture(i, 0, 0);
  return capture_count_;
}

}  // namespace tandem
