#include "tests/peer/random/families.h"

namespace tandem::peer {
namespace {

std::string pattern(Generator& g) {
  return g.one_of(
      {"s:*", "s:*", "h:*->f1", "h:*->f2", "h:0->*", "*", "s:*->", "none:*", "s:**", "#"});
}

Words sort(Generator& g) {
  Words words = {g.chance(20) ? "SORT_RO" : "SORT", g.key()};
  const bool alphabetic = g.chance(60);
  if (alphabetic) words.push_back("ALPHA");
  words = join(std::move(words), g.maybe({g.one_of({"ASC", "DESC", "desc"})}));
  // Equal weights and a limit: which of them redis shows is chance, when nothing else orders them.
  const bool weighed = g.chance(40);
  if (weighed) words = join(std::move(words), Words{"BY", pattern(g)});
  if (!weighed || !alphabetic)
    words = join(std::move(words), g.maybe({"LIMIT", g.small(), g.small()}));
  if (g.chance(20)) words = join(std::move(words), Words{"BY", "nosort"});
  for (uint64_t i = g.chance(30) ? g.below(3) : 0; i > 0; --i) {
    words = join(std::move(words), Words{"GET", pattern(g)});
  }
  if (g.chance(20)) words = join(std::move(words), Words{"STORE", g.key()});
  return words;
}

}  // namespace

void add_sort(Catalog& catalog) {
  catalog.family("sort", 'l');
  catalog.add(3, sort);
}

}  // namespace tandem::peer
