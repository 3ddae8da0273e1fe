#include "server/store/hyperloglog.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "server/base/digest.h"
#include "server/base/random.h"

namespace tandem {
namespace {

constexpr size_t kSparseMax = 3000;

std::string with_elements(size_t count, size_t sparse_max = kSparseMax) {
  std::string hll = empty_hll();
  for (size_t i = 0; i < count; ++i) {
    EXPECT_NE(hll_add(&hll, hll_observe("element:" + std::to_string(i)), sparse_max),
              HllUpdate::kCorrupt);
  }
  return hll;
}

std::string sparse_of(std::string_view runs) {
  return empty_hll().substr(0, kHllHeaderBytes).append(runs);
}

std::string dense(std::string hll) {
  EXPECT_TRUE(hll_make_dense(&hll));
  return hll;
}

TEST(HyperloglogTest, BeginsAsOneRunOfZeros) {
  const std::string hll = empty_hll();
  EXPECT_EQ(hll, std::string_view("HYLL\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff", 18));
  EXPECT_EQ(hll_encoding(hll), HllEncoding::kSparse);
  EXPECT_EQ(hll_cached_cardinality(hll), 0u);
  EXPECT_EQ(hll_cardinality(hll), 0u);
  EXPECT_EQ(hll_describe_runs(hll), "Z:16384");
}

TEST(HyperloglogTest, RecognizesHeaders) {
  EXPECT_EQ(hll_encoding(""), std::nullopt);
  EXPECT_EQ(hll_encoding("HYLL"), std::nullopt);
  EXPECT_EQ(hll_encoding("hyll" + empty_hll().substr(4)), std::nullopt);
  std::string unknown = empty_hll();
  unknown[4] = 2;
  EXPECT_EQ(hll_encoding(unknown), std::nullopt);
  std::string bytes = dense(empty_hll());
  EXPECT_EQ(hll_encoding(bytes), HllEncoding::kDense);
  bytes.pop_back();
  EXPECT_EQ(hll_encoding(bytes), std::nullopt);
}

TEST(HyperloglogTest, SparseUpdatesSplitAndJoinRuns) {
  std::string hll = empty_hll();
  const auto add = [&hll](uint32_t index, uint8_t count) {
    return hll_add(&hll, {index, count}, kSparseMax);
  };
  EXPECT_EQ(add(100, 3), HllUpdate::kChanged);
  EXPECT_EQ(hll_describe_runs(hll), "Z:100 v:3,1 Z:16283");
  EXPECT_EQ(add(100, 3), HllUpdate::kUnchanged);
  EXPECT_EQ(add(100, 2), HllUpdate::kUnchanged);
  EXPECT_EQ(add(101, 3), HllUpdate::kChanged);
  EXPECT_EQ(hll_describe_runs(hll), "Z:100 v:3,2 Z:16282");
  EXPECT_EQ(add(103, 3), HllUpdate::kChanged);
  EXPECT_EQ(hll_describe_runs(hll), "Z:100 v:3,2 z:1 v:3,1 Z:16280");
  EXPECT_EQ(add(102, 3), HllUpdate::kChanged);
  EXPECT_EQ(hll_describe_runs(hll), "Z:100 v:3,4 Z:16280");
  EXPECT_EQ(add(101, 5), HllUpdate::kChanged);
  EXPECT_EQ(hll_describe_runs(hll), "Z:100 v:3,1 v:5,1 v:3,2 Z:16280");
  EXPECT_EQ(add(0, 1), HllUpdate::kChanged);
  EXPECT_EQ(add(16383, 32), HllUpdate::kChanged);
  EXPECT_EQ(hll_describe_runs(hll), "v:1,1 Z:99 v:3,1 v:5,1 v:3,2 Z:16279 v:32,1");
  EXPECT_EQ(hll_encoding(hll), HllEncoding::kSparse);
}

TEST(HyperloglogTest, BecomesDenseWhenSparseDoesNotDo) {
  std::string hll = with_elements(50);
  EXPECT_EQ(hll_add(&hll, {7, 33}, kSparseMax), HllUpdate::kChanged);
  EXPECT_EQ(hll_encoding(hll), HllEncoding::kDense);
  hll = with_elements(50, 100);
  EXPECT_EQ(hll_encoding(hll), HllEncoding::kDense);
  EXPECT_EQ(hll, dense(with_elements(50)));
}

TEST(HyperloglogTest, BothEncodingsHoldTheSame) {
  for (const size_t count : {1u, 10u, 500u, 1400u, 20'000u}) {
    const std::string sparse = with_elements(count, 1 << 20);
    const std::string other = with_elements(count, 0);
    ASSERT_EQ(hll_encoding(sparse), HllEncoding::kSparse);
    ASSERT_EQ(hll_encoding(other), HllEncoding::kDense);
    EXPECT_EQ(dense(sparse), other);
    EXPECT_EQ(hll_cardinality(sparse), hll_cardinality(other));
    HllRegisters registers;
    EXPECT_TRUE(registers.merge(sparse));
    EXPECT_EQ(registers.cardinality(), hll_cardinality(sparse));
    std::string stored = dense(empty_hll());
    registers.store_dense(stored.data());
    EXPECT_EQ(stored, other);
  }
}

// Figures of redis-server 7.0.15 for the same elements.
TEST(HyperloglogTest, EstimatesAndBytesAreThoseOfRedis) {
  struct Case {
    size_t elements;
    uint64_t cardinality;
    size_t length;
    std::string_view sha1;
  };
  static constexpr Case kCases[] = {
      {0, 0, 18, "eb99f41f6592620287cfc309b2ddb3aa605643dc"},
      {1, 1, 21, "adcba163fea19bb455ce1ff722e0a4657769138e"},
      {2, 2, 24, "a7fa0247c89527105f4c2f54ad5ec49b1df9f1ac"},
      {10, 10, 48, "5029c09378ca33108acf16d00a838a39993b83aa"},
      {100, 99, 285, "a854417f40f0ac58d50bed17ce7b31030e530139"},
      {500, 502, 1050, "b63ecd6a2e7ef6f171bc1accc04424e490d4b690"},
      {1000, 997, 1897, "a997aa82a94eec671e0ed75561526346d5d673a4"},
      {1100, 1095, 2057, "472c1cf866df2294b69b6b393a101f8039c130ab"},
      {2000, 2004, 12304, "9897c8aecc9e9dea1693e0581edbee1845d4282b"},
      {10000, 10017, 12304, "b7057114d4fa14ca0bb401cde7fe71d0b009b95c"},
      {100000, 100039, 12304, "4202c4ac74587d21b9bdf91b60bad36b93b06422"},
      {1000000, 1010357, 12304, "336b93fc78ee88773669e96583e3d4f6a39911e6"},
  };
  for (const Case& expected : kCases) {
    const std::string hll = with_elements(expected.elements);
    SCOPED_TRACE(expected.elements);
    EXPECT_EQ(hll_cardinality(hll), expected.cardinality);
    EXPECT_EQ(hll.size(), expected.length);
    EXPECT_EQ(sha1_hex(hll.substr(kHllHeaderBytes)), expected.sha1);
  }
}

TEST(HyperloglogTest, CachesTheCardinalityInTheHeader) {
  std::string hll = with_elements(10);
  hll_cache_cardinality(hll.data(), 0x0102030405060708);
  EXPECT_EQ(hll.substr(8, 8), "\x08\x07\x06\x05\x04\x03\x02\x01");
  EXPECT_EQ(hll_cached_cardinality(hll), 0x0102030405060708u);
  hll_invalidate_cache(hll.data());
  EXPECT_EQ(hll_cached_cardinality(hll), std::nullopt);
}

TEST(HyperloglogTest, CorruptRunsAreFoundOut) {
  const std::string_view kCorrupt[] = {
      "",                          // no registers
      "\x7f",                      // cut off
      "\x7f\xfe",                  // one register short
      "\x7f\xff\x80",              // one too many
      "\x80\x7f\xff",              // the same
      "\x7f\xff\x7f\xff\x7f\xff",  // far too many
      "\x7f\xfe\x40",              // the last one cut off
  };
  for (const std::string_view runs : kCorrupt) {
    std::string hll = sparse_of(runs);
    SCOPED_TRACE(testing::PrintToString(runs));
    EXPECT_EQ(hll_cardinality(hll), std::nullopt);
    EXPECT_FALSE(HllRegisters().merge(hll));
    const std::string before = hll;
    EXPECT_FALSE(hll_make_dense(&hll));
    EXPECT_EQ(hll, before);
    EXPECT_EQ(hll_add(&hll, {16383, 40}, kSparseMax), HllUpdate::kCorrupt);
    EXPECT_EQ(hll, before);
  }
  EXPECT_EQ(hll_describe_runs(sparse_of("\x7f")), std::nullopt);
}

// All registers above what any element can bring them to.
TEST(HyperloglogTest, ImpossibleRegistersHaveADefinedEstimate) {
  std::string hll = dense(empty_hll());
  for (uint32_t i = 0; i < kHllRegisters; ++i) hll_add_dense(hll.data(), {i, 63});
  EXPECT_EQ(hll_cardinality(hll), uint64_t{1} << 63);
}

TEST(HyperloglogTest, DenseRegistersKeepApart) {
  Random random(5);
  std::string hll = dense(empty_hll());
  std::vector<uint8_t> expected(kHllRegisters);
  for (int i = 0; i < 100'000; ++i) {
    const auto index = static_cast<uint32_t>(random.below(kHllRegisters));
    const auto count = static_cast<uint8_t>(random.below(64));
    ASSERT_EQ(hll_would_change(hll, {index, count}) == HllUpdate::kChanged,
              count > expected[index]);
    ASSERT_EQ(hll_add_dense(hll.data(), {index, count}), count > expected[index]);
    expected[index] = std::max(expected[index], count);
  }
  HllRegisters registers;
  ASSERT_TRUE(registers.merge(hll));
  for (size_t i = 0; i < kHllRegisters; ++i) ASSERT_EQ(registers[i], expected[i]) << i;
}

}  // namespace
}  // namespace tandem
