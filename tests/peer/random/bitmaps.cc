#include "tests/peer/random/families.h"

namespace tandem::peer {
namespace {

// The position of a bit, near the others; one time in ten an odd one.
std::string offset(Generator& g) {
  if (g.chance(90)) return std::to_string(g.below(400));
  return g.one_of({"0", "7", "8", "4095", "100000", "-1", "x", "", " 1", "4294967296",
                   "99999999999", "9223372036854775807", "9223372036854775808"});
}

// One end of a range.
std::string end(Generator& g) {
  return g.chance(85) ? std::to_string(g.between(-300, 300)) : g.integer();
}

Words unit(Generator& g) { return {g.one_of({"BIT", "BYTE", "bit", "byte", "bits"})}; }

// 7.0.15 wants both ends for BITCOUNT.
Words bitcount(Generator& g) {
  Words words = {"BITCOUNT", g.key()};
  if (g.chance(30)) return words;
  words = join(std::move(words), Words{end(g), end(g)});
  return g.chance(60) ? join(std::move(words), unit(g)) : words;
}

Words bitpos(Generator& g) {
  Words words = {"BITPOS", g.key(), g.chance(95) ? g.one_of({"0", "1"}) : g.small()};
  for (int ends = static_cast<int>(g.below(3)); ends > 0; --ends) words.push_back(end(g));
  return words.size() == 5 && g.chance(60) ? join(std::move(words), unit(g)) : words;
}

Words bitop(Generator& g) {
  return join({"BITOP", g.one_of({"AND", "OR", "XOR", "NOT", "and", "nand"}), g.key()},
              g.several([&] { return g.key(); }, g.chance(10) ? 20 : 3));
}

std::string field_type(Generator& g) {
  if (g.chance(30)) return g.one_of({"u8", "i8", "i64", "u63", "u1", "i1"});
  if (g.chance(95)) return g.one_of({"i", "u"}) + std::to_string(1 + g.below(63));
  return g.one_of({"u64", "i65", "u0", "i0", "x", "", "8", "U8", "i-1"});
}

std::string field_offset(Generator& g) {
  if (g.chance(60)) return offset(g);
  return "#" + (g.chance(95) ? std::to_string(g.below(20)) : g.one_of({"x", "-1", "", "#1"}));
}

std::string operand(Generator& g) {
  return g.chance(50) ? g.integer() : std::to_string(g.between(-300, 300));
}

Words field_operation(Generator& g) {
  switch (g.below(4)) {
    case 0:
      return {"GET", field_type(g), field_offset(g)};
    case 1:
      return {"SET", field_type(g), field_offset(g), operand(g)};
    case 2:
      return {"INCRBY", field_type(g), field_offset(g), operand(g)};
    default:
      return {"OVERFLOW", g.chance(95) ? g.one_of({"WRAP", "SAT", "FAIL", "sat"}) : "x"};
  }
}

Words bitfield(Generator& g) {
  Words words = {g.chance(80) ? "BITFIELD" : "BITFIELD_RO", g.key()};
  for (uint64_t count = g.below(5); count > 0; --count) {
    words = join(std::move(words), field_operation(g));
  }
  return words;
}

}  // namespace

void add_bitmaps(Catalog& catalog) {
  catalog.family("bitmaps", 's');
  catalog.add(6, [](Generator& g) {
    const std::string bit = g.chance(95) ? g.one_of({"0", "1"}) : g.small();
    return Words{"SETBIT", g.key(), offset(g), bit};
  });
  catalog.add(2, [](Generator& g) { return Words{"GETBIT", g.key(), offset(g)}; });
  catalog.add(3, bitcount);
  catalog.add(3, bitpos);
  catalog.add(2, bitop);
  catalog.add(6, bitfield);
}

}  // namespace tandem::peer
