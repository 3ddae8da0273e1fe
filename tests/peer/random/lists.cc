#include "tests/peer/random/families.h"

namespace tandem::peer {
namespace {

// Few values meet often; sometimes one that is too large to be packed.
std::string element(Generator& g) {
  if (g.chance(2)) return std::string(4000 + g.below(6000), 'e');
  return g.chance(60) ? std::to_string(g.between(-3, 12)) : g.value();
}

std::string end(Generator& g) {
  return g.chance(95) ? g.one_of({"LEFT", "RIGHT", "left", "rIGHT"}) : "UP";
}

Words push(Generator& g) {
  return join({g.one_of({"LPUSH", "RPUSH", "LPUSH", "RPUSH", "LPUSHX", "RPUSHX"}), g.key()},
              g.several([&] { return element(g); }, 8));
}

// Enough at once to pass the thresholds.
Words push_many(Generator& g) {
  Words words = {g.one_of({"LPUSH", "RPUSH"}), g.key()};
  for (uint64_t i = 0, count = g.below(g.chance(50) ? 30 : 300); i <= count; ++i) {
    words.push_back(g.chance(50) ? std::to_string(i % 40) : "element:" + std::to_string(i));
  }
  return words;
}

Words trim(Generator& g) {
  // Most of them leave something.
  if (g.chance(50)) return {"LTRIM", g.key(), g.count(), g.one_of({"-1", "-2", "40", "300"})};
  return {"LTRIM", g.key(), g.small(), g.small()};
}

Words lpos(Generator& g) {
  return join({"LPOS", g.key(), element(g)}, g.maybe({"RANK", g.small()}),
              g.maybe({"COUNT", g.count()}), g.maybe({"MAXLEN", g.small()}));
}

Words keys_and_end(Generator& g, Words words) {
  const Words keys = g.several([&] { return g.key(); }, 3);
  words.push_back(g.chance(95) ? std::to_string(keys.size()) : g.small());
  return join(std::move(words), keys, Words{end(g)}, g.maybe({"COUNT", g.count()}));
}

std::string timeout(Generator& g) { return g.one_of({"0", "0", "1", "0.01", "-1", "x"}); }

}  // namespace

void add_lists(Catalog& catalog) {
  catalog.family("lists", 'l');
  catalog.setting("list-max-listpack-size", {"-2", "-1", "1", "5", "128"});
  catalog.add(8, push);
  catalog.add(1, push_many);
  catalog.add(3, [](Generator& g) {
    return join({g.one_of({"LPOP", "RPOP"}), g.key()}, g.maybe({g.count()}));
  });
  catalog.add(1, [](Generator& g) { return Words{"LLEN", g.key()}; });
  catalog.add(2, [](Generator& g) { return Words{"LINDEX", g.key(), g.small()}; });
  catalog.add(3, [](Generator& g) { return Words{"LRANGE", g.key(), g.small(), g.small()}; });
  catalog.add(1, [](Generator& g) { return Words{"LRANGE", g.key(), "0", "-1"}; });
  catalog.add(2, [](Generator& g) { return Words{"LSET", g.key(), g.small(), element(g)}; });
  catalog.add(3, [](Generator& g) {
    return Words{"LINSERT", g.key(), g.one_of({"BEFORE", "AFTER", "before", "NEAR"}), element(g),
                 element(g)};
  });
  catalog.add(2, [](Generator& g) { return Words{"LREM", g.key(), g.small(), element(g)}; });
  catalog.add(1, trim);
  catalog.add(2, lpos);
  catalog.add(2, [](Generator& g) { return Words{"LMOVE", g.key(), g.key(), end(g), end(g)}; });
  catalog.add(1, [](Generator& g) { return Words{"RPOPLPUSH", g.key(), g.key()}; });
  catalog.add(2, [](Generator& g) { return keys_and_end(g, {"LMPOP"}); });

  catalog.add_inside(1, [](Generator& g) {
    return join({g.one_of({"BLPOP", "BRPOP"})}, g.several([&] { return g.key(); }),
                Words{timeout(g)});
  });
  catalog.add_inside(1, [](Generator& g) {
    return Words{"BLMOVE", g.key(), g.key(), end(g), end(g), timeout(g)};
  });
  catalog.add_inside(1, [](Generator& g) {
    return Words{"BRPOPLPUSH", g.key(), g.key(), timeout(g)};
  });
  catalog.add_inside(1, [](Generator& g) { return keys_and_end(g, {"BLMPOP", timeout(g)}); });
}

}  // namespace tandem::peer
