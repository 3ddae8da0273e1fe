#include "tests/peer/random/families.h"

namespace tandem::peer {
namespace {

// An option of SET and GETEX. Not a time in the past: 7.0.15 keeps such a key until it is looked
// at.
Words expiry(Generator& g) {
  const std::string name = g.one_of({"EX", "PX", "EXAT", "PXAT", "px"});
  const bool seconds = name.starts_with("EX");
  if (name.ends_with("AT")) {
    std::string at = g.moment(seconds);
    if (at.starts_with("1000000000")) at = "x";
    return {name, at};
  }
  return {name, g.duration(seconds)};
}

Words set(Generator& g) {
  Words words =
      join({"SET", g.key(), g.value()}, g.maybe({g.one_of({"NX", "XX", "nx"})}), g.maybe({"GET"}));
  if (g.chance(30)) words = join(std::move(words), expiry(g));
  if (g.chance(10)) words.push_back(g.one_of({"KEEPTTL", "PERSIST", "XX", "bad"}));
  return words;
}

Words getex(Generator& g) {
  return join({"GETEX", g.key()}, g.maybe(expiry(g)), g.maybe({g.one_of({"PERSIST", "EX"})}));
}

Words setex(Generator& g) {
  const std::string name = g.one_of({"SETEX", "PSETEX"});
  return {name, g.key(), g.duration(name == "SETEX"), g.value()};
}

Words mset(Generator& g) {
  return join({g.one_of({"MSET", "MSETNX"})},
              g.pairs([&] { return g.key(); }, [&] { return g.value(); }));
}

Words setrange(Generator& g) {
  return {"SETRANGE", g.key(),
          g.one_of({"0", "1", "5", "44", "300", "-1", "x", "536870912", "9223372036854775807"}),
          g.value()};
}

Words lcs(Generator& g) {
  return join({"LCS", g.key(), g.key()}, g.maybe({g.one_of({"LEN", "IDX", "idx"})}),
              g.maybe({"MINMATCHLEN", g.small()}), g.maybe({"WITHMATCHLEN"}));
}

}  // namespace

void add_strings(Catalog& catalog) {
  catalog.family("strings", 's');
  catalog.add(6, set);
  catalog.add(2, [](Generator& g) { return Words{g.one_of({"GET", "STRLEN"}), g.key()}; });
  catalog.add(1, [](Generator& g) { return Words{"GETDEL", g.key()}; });
  catalog.add(2, getex);
  catalog.add(3, [](Generator& g) {
    return Words{g.one_of({"GETSET", "SETNX", "APPEND"}), g.key(), g.value()};
  });
  catalog.add(2, setex);
  catalog.add(2, mset);
  catalog.add(1, [](Generator& g) { return join({"MGET"}, g.several([&] { return g.key(); })); });
  catalog.add(2, [](Generator& g) { return Words{g.one_of({"INCR", "DECR"}), g.key()}; });
  catalog.add(3, [](Generator& g) {
    return Words{g.one_of({"INCRBY", "DECRBY"}), g.key(), g.integer()};
  });
  catalog.add(2, [](Generator& g) { return Words{"INCRBYFLOAT", g.key(), g.floating()}; });
  catalog.add(2, setrange);
  catalog.add(2, [](Generator& g) {
    return Words{g.one_of({"GETRANGE", "SUBSTR"}), g.key(), g.small(), g.small()};
  });
  catalog.add(1, lcs);
}

}  // namespace tandem::peer
