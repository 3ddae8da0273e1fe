// The generic commands: on keys of every type.

#include "tests/peer/random/families.h"

namespace tandem::peer {
namespace {

// What is left of a duration or until a moment, all of them a million seconds apart: rounded.
void rounded(ReplyValue& reply, int64_t unit) {
  if (reply.type == ReplyValue::Type::kInteger && reply.integer > 0) {
    reply.integer = (reply.integer + unit / 2) / unit;
  }
}
void canonical_ttl(const Words&, ReplyValue& reply) { rounded(reply, 100'000); }
void canonical_pttl(const Words&, ReplyValue& reply) { rounded(reply, 100'000'000); }

void canonical_object(const Words& words, ReplyValue& reply) {
  // redis-server shares its small integers, so that their count of references is a large one.
  if (words.size() > 1 && words[1] == "REFCOUNT") only_shape(words, reply);
}

Words expire(Generator& g) {
  const std::string name = g.one_of({"EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"});
  const bool seconds = !name.starts_with("P");
  // Conditions compare deadlines: they must not be ones that differ by a millisecond.
  if (!name.ends_with("AT")) {
    return join({name, g.any_key(), g.duration(seconds)}, g.maybe({g.one_of({"NX", "XX", "YY"})}));
  }
  return join({name, g.any_key(), g.moment(seconds)}, g.maybe({g.one_of({"NX", "XX", "GT", "LT"})}),
              g.maybe({g.one_of({"GT", "LT"})}));
}

Words copy(Generator& g) {
  return join({"COPY", g.any_key(), g.any_key()}, g.maybe({"DB", g.database()}),
              g.maybe({"REPLACE"}));
}

Words scan(Generator& g) {
  return join({"SCAN", g.one_of({"0", "0", "0", "0", "00", "x"})}, g.maybe({"MATCH", g.pattern()}),
              Words{"COUNT", g.one_of({"1000000", "1000000", "1", "0", "-1", "x"})},
              g.maybe({"TYPE", g.one_of({"string", "hash", "HASH", "list", "zset", "nothing"})}));
}

Words flush(Generator& g) {
  if (g.chance(80)) return {"SELECT", g.database()};
  if (g.chance(50)) return {"SWAPDB", g.database(), g.database()};
  return join({g.one_of({"FLUSHDB", "FLUSHDB", "FLUSHALL"})},
              g.maybe({g.one_of({"ASYNC", "SYNC", "x"})}));
}

}  // namespace

void add_keys(Catalog& catalog) {
  catalog.family("keys", 's');
  catalog.add(4, [](Generator& g) {
    return join({g.one_of({"DEL", "UNLINK", "EXISTS", "EXISTS", "TOUCH"})},
                g.several([&] { return g.any_key(); }, 3));
  });
  catalog.add(2, [](Generator& g) { return Words{"TYPE", g.any_key()}; });
  catalog.add(2, [](Generator& g) {
    return Words{g.one_of({"RENAME", "RENAMENX"}), g.any_key(), g.any_key()};
  });
  catalog.add(3, copy);
  catalog.add(1, [](Generator& g) { return Words{"MOVE", g.any_key(), g.database()}; });
  catalog.add(1, [](Generator& g) { return Words{"KEYS", g.pattern()}; });
  catalog.add(1, [](Generator& g) { return Words{g.one_of({"DBSIZE", "RANDOMKEY"})}; });
  catalog.add(1, scan);
  catalog.add(2, flush);
  catalog.add(4, [](Generator& g) {
    return Words{"OBJECT", g.one_of({"ENCODING", "ENCODING", "REFCOUNT"}), g.any_key()};
  });
  catalog.add(4, expire);
  catalog.add(4, [](Generator& g) {
    return Words{g.one_of({"TTL", "PTTL", "EXPIRETIME", "PEXPIRETIME", "PERSIST"}), g.any_key()};
  });
  catalog.compare("KEYS", any_order);
  catalog.compare("RANDOMKEY", only_shape);
  catalog.compare("SCAN", scan_elements);
  catalog.compare("OBJECT", canonical_object);
  catalog.compare("TTL", canonical_ttl);
  catalog.compare("PTTL", canonical_pttl);
  catalog.compare("EXPIRETIME", canonical_ttl);
  catalog.compare("PEXPIRETIME", canonical_pttl);
}

}  // namespace tandem::peer
