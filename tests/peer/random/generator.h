#pragma once

// Random commands for Tandem and redis-server 7.0.15, both given the same bytes. A family of
// commands joins in three steps:
//   1. lists.cc beside this file defines `void add_lists(Catalog& catalog)` (see strings.cc);
//   2. catalog.family("lists", 'l') names it and the pool of keys that Generator::key() mostly
//      draws from while one of its makers runs; families with the same letter share their keys;
//   3. catalog.add(weight, maker) for each kind of command, catalog.add_inside() for those that
//      must not wait for data (they then run in MULTI only, as 7.0.15 refuses most of them in
//      functions), catalog.compare(name, rule) where a reply's order or numbers are unspecified,
//      catalog.setting(directive, {values}) for thresholds both servers know; and a line in
//      families.cc.
// A maker never sees replies and never tries to be right: wrong types, arity and numbers are
// wanted. What 7.0.15 does differently from Valkey 8.1 goes into differences.cc with its reason.

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/random.h"
#include "server/resp/reply_reader.h"

namespace tandem::peer {

using Words = std::vector<std::string>;

// Draws the pieces of commands. Equal seeds give equal pieces, whatever the servers reply.
class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  uint64_t below(uint64_t bound) { return random_.below(bound); }
  int64_t between(int64_t low, int64_t high);  // both included
  bool chance(int percent) { return below(100) < static_cast<uint64_t>(percent); }
  std::string one_of(std::initializer_list<std::string_view> choices);

  // A key of the family's own pool; one time in ten, one of any pool.
  std::string key() { return chance(10) ? any_key() : pool_key(pool_); }
  std::string any_key();
  // A field of a hash, a member of a set: sixteen that meet often, some odd ones, now and then one
  // of hundreds.
  std::string field();
  // A string: a word, a number, bytes at the sizes where encodings change.
  std::string value();
  // An integer as text, with the limits of int64 and, one time in ten, what only looks like one.
  std::string integer();
  // -20 to 20, one time in ten integer().
  std::string small();
  // 0 to 12, one time in ten small().
  std::string count();
  // A floating-point number, with infinities, NaN, and texts that are none.
  std::string floating();
  std::string pattern();  // a glob
  std::string database();
  // A duration that does not end while the test runs, as text; one time in ten a bad one. Two
  // servers give it deadlines that differ by the time between them.
  std::string duration(bool in_seconds);
  // A point in time, far in the past or the future, as text; one time in ten a bad one.
  std::string moment(bool in_seconds);

  // `most` or fewer pieces, one at least.
  template <typename Make>
  Words several(Make make, uint64_t most = 4) {
    Words words;
    for (uint64_t count = 1 + below(most); count > 0; --count) words.push_back(make());
    return words;
  }
  // As several(), in pairs.
  template <typename First, typename Second>
  Words pairs(First first, Second second, uint64_t most = 4) {
    Words words;
    for (uint64_t count = 1 + below(most); count > 0; --count) {
      words.push_back(first());
      words.push_back(second());
    }
    return words;
  }
  // The words three times in ten, else none.
  Words maybe(Words words) { return chance(30) ? std::move(words) : Words{}; }

  // The pools of keys that any_key() draws from, by letter, and the current family's.
  void use_pools(std::string pools) { pools_ = std::move(pools); }
  void use_pool(char pool) { pool_ = pool; }

 private:
  std::string pool_key(char pool);

  Random random_;
  std::string pools_ = "s";
  char pool_ = 's';
};

// Appends lists of words: join({"SET", g.key()}, g.maybe({"NX"})).
template <typename... More>
Words join(Words words, const More&... more) {
  (words.insert(words.end(), more.begin(), more.end()), ...);
  return words;
}

// Rewrites a reply to what must be equal on both servers. `words` is the command, its name in upper
// case.
using Canonical = void (*)(const Words& words, ReplyValue& reply);

void any_order(const Words&, ReplyValue& reply);        // elements, as a multiset
void any_order_pairs(const Words&, ReplyValue& reply);  // a map, or pairs one after the other
void only_shape(const Words&, ReplyValue& reply);       // types and number of elements
// [cursor, elements]: all of them, once each, when COUNT is in the millions, else only the shape.
void scan_elements(const Words& words, ReplyValue& reply);
void scan_pairs(const Words& words, ReplyValue& reply);

using Make = Words (*)(Generator& generator);

class Catalog {
 public:
  struct Maker {
    size_t family;
    unsigned weight;
    Make make;
    bool inside_only;
  };
  struct Family {
    std::string_view name;
    char pool;
  };
  struct Setting {
    std::string_view directive;
    std::vector<std::string_view> values;
  };

  // Begins a family: what is added from now on is its own.
  void family(std::string_view name, char pool) { families_.push_back({name, pool}); }
  void add(unsigned weight, Make make) { add(weight, make, false); }
  void add_inside(unsigned weight, Make make) { add(weight, make, true); }
  // `command` in upper case. Replies of commands without a rule must be equal.
  void compare(std::string_view command, Canonical canonical) {
    rules_[std::string(command)] = canonical;
  }
  // Each sequence sets the directive on both servers to one of the values.
  void setting(std::string_view directive, std::vector<std::string_view> values) {
    settings_.push_back({directive, std::move(values)});
  }

  const std::vector<Family>& families() const { return families_; }
  const std::vector<Maker>& makers() const { return makers_; }
  const std::vector<Setting>& settings() const { return settings_; }
  Canonical rule(const std::string& command) const {
    const auto found = rules_.find(command);
    return found == rules_.end() ? nullptr : found->second;
  }

 private:
  void add(unsigned weight, Make make, bool inside_only) {
    makers_.push_back({families_.size() - 1, weight, make, inside_only});
  }

  std::vector<Family> families_;
  std::vector<Maker> makers_;
  std::vector<Setting> settings_;
  std::map<std::string, Canonical> rules_;
};

// All families (families.cc).
const Catalog& catalog();

}  // namespace tandem::peer
