#include "tests/peer/random/families.h"

namespace tandem::peer {
namespace {

std::string element(Generator& g) {
  return g.chance(90) ? "e" + std::to_string(g.below(g.chance(50) ? 100 : 100'000)) : g.value();
}

Words pfadd(Generator& g) {
  if (g.chance(10)) return {"PFADD", g.key()};
  return join({"PFADD", g.key()}, g.several([&] { return element(g); }, g.chance(10) ? 300 : 4));
}

// Registers are many: asked for rarely.
Words pfdebug(Generator& g) {
  const std::string what = g.chance(90) ? g.one_of({"DECODE", "ENCODING", "decode"})
                                        : g.one_of({"GETREG", "TODENSE", "nothing"});
  return {"PFDEBUG", what, g.key()};
}

}  // namespace

void add_hyperloglogs(Catalog& catalog) {
  catalog.family("hyperloglogs", 'p');
  catalog.setting("hll-sparse-max-bytes", {"3000", "100", "20000", "0"});
  catalog.add(8, pfadd);
  catalog.add(3, [](Generator& g) {
    return join({"PFCOUNT"}, g.several([&] { return g.key(); }, g.chance(50) ? 1 : 4));
  });
  catalog.add(2,
              [](Generator& g) { return join({"PFMERGE"}, g.several([&] { return g.key(); })); });
  catalog.add(2, pfdebug);
  catalog.add(1, [](Generator& g) { return Words{"STRLEN", g.key()}; });
  catalog.add(1, [](Generator& g) { return Words{"DEL", g.key()}; });
}

}  // namespace tandem::peer
