#include "tests/peer/random/families.h"

namespace tandem::peer {
namespace {

// Small integers, so that intsets meet, and fields.
std::string member(Generator& g) {
  return g.chance(50) ? std::to_string(g.between(-5, 20)) : g.field();
}

Words keys(Generator& g) {
  return g.several([&] { return g.key(); }, 3);
}

// Enough members at once to pass the thresholds.
Words sadd_many(Generator& g) {
  Words words = {g.chance(70) ? "SADD" : "SREM", g.key()};
  const std::string prefix = g.one_of({"", "", "more"});
  for (uint64_t i = 0, count = g.below(g.chance(50) ? 20 : 200); i <= count; ++i) {
    words.push_back(prefix + std::to_string(i));
  }
  return words;
}

// What a random choice leaves would differ: all, nothing or an error.
Words spop(Generator& g) {
  return {"SPOP", g.key(), g.one_of({"1000000", "1000000", "0", "-1", "x"})};
}

Words sintercard(Generator& g) {
  const Words names = keys(g);
  const std::string count = g.chance(90) ? std::to_string(names.size()) : g.small();
  return join({"SINTERCARD", count}, names, g.maybe({"LIMIT", g.small()}));
}

Words sscan(Generator& g) {
  return join({"SSCAN", g.key(), g.one_of({"0", "0", "0", "0", "00", "x"})},
              g.maybe({"MATCH", g.pattern()}),
              Words{"COUNT", g.one_of({"1000000", "1000000", "1", "0", "-1", "x"})});
}

}  // namespace

void add_sets(Catalog& catalog) {
  catalog.family("sets", 'e');
  catalog.setting("set-max-intset-entries", {"512", "8", "0"});
  catalog.add(6, [](Generator& g) {
    return join({"SADD", g.key()}, g.several([&] { return member(g); }));
  });
  catalog.add(1, sadd_many);
  catalog.add(3, [](Generator& g) {
    return join({g.one_of({"SREM", "SREM", "SMISMEMBER"}), g.key()},
                g.several([&] { return member(g); }));
  });
  catalog.add(1, [](Generator& g) { return Words{"SISMEMBER", g.key(), member(g)}; });
  catalog.add(2, [](Generator& g) { return Words{"SMOVE", g.key(), g.key(), member(g)}; });
  catalog.add(2, [](Generator& g) { return Words{g.one_of({"SMEMBERS", "SCARD"}), g.key()}; });
  catalog.add(2, [](Generator& g) {
    return join({g.one_of({"SINTER", "SUNION", "SDIFF"})}, keys(g));
  });
  catalog.add(2, [](Generator& g) {
    return join({g.one_of({"SINTERSTORE", "SUNIONSTORE", "SDIFFSTORE"}), g.key()}, keys(g));
  });
  catalog.add(1, sintercard);
  catalog.add(1, spop);
  catalog.add(1, [](Generator& g) { return join({"SRANDMEMBER", g.key()}, g.maybe({g.small()})); });
  catalog.add(1, sscan);
  for (const char* name : {"SMEMBERS", "SINTER", "SUNION", "SDIFF", "SPOP"}) {
    catalog.compare(name, any_order);
  }
  catalog.compare("SRANDMEMBER", only_shape);
  catalog.compare("SSCAN", scan_elements);
}

}  // namespace tandem::peer
