#include "server/base/numbers.h"
#include "tests/peer/random/families.h"

namespace tandem::peer {
namespace {

// 7.0.15 writes every score with 17 digits, Valkey with as few as say the same: what reads as a
// number is written in one way. Members that are numbers are changed alike on both sides.
void same_numbers(const Words& words, ReplyValue& reply) {
  if (reply.type == ReplyValue::Type::kBulk || reply.type == ReplyValue::Type::kDouble) {
    if (const auto number = parse_double(reply.text)) reply.text = format_double(*number);
  }
  for (ReplyValue& element : reply.elements) same_numbers(words, element);
}

void scan_scores(const Words& words, ReplyValue& reply) {
  same_numbers(words, reply);
  scan_pairs(words, reply);
}

std::string score(Generator& g) {
  if (g.chance(60)) return std::to_string(g.between(-5, 20));
  if (g.chance(50)) return std::to_string(g.between(-999, 999)) + "." + g.one_of({"5", "25", "1"});
  // A listpack makes 0 of -0, a skip list does not, and 7.0.15 converts later than Valkey.
  const std::string number = g.floating();
  return number == "-0" ? "0.5" : number;
}

std::string score_bound(Generator& g) {
  if (g.chance(20)) return g.one_of({"-inf", "+inf", "inf", "(inf", "(-inf", "", "(", "x", " 3"});
  return (g.chance(30) ? "(" : "") + score(g);
}

std::string member_bound(Generator& g) {
  if (g.chance(30)) return g.one_of({"-", "+", "-", "+", "", "a", "+a", "(", "["});
  return g.one_of({"(", "["}) + g.field();
}

// Keys whose members all have the same score, which is what ranges of members are for.
std::string uniform_key(Generator& g) { return g.one_of({"lex:a", "lex:b", "lex:none"}); }

Words zadd(Generator& g) {
  return join({"ZADD", g.key()}, g.maybe({g.one_of({"NX", "XX", "GT", "LT"})}),
              g.chance(10) ? Words{g.one_of({"NX", "XX", "GT", "LT", "gt"})} : Words{},
              g.maybe({"CH"}), g.chance(10) ? Words{"INCR"} : Words{},
              g.pairs([&] { return score(g); }, [&] { return g.field(); }));
}

// Enough members at once to pass the thresholds and to fill several leaves. None is there twice:
// Valkey converts as soon as that many pairs are named, 7.0.15 when that many members are there.
Words zadd_many(Generator& g) {
  Words words = {"ZADD", g.key()};
  for (uint64_t i = 0, count = g.below(g.chance(50) ? 20 : 400); i <= count; ++i) {
    words.push_back(std::to_string(g.between(-100, 100)));
    words.push_back("more" + std::to_string(i));
  }
  return words;
}

Words limit(Generator& g) { return g.maybe({"LIMIT", g.small(), g.small()}); }

Words zrange(Generator& g) {
  Words words = {"ZRANGE", g.key()};
  if (g.chance(20)) words = {"ZRANGESTORE", g.key(), g.key()};
  if (g.chance(40)) {
    words = join(words, Words{score_bound(g), score_bound(g), "BYSCORE"}, limit(g));
  } else {
    words = join(words, Words{g.small(), g.small()}, g.chance(5) ? limit(g) : Words{});
  }
  return join(words, g.maybe({"REV"}), g.chance(15) ? Words{"WITHSCORES"} : Words{});
}

Words zrange_by_member(Generator& g) {
  Words words = {"ZRANGE", uniform_key(g)};
  if (g.chance(20)) words = {"ZRANGESTORE", "lex:none", uniform_key(g)};
  return join(words, Words{member_bound(g), member_bound(g), "BYLEX"}, limit(g), g.maybe({"REV"}));
}

Words combine(Generator& g) {
  const bool stores = g.chance(40);
  const std::string name = g.one_of({"ZUNION", "ZINTER", "ZDIFF"});
  Words words = {stores ? name + "STORE" : name};
  if (stores) words.push_back(g.key());
  const Words keys = g.several([&] { return g.key(); }, 3);
  words = join(words, Words{g.chance(5) ? g.small() : std::to_string(keys.size())}, keys);
  if (g.chance(25)) {
    words.push_back("WEIGHTS");
    for (size_t i = 0; i < keys.size(); ++i) words.push_back(score(g));
  }
  if (g.chance(25)) words = join(words, Words{"AGGREGATE", g.one_of({"SUM", "MIN", "MAX", "x"})});
  return join(words, stores ? Words{} : g.maybe({"WITHSCORES"}));
}

Words zintercard(Generator& g) {
  const Words keys = g.several([&] { return g.key(); }, 3);
  return join({"ZINTERCARD", std::to_string(keys.size())}, keys, g.maybe({"LIMIT", g.small()}));
}

Words zmpop(Generator& g) {
  const Words keys = g.several([&] { return g.key(); }, 3);
  return join({"ZMPOP", g.chance(5) ? g.small() : std::to_string(keys.size())}, keys,
              Words{g.one_of({"MIN", "MAX", "max"})}, g.maybe({"COUNT", g.small()}));
}

Words bzmpop(Generator& g) {
  Words words = zmpop(g);
  words[0] = "BZMPOP";
  words.insert(words.begin() + 1, g.one_of({"0", "0.01", "1", "-1", "x"}));
  return words;
}

}  // namespace

void add_sorted_sets(Catalog& catalog) {
  catalog.family("sorted sets", 'z');
  catalog.setting("zset-max-listpack-entries", {"128", "8", "0"});
  catalog.setting("zset-max-listpack-value", {"64", "4"});
  catalog.add(8, zadd);
  catalog.add(2, zadd_many);
  catalog.add(2, [](Generator& g) { return Words{"ZINCRBY", g.key(), score(g), g.field()}; });
  catalog.add(3, [](Generator& g) {
    return join({g.one_of({"ZREM", "ZREM", "ZMSCORE"}), g.key()},
                g.several([&] { return g.field(); }));
  });
  catalog.add(3, [](Generator& g) {
    return Words{g.one_of({"ZSCORE", "ZRANK", "ZREVRANK"}), g.key(), g.field()};
  });
  catalog.add(1, [](Generator& g) { return Words{"ZCARD", g.key()}; });
  catalog.add(6, zrange);
  catalog.add(2, [](Generator& g) {
    return join({"ZREVRANGE", g.key(), g.small(), g.small()}, g.maybe({"WITHSCORES"}));
  });
  catalog.add(4, [](Generator& g) {
    return join(
        {g.one_of({"ZRANGEBYSCORE", "ZREVRANGEBYSCORE"}), g.key(), score_bound(g), score_bound(g)},
        g.maybe({"WITHSCORES"}), limit(g));
  });
  catalog.add(2, [](Generator& g) {
    return Words{g.one_of({"ZCOUNT", "ZCOUNT", "ZREMRANGEBYSCORE"}), g.key(), score_bound(g),
                 score_bound(g)};
  });
  catalog.add(1, [](Generator& g) {
    return Words{"ZREMRANGEBYRANK", g.key(), g.small(), g.small()};
  });
  catalog.add(2, [](Generator& g) {
    return join({"ZADD", uniform_key(g), "NX"},
                g.pairs([] { return "0"; }, [&] { return g.field(); }));
  });
  catalog.add(3, [](Generator& g) {
    return join({g.one_of({"ZRANGEBYLEX", "ZREVRANGEBYLEX"}), uniform_key(g), member_bound(g),
                 member_bound(g)},
                limit(g));
  });
  catalog.add(1, [](Generator& g) {
    return Words{g.one_of({"ZLEXCOUNT", "ZLEXCOUNT", "ZREMRANGEBYLEX"}), uniform_key(g),
                 member_bound(g), member_bound(g)};
  });
  catalog.add(1, zrange_by_member);
  catalog.add(2, [](Generator& g) {
    return join({g.one_of({"ZPOPMIN", "ZPOPMAX"}), g.key()}, g.maybe({g.count()}));
  });
  catalog.add(1, zmpop);
  catalog.add(4, combine);
  catalog.add(1, zintercard);
  catalog.add(1, [](Generator& g) {
    return join({"ZRANDMEMBER", g.key()}, g.maybe({g.small()}), g.maybe({"WITHSCORES"}));
  });
  catalog.add(1, [](Generator& g) {
    return join({"ZSCAN", g.key(), "0"}, g.maybe({"MATCH", g.pattern()}),
                Words{"COUNT", g.one_of({"1000000", "1000000", "1", "0", "x"})});
  });
  catalog.add_inside(1, bzmpop);
  catalog.add_inside(1, [](Generator& g) {
    return join({g.one_of({"BZPOPMIN", "BZPOPMAX"})}, g.several([&] { return g.key(); }, 3),
                Words{g.one_of({"0", "0.5", "1", "-1", "x"})});
  });
  for (const char* command : {"ZADD", "ZINCRBY", "ZSCORE", "ZMSCORE", "ZRANGE", "ZREVRANGE",
                              "ZPOPMIN", "ZPOPMAX", "ZRANGEBYSCORE", "ZREVRANGEBYSCORE", "ZMPOP",
                              "BZMPOP", "BZPOPMIN", "BZPOPMAX", "ZUNION", "ZINTER", "ZDIFF"}) {
    catalog.compare(command, same_numbers);
  }
  catalog.compare("ZRANDMEMBER", only_shape);
  catalog.compare("ZSCAN", scan_scores);
}

}  // namespace tandem::peer
