#include <algorithm>

#include "server/base/strings.h"
#include "tests/peer/random/families.h"

namespace tandem::peer {
namespace {

std::string pattern(Generator& g) {
  return g.one_of(
      {"s:*", "s:*", "h:*->f1", "h:*->f2", "h:0->*", "*", "s:*->", "none:*", "s:**", "#"});
}

Words sort(Generator& g) {
  const std::string key = g.chance(70) ? g.key() : g.one_of({"e:0", "e:1", "z:0", "z:1", "z:2"});
  Words words = {g.chance(20) ? "SORT_RO" : "SORT", key};
  const bool alphabetic = g.chance(60);
  const bool weighed = g.chance(40);
  if (alphabetic) words.push_back("ALPHA");
  words = join(std::move(words), g.maybe({g.one_of({"ASC", "DESC", "desc"})}));
  if (weighed) words = join(std::move(words), Words{"BY", pattern(g)});
  if (g.chance(20)) words = join(std::move(words), Words{"BY", "nosort"});
  for (uint64_t i = g.chance(30) ? g.below(3) : 0; i > 0; --i) {
    words = join(std::move(words), Words{"GET", pattern(g)});
  }
  // Which of equally weighed elements comes first is chance: nothing may depend on it.
  if (weighed && alphabetic) return words;
  words = join(std::move(words), g.maybe({"LIMIT", g.small(), g.small()}));
  if (g.chance(20)) words = join(std::move(words), Words{"STORE", g.key()});
  return words;
}

bool has_word(const Words& words, std::string_view wanted) {
  return std::any_of(words.begin() + 1, words.end(), [wanted](const std::string& word) {
    return equals_ignore_case(word, wanted);
  });
}

// A set that is not sorted has no order, and neither have equal weights.
void sorted(const Words& words, ReplyValue& reply) {
  const auto unsorted = [&words] {
    for (size_t i = 2; i + 1 < words.size(); ++i) {
      if (equals_ignore_case(words[i], "BY") && words[i + 1].find('*') == std::string::npos) {
        return true;
      }
    }
    return false;
  };
  if (unsorted()) {
    has_word(words, "LIMIT") ? only_shape(words, reply) : any_order(words, reply);
  } else if (has_word(words, "BY") && has_word(words, "ALPHA")) {
    any_order(words, reply);
  }
}

}  // namespace

void add_sort(Catalog& catalog) {
  catalog.family("sort", 'l');
  catalog.add(3, sort);
  catalog.compare("SORT", sorted);
  catalog.compare("SORT_RO", sorted);
}

}  // namespace tandem::peer
