#include "server/store/listpack.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "server/base/random.h"
#include "tests/unit/store/real_values.h"

namespace tandem {
namespace {

using Position = Listpack::Position;

std::vector<std::string> texts(const Listpack& list) {
  std::vector<std::string> out;
  Listpack::Scratch scratch;
  for (Position p = list.first(); p != Listpack::kNone; p = list.next(p)) {
    out.emplace_back(list.read(p, scratch));
  }
  return out;
}

std::vector<std::string> texts_backwards(const Listpack& list) {
  std::vector<std::string> out;
  Listpack::Scratch scratch;
  for (Position p = list.last(); p != Listpack::kNone; p = list.previous(p)) {
    out.insert(out.begin(), std::string(list.read(p, scratch)));
  }
  return out;
}

size_t span_of_one(const std::string& value) {
  Listpack list;
  const size_t empty = list.total_bytes();
  list.append(value);
  return list.total_bytes() - empty;
}

TEST(Listpack, StartsEmpty) {
  Listpack list;
  EXPECT_EQ(list.bytes(), std::string_view("\x07\0\0\0\0\0\xFF", 7));
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.length(), 0u);
  EXPECT_EQ(list.first(), Listpack::kNone);
  EXPECT_EQ(list.last(), Listpack::kNone);
  EXPECT_EQ(list.at(0), Listpack::kNone);
  EXPECT_EQ(list.at(-1), Listpack::kNone);
  EXPECT_EQ(list.find("a", list.first()), Listpack::kNone);
}

TEST(Listpack, StoresEveryIntegerWidthAtItsBounds) {
  // value, bytes of its entry without the back-length
  const std::pair<int64_t, size_t> cases[] = {
      {0, 1},         {127, 1},        {128, 2},         {-1, 2},         {4095, 2},
      {-4096, 2},     {4096, 3},       {-4097, 3},       {32767, 3},      {-32768, 3},
      {32768, 4},     {-32769, 4},     {8388607, 4},     {-8388608, 4},   {8388608, 5},
      {-8388609, 5},  {2147483647, 5}, {-2147483648, 5}, {2147483648, 9}, {-2147483649, 9},
      {INT64_MAX, 9}, {INT64_MIN, 9},
  };
  for (const auto& [value, size] : cases) {
    Listpack list;
    list.append(std::to_string(value));
    EXPECT_EQ(list.total_bytes(), 7 + size + 1) << value;
    ASSERT_TRUE(list.get(list.first()).is_integer()) << value;
    EXPECT_EQ(list.get(list.first()).integer(), value);
    EXPECT_EQ(list.get(list.first()).text_size(), std::to_string(value).size());
    EXPECT_EQ(texts(list), std::vector{std::to_string(value)});
    EXPECT_TRUE(Listpack::check(list.bytes()).ok()) << value;
    EXPECT_EQ(list.find(std::to_string(value), list.first()), list.first());
  }
}

TEST(Listpack, KeepsTextThatIsNotAnIntegersOwnForm) {
  for (const char* text : {"", "-", "00", "01", "-0", "+1", " 1", "1 ", "1.0",
                           "9223372036854775808", "-9223372036854775809"}) {
    Listpack list;
    list.append(text);
    EXPECT_FALSE(list.get(list.first()).is_integer()) << text;
    EXPECT_EQ(texts(list), std::vector<std::string>{text});
  }
}

// The bounds were read off DUMPs of redis-server: one less than seven bits a byte allow.
TEST(Listpack, BackLengthsChangeWidthWhereValkeysDo) {
  const auto text = [](size_t size) { return std::string(size, 'x'); };
  EXPECT_EQ(span_of_one(text(63)), 1 + 63 + 1u);
  EXPECT_EQ(span_of_one(text(64)), 2 + 64 + 1u);
  EXPECT_EQ(span_of_one(text(125)), 2 + 125 + 1u);
  EXPECT_EQ(span_of_one(text(126)), 2 + 126 + 2u);
  EXPECT_EQ(span_of_one(text(4095)), 2 + 4095 + 2u);
  EXPECT_EQ(span_of_one(text(4096)), 5 + 4096 + 2u);
  EXPECT_EQ(span_of_one(text(16377)), 5 + 16377 + 2u);
  EXPECT_EQ(span_of_one(text(16378)), 5 + 16378 + 3u);
  EXPECT_EQ(span_of_one(text(2097145)), 5 + 2097145 + 3u);
  EXPECT_EQ(span_of_one(text(2097146)), 5 + 2097146 + 4u);
}

TEST(Listpack, FindComparesIntegersAndSkipsEntries) {
  Listpack list;
  for (const char* item : {"7", "a", "a", "7", "-3000", "b"}) list.append(item);
  EXPECT_EQ(list.find("7", list.first(), 1), list.at(0));
  EXPECT_EQ(list.find("a", list.first(), 1), list.at(2));
  EXPECT_EQ(list.find("-3000", list.first(), 1), list.at(4));
  EXPECT_EQ(list.find("b", list.first(), 1), Listpack::kNone);
  EXPECT_EQ(list.find("b", list.first()), list.at(5));
  EXPECT_EQ(list.find("07", list.first()), Listpack::kNone);
  EXPECT_EQ(list.find("7", list.at(1)), list.at(3));
  EXPECT_TRUE(list.equals(list.at(4), "-3000"));
  EXPECT_FALSE(list.equals(list.at(4), "-3001"));
  EXPECT_TRUE(list.equals(list.at(5), "b"));
}

TEST(Listpack, CountsPastWhatTheHeaderHolds) {
  Listpack list;
  list.reserve(size_t{1} << 20);  // a sanitizer's realloc always copies
  for (int i = 0; i < 65600; ++i) list.append(int64_t{i});
  EXPECT_EQ(list.length(), 65600u);
  EXPECT_TRUE(Listpack::check(list.bytes()).ok());
  Listpack::Scratch scratch;
  EXPECT_EQ(list.read(list.at(65599), scratch), "65599");
  EXPECT_EQ(list.read(list.at(-65600), scratch), "0");
  EXPECT_EQ(list.at(65600), Listpack::kNone);
  list.erase_range(0, 600);
  EXPECT_EQ(list.length(), 65000u);
  EXPECT_TRUE(Listpack::check(list.bytes()).ok());
}

TEST(Listpack, GivesBackMemory) {
  Listpack list;
  for (int i = 0; i < 1000; ++i) list.append("a string of some length");
  const size_t full = list.memory_usage();
  list.erase_range(1, 1000);
  EXPECT_EQ(list.length(), 1u);
  EXPECT_LT(list.memory_usage(), full / 10);
}

TEST(Listpack, RefusesToPassItsLimit) {
  Listpack list;
  EXPECT_TRUE(list.fits(1000));
  EXPECT_FALSE(list.fits(Listpack::kMaxBytes));
  EXPECT_FALSE(list.fits(std::numeric_limits<size_t>::max()));
}

std::string random_value(Random& random) {
  switch (random.below(4)) {
    case 0:
      return std::to_string(static_cast<int64_t>(random.next()) >> random.below(64));
    case 1:
      return std::string(random.below(8), static_cast<char>('a' + random.below(3)));
    case 2:
      return std::string(random.below(200), 'v');
    default:
      return std::string(random.below(40) == 0 ? random.below(20000) : random.below(5), '1');
  }
}

// One random edit, made to the listpack and to the model alike.
void random_edit(Random& random, Listpack& list, std::vector<std::string>& model) {
  const std::string value = random_value(random);
  const size_t index = model.empty() ? 0 : random.below(model.size());
  const auto place = model.begin() + static_cast<ptrdiff_t>(index);
  Listpack::Scratch scratch;
  const auto choice = random.below(model.empty() ? 2 : 9);
  if (choice == 0) {
    list.append(value);
    model.push_back(value);
  } else if (choice == 1) {
    list.prepend(value);
    model.insert(model.begin(), value);
  } else if (choice <= 3) {
    const Position p = choice == 2 ? list.insert_before(list.at(static_cast<int64_t>(index)), value)
                                   : list.insert_after(list.at(static_cast<int64_t>(index)), value);
    model.insert(place + (choice == 3 ? 1 : 0), value);
    ASSERT_EQ(list.read(p, scratch), value);
  } else if (choice <= 5) {
    ASSERT_TRUE(list.equals(list.replace(list.at(static_cast<int64_t>(index)), value), value));
    *place = value;
  } else if (choice <= 7) {
    const Position p = list.erase(list.at(static_cast<int64_t>(index)));
    const auto following = model.erase(place);
    ASSERT_EQ(p == Listpack::kNone, following == model.end());
    if (p != Listpack::kNone) {
      ASSERT_EQ(list.read(p, scratch), *following);
    }
  } else {
    const size_t count = random.below(4);
    const auto from_end = static_cast<int64_t>(index) - static_cast<int64_t>(model.size());
    list.erase_range(from_end, count);
    model.erase(place, place + static_cast<ptrdiff_t>(std::min(count, model.size() - index)));
  }
}

TEST(Listpack, RandomEditsAgreeWithAVector) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(seed);
    Listpack list;
    std::vector<std::string> model;
    for (int step = 0; step < 400; ++step) {
      ASSERT_NO_FATAL_FAILURE(random_edit(random, list, model));
      ASSERT_EQ(list.length(), model.size());
      ASSERT_EQ(texts(list), model);
      const Status status = Listpack::check(list.bytes());
      ASSERT_TRUE(status.ok()) << status.error().to_string();
    }
    ASSERT_EQ(texts_backwards(list), model);
    for (size_t i = 0; i < model.size(); ++i) {
      ASSERT_TRUE(list.equals(list.at(static_cast<int64_t>(i)), model[i]));
      const Position found = list.find(model[i], list.first());
      ASSERT_TRUE(list.equals(found, model[i]));
    }
    ASSERT_EQ(list.clone().bytes(), list.bytes());
  }
}

Listpack one_of_each_encoding() {
  Listpack list;
  for (const char* item :
       {"5", "-100", "1000", "30000", "-100000", "100000000", "short", "4611686018427387904", ""}) {
    list.append(item);
  }
  list.append(std::string(100, 'm'));
  list.append(std::string(5000, 'l'));
  return list;
}

// What passes the check is walked both ways and edited; a sanitizer build sees any step outside.
void walk_and_edit(Listpack list) {
  EXPECT_EQ(texts(list), texts_backwards(list));
  EXPECT_EQ(texts(list).size(), list.length());
  list.find("absent", list.first(), 1);
  list.prepend("front");
  list.append("back");
  list.erase(list.at(1));
  EXPECT_TRUE(Listpack::check(list.bytes()).ok());
}

TEST(Listpack, FlippedBytesFailTheCheckOrWalkSafely) {
  const Listpack good = one_of_each_encoding();
  std::string bytes(good.bytes());
  for (size_t i = 0; i < bytes.size(); ++i) {
    // The long string's insides are all alike.
    if (i > 300 && i + 20 < bytes.size()) continue;
    const char original = bytes[i];
    for (int value = 0; value < 256; ++value) {
      bytes[i] = static_cast<char>(value);
      auto list = Listpack::validate(bytes);
      if (list) walk_and_edit(std::move(list).value());
    }
    bytes[i] = original;
  }
}

TEST(Listpack, CutBytesFailTheCheck) {
  const Listpack good = one_of_each_encoding();
  const std::string bytes(good.bytes());
  for (size_t size = 0; size < bytes.size(); ++size) {
    std::string cut = bytes.substr(0, size);
    EXPECT_FALSE(Listpack::check(cut).ok()) << size;
    if (size < 7) continue;
    // With a header and an end mark that agree with the cut.
    store_unaligned(cut.data(), static_cast<uint32_t>(size));
    cut.back() = '\xFF';
    auto list = Listpack::validate(cut);
    if (list) walk_and_edit(std::move(list).value());
  }
}

TEST(Listpack, SaysWhatIsWrongAndWhere) {
  std::string bytes(one_of_each_encoding().bytes());
  bytes[4] = 3;
  const Status status = Listpack::check(bytes);
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kCorrupt);
  EXPECT_EQ(status.error().to_string(),
            "listpack: header says 3 entries, there are 11 at offset 4");
}

struct RealValue {
  const char* file;
  uint8_t type;
  const char* key;
  size_t entries;
};

class RealListpack : public testing::TestWithParam<RealValue> {};

// A listpack built from the same texts must be the same bytes.
TEST_P(RealListpack, IsReadAndRebuiltByteForByte) {
  const RealValue& param = GetParam();
  const auto bytes = real_packed_value(param.file, param.type, param.key);
  if (!bytes) GTEST_SKIP() << "no " << param.file;
  const auto list = Listpack::validate(*bytes);
  ASSERT_TRUE(list.ok()) << list.error().to_string();
  EXPECT_EQ(list.value().length(), param.entries);
  EXPECT_EQ(list.value().bytes(), *bytes);
  Listpack rebuilt;
  for (const std::string& text : texts(list.value())) rebuilt.append(text);
  EXPECT_EQ(rebuilt.bytes(), *bytes);
}

INSTANTIATE_TEST_SUITE_P(Files, RealListpack,
                         testing::Values(RealValue{"valkey81-all-types.rdb", 16, "hash:small", 80},
                                         RealValue{"redis70-all-types.rdb", 16, "hash:small", 80},
                                         RealValue{"valkey81-all-types.rdb", 16, "db3hash", 2},
                                         RealValue{"valkey81-all-types.rdb", 17, "zset:small", 100},
                                         RealValue{"valkey81-all-types.rdb", 17, "zset:inf", 10},
                                         RealValue{"valkey81-all-types.rdb", 17, "geo", 4},
                                         RealValue{"valkey81-all-types.rdb", 20, "set:listpack",
                                                   60}));

}  // namespace
}  // namespace tandem
