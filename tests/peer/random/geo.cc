#include <cstdio>

#include "tests/peer/random/families.h"

namespace tandem::peer {
namespace {

std::string degrees(Generator& g, int64_t limit) {
  if (g.chance(3)) return g.floating();
  if (g.chance(3)) return std::to_string(g.between(-2 * limit, 2 * limit));
  // Enough digits that two places are hardly ever equally far away.
  char text[40];
  std::snprintf(text, sizeof text, "%.7f",
                static_cast<double>(g.between(-limit * 1000000, limit * 1000000)) / 1e6);
  return text;
}

Words place(Generator& g) {
  // Half of them around one town.
  if (g.chance(50)) {
    return {"13." + std::to_string(g.between(100000, 999999)),
            "38." + std::to_string(g.between(100000, 999999))};
  }
  return {degrees(g, 180), degrees(g, 85)};
}

std::string length(Generator& g) {
  if (g.chance(5)) return g.floating();
  return std::to_string(g.below(g.chance(50) ? 300 : 20000)) + ".5";
}

std::string unit(Generator& g) {
  return g.chance(3) ? "x" : g.one_of({"km", "km", "km", "m", "MI", "ft"});
}

Words options(Generator& g) {
  return join(g.maybe({g.one_of({"ASC", "DESC"})}),
              g.maybe(join({"COUNT", g.count()}, g.maybe({"ANY"}))));
}

Words details(Generator& g) {
  return join(g.maybe({"WITHDIST"}), g.maybe({"WITHCOORD"}), g.maybe({"WITHHASH"}));
}

Words geoadd(Generator& g) {
  Words words = join({"GEOADD", g.key()}, g.chance(10) ? Words{g.one_of({"NX", "XX"})} : Words{},
                     g.maybe({"CH"}));
  for (uint64_t count = 1 + g.below(g.chance(10) ? 200 : 4); count > 0; --count) {
    words = join(words, place(g), Words{g.field()});
  }
  return words;
}

Words shape(Generator& g) {
  const Words centre =
      g.chance(40) ? Words{"FROMMEMBER", g.field()} : join({"FROMLONLAT"}, place(g));
  const Words area = g.chance(50) ? Words{"BYRADIUS", length(g), unit(g)}
                                  : Words{"BYBOX", length(g), length(g), unit(g)};
  if (g.chance(2)) return centre;
  if (g.chance(2)) return area;
  return join(centre, area);
}

Words georadius(Generator& g) {
  Words words = g.chance(50) ? join({g.one_of({"GEORADIUS", "GEORADIUS_RO"}), g.key()}, place(g))
                             : Words{g.one_of({"GEORADIUSBYMEMBER", "GEORADIUSBYMEMBER_RO"}),
                                     g.key(), g.field()};
  words = join(words, Words{length(g), unit(g)}, options(g));
  if (g.chance(15))
    return join(words, g.chance(50) ? Words{"STORE", g.key()} : Words{"STOREDIST", "distances"});
  return join(words, details(g));
}

}  // namespace

void add_geo(Catalog& catalog) {
  catalog.family("geo", 'g');
  catalog.add(5, geoadd);
  catalog.add(1, [](Generator& g) {
    return join({g.one_of({"GEOPOS", "GEOHASH", "ZMSCORE", "ZREM"}), g.key()},
                g.several([&] { return g.field(); }));
  });
  catalog.add(1, [](Generator& g) {
    return join({"GEODIST", g.key(), g.field(), g.field()}, g.maybe({unit(g)}));
  });
  catalog.add(6, [](Generator& g) {
    return join({"GEOSEARCH", g.key()}, shape(g), options(g), details(g));
  });
  catalog.add(2, [](Generator& g) {
    return join({"GEOSEARCHSTORE", g.key(), g.key()}, shape(g), options(g));
  });
  // Distances are no places: searches would find most of them in one.
  catalog.add(1, [](Generator& g) {
    return join({"GEOSEARCHSTORE", "distances", g.key(), "STOREDIST"}, shape(g), options(g));
  });
  catalog.add(4, georadius);
}

}  // namespace tandem::peer
