#include "tests/peer/random/families.h"

namespace tandem::peer {
namespace {

Words hset(Generator& g) {
  return join({g.one_of({"HSET", "HSET", "HMSET"}), g.key()},
              g.pairs([&] { return g.field(); }, [&] { return g.value(); }));
}

// Enough fields at once to pass the thresholds.
Words hset_many(Generator& g) {
  Words words = {"HSET", g.key()};
  for (uint64_t i = 0, count = g.below(g.chance(50) ? 20 : 200); i <= count; ++i) {
    words.push_back("more" + std::to_string(i));
    words.push_back(std::to_string(i * 7));
  }
  return words;
}

Words hrandfield(Generator& g) {
  return join({"HRANDFIELD", g.key()}, g.maybe({g.small()}), g.maybe({"WITHVALUES"}));
}

Words hscan(Generator& g) {
  return join({"HSCAN", g.key(), g.one_of({"0", "0", "0", "0", "00", "x"})},
              g.maybe({"MATCH", g.pattern()}),
              Words{"COUNT", g.one_of({"1000000", "1000000", "1", "0", "-1", "x"})});
}

}  // namespace

void add_hashes(Catalog& catalog) {
  catalog.family("hashes", 'h');
  catalog.setting("hash-max-listpack-entries", {"128", "8", "512"});
  catalog.setting("hash-max-listpack-value", {"64", "4"});
  catalog.add(6, hset);
  catalog.add(1, hset_many);
  catalog.add(1, [](Generator& g) { return Words{"HSETNX", g.key(), g.field(), g.value()}; });
  catalog.add(2, [](Generator& g) {
    return Words{g.one_of({"HGET", "HEXISTS", "HSTRLEN"}), g.key(), g.field()};
  });
  catalog.add(3, [](Generator& g) {
    return join({g.one_of({"HMGET", "HDEL", "HDEL"}), g.key()},
                g.several([&] { return g.field(); }));
  });
  catalog.add(2, [](Generator& g) {
    return Words{g.one_of({"HGETALL", "HKEYS", "HVALS", "HLEN"}), g.key()};
  });
  catalog.add(2, [](Generator& g) { return Words{"HINCRBY", g.key(), g.field(), g.integer()}; });
  catalog.add(2, [](Generator& g) {
    return Words{"HINCRBYFLOAT", g.key(), g.field(), g.floating()};
  });
  catalog.add(1, hrandfield);
  catalog.add(1, hscan);
  catalog.compare("HGETALL", any_order_pairs);
  catalog.compare("HKEYS", any_order);
  catalog.compare("HVALS", any_order);
  catalog.compare("HRANDFIELD", only_shape);
  catalog.compare("HSCAN", scan_pairs);
}

}  // namespace tandem::peer
