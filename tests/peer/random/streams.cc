#include <algorithm>
#include <array>

#include "tests/peer/random/families.h"

namespace tandem::peer {
namespace {

// Entries are added below this millisecond, most of them in the last one before it, where the next
// sequence number is always free; XSETID goes here.
constexpr uint64_t kEnd_ms = 20;

constexpr std::string_view kHighest = "18446744073709551615-18446744073709551615";

// An id that has often been added; one time in ten, hardly one.
std::string id(Generator& g) {
  if (g.chance(10)) {
    return g.one_of({"-", "+", "$", ">", "0", "0-0", "x", "1-x", "5-*", " 3-+1", "-1", "", kHighest,
                     "18446744073709551616"});
  }
  const uint64_t ms = g.chance(70) ? kEnd_ms - 1 : g.below(kEnd_ms);
  return std::to_string(ms) + (g.chance(90) ? "-" + std::to_string(g.below(40)) : "");
}

// One end of a range.
std::string bound(Generator& g) {
  if (g.chance(30)) return g.one_of({"-", "+"});
  return (g.chance(15) ? "(" : "") + id(g);
}

std::string group(Generator& g) { return g.one_of({"g", "g", "h", "none"}); }
std::string consumer(Generator& g) { return g.one_of({"ada", "grace", "edsger"}); }
std::string idle(Generator& g) { return g.one_of({"0", "0", "0", "-1", "100000000", "x"}); }
Words ids(Generator& g) {
  return g.several([&] { return id(g); }, 6);
}

Words threshold(Generator& g) {
  const std::string choice = g.one_of({"", "", "=", "~"});
  const Words mark = choice.empty() ? Words{} : Words{choice};
  const Words limit = g.chance(20) ? Words{"LIMIT", g.count()} : Words{};
  if (g.chance(50)) return join({"MAXLEN"}, mark, Words{std::to_string(g.below(40))}, limit);
  return join({"MINID"}, mark, Words{id(g)}, limit);
}

Words xadd(Generator& g) {
  const uint64_t ms = g.chance(60) ? kEnd_ms - 1 : g.below(kEnd_ms);
  std::string new_id = g.chance(80) ? std::to_string(ms) + "-*" : id(g);
  // 7.0.15 lets XSETID go back behind an entry that was deleted.
  if (new_id == kHighest) new_id = "0-0";
  return join({"XADD", g.key()}, g.chance(10) ? threshold(g) : Words{},
              g.chance(10) ? Words{"NOMKSTREAM"} : Words{}, Words{new_id},
              g.chance(95) ? g.pairs([&] { return g.field(); }, [&] { return g.value(); }, 3)
                           : Words{"odd"});
}

Words xrange(Generator& g) {
  return join({g.one_of({"XRANGE", "XREVRANGE"}), g.key(), bound(g), bound(g)},
              g.maybe({"COUNT", g.count()}));
}

// 7.0.15 does not know "+" here.
std::string read_id(Generator& g) {
  const std::string text = id(g);
  return text == "+" ? "0" : text;
}

Words streams(Generator& g, std::string (*make_id)(Generator&)) {
  const uint64_t count = g.chance(70) ? 1 : 1 + g.below(3);
  Words words = {"STREAMS"};
  for (uint64_t i = 0; i < count; ++i) words.push_back(g.key());
  for (uint64_t i = 0; i < count; ++i) words.push_back(make_id(g));
  if (g.chance(3)) words.pop_back();
  return words;
}

Words xread(Generator& g) {
  return join({"XREAD"}, g.maybe({"COUNT", g.count()}), streams(g, read_id));
}

Words xread_block(Generator& g) {
  return join({"XREAD", "BLOCK", g.one_of({"0", "1", "-1", "x"})}, streams(g, read_id));
}

std::string group_read_id(Generator& g) { return g.chance(70) ? ">" : read_id(g); }

Words xreadgroup(Generator& g) {
  return join({"XREADGROUP", "GROUP", group(g), consumer(g)}, g.maybe({"COUNT", g.count()}),
              g.chance(15) ? Words{"NOACK"} : Words{}, streams(g, group_read_id));
}

Words xgroup(Generator& g) {
  const Words entries_read = g.chance(15) ? Words{"ENTRIESREAD", g.small()} : Words{};
  switch (g.below(8)) {
    case 0:
      return {"XGROUP", "DESTROY", g.key(), group(g)};
    case 1:
      return {"XGROUP", "DELCONSUMER", g.key(), group(g), consumer(g)};
    case 2:
      return {"XGROUP", "CREATECONSUMER", g.key(), group(g), consumer(g)};
    case 3:
      return join({"XGROUP", "SETID", g.key(), group(g), g.chance(30) ? "$" : id(g)}, entries_read);
    default:
      return join({"XGROUP", "CREATE", g.key(), group(g), g.chance(30) ? "$" : read_id(g)},
                  g.maybe({"MKSTREAM"}), entries_read);
  }
}

Words xclaim(Generator& g) {
  return join({"XCLAIM", g.key(), group(g), consumer(g), idle(g)}, ids(g), g.maybe({"JUSTID"}),
              g.maybe({"FORCE"}), g.chance(20) ? Words{"RETRYCOUNT", g.small()} : Words{},
              g.chance(10) ? Words{"TIME", g.small()} : Words{},
              g.chance(5) ? Words{"LASTID", id(g)} : Words{});
}

Words xautoclaim(Generator& g) {
  return join({"XAUTOCLAIM", g.key(), group(g), consumer(g), idle(g), bound(g)},
              g.maybe({"COUNT", g.count()}), g.maybe({"JUSTID"}));
}

Words xpending(Generator& g) {
  if (g.chance(30)) return {"XPENDING", g.key(), group(g)};
  return join({"XPENDING", g.key(), group(g)}, g.chance(20) ? Words{"IDLE", idle(g)} : Words{},
              Words{bound(g), bound(g), g.count()}, g.maybe({consumer(g)}));
}

Words xinfo(Generator& g) {
  switch (g.below(3)) {
    case 0:
      return {"XINFO", "GROUPS", g.key()};
    case 1:
      return {"XINFO", "CONSUMERS", g.key(), group(g)};
    default:
      return join({"XINFO", "STREAM", g.key()}, g.maybe({"FULL"}), g.maybe({"COUNT", g.count()}));
  }
}

// Behind every entry, so that nothing can be added any more until the key is new.
Words xsetid(Generator& g) {
  return join({"XSETID", g.key(), std::to_string(kEnd_ms) + "-" + std::to_string(g.below(5))},
              g.maybe({"ENTRIESADDED", g.small()}), g.maybe({"MAXDELETEDID", read_id(g)}));
}

// How long entries have been idle is not the same on two servers.
void without_idle_time(const Words& words, ReplyValue& reply) {
  if (words.size() <= 3) return;
  for (ReplyValue& entry : reply.elements) {
    if (entry.elements.size() == 4) entry.elements[2] = {};
  }
}

bool is_any_of(const ReplyValue& value, std::initializer_list<std::string_view> texts) {
  return std::any_of(texts.begin(), texts.end(),
                     [&](std::string_view text) { return value.is_text(text); });
}

// A consumer that has nothing pending may be unknown to 7.0.15, which does not create one that
// claims in vain.
bool is_idle_consumer(const ReplyValue& value) {
  bool nothing_pending = false;
  bool has_seen_time = false;
  for (size_t i = 0; i + 1 < value.elements.size(); i += 2) {
    const bool count = is_any_of(value.elements[i], {"pending", "pel-count"});
    nothing_pending = nothing_pending || (count && value.elements[i + 1].integer == 0 &&
                                          !value.elements[i + 1].is_aggregate());
    has_seen_time = has_seen_time || is_any_of(value.elements[i], {"idle", "seen-time"});
  }
  return nothing_pending && has_seen_time;
}

// Leaves out times, what the tree is made of, and the counters that 7.0.15 computes otherwise.
void without_times(const Words& words, ReplyValue& reply) {
  std::vector<ReplyValue> kept;
  for (size_t i = 0; i < reply.elements.size(); ++i) {
    ReplyValue& element = reply.elements[i];
    if (is_any_of(element, {"radix-tree-nodes", "entries-read", "lag", "seen-time", "active-time",
                            "idle", "inactive"})) {
      ++i;
      continue;
    }
    if (is_idle_consumer(element)) continue;
    constexpr int64_t kLongAgo_ms = 1'000'000'000'000;
    if (element.type == ReplyValue::Type::kInteger && element.integer > kLongAgo_ms) continue;
    if (element.is_text("consumers") && i + 1 < reply.elements.size() &&
        !reply.elements[i + 1].is_aggregate()) {
      ++i;
      continue;
    }
    without_times(words, element);
    kept.push_back(std::move(element));
  }
  reply.elements = std::move(kept);
}

}  // namespace

void add_streams(Catalog& catalog) {
  catalog.family("streams", 't');
  catalog.setting("stream-node-max-entries", {"100", "3", "0"});
  catalog.setting("stream-node-max-bytes", {"4096", "100", "0"});
  catalog.add(12, xadd);
  catalog.add(2, [](Generator& g) { return join({"XDEL", g.key()}, ids(g)); });
  catalog.add(1, [](Generator& g) { return join({"XTRIM", g.key()}, threshold(g)); });
  catalog.add(1, [](Generator& g) { return Words{"XLEN", g.key()}; });
  catalog.add(3, xrange);
  catalog.add(2, xread);
  catalog.add_inside(1, xread_block);
  catalog.add(4, xgroup);
  catalog.add(5, xreadgroup);
  catalog.add(2, [](Generator& g) { return join({"XACK", g.key(), group(g)}, ids(g)); });
  catalog.add(3, xclaim);
  catalog.add(2, xautoclaim);
  catalog.add(2, xpending);
  catalog.add(2, xinfo);
  catalog.add(1, [](Generator& g) { return g.chance(20) ? xsetid(g) : Words{"DEL", g.key()}; });
  catalog.compare("XPENDING", without_idle_time);
  catalog.compare("XINFO", without_times);
}

}  // namespace tandem::peer
