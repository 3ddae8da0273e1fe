// Any string may stand where an HLL is expected: what is not one is refused, and what is taken for
// one can be read, changed and merged. The first byte of the input says how to use the rest: as a
// whole string, or as the runs of a sparse HLL behind a right header.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/store/hyperloglog.h"

namespace tandem {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

// A corrupt HLL is never changed; a whole one stays whole.
void fuzz_adding(const std::string& original, std::string_view elements, size_t sparse_max) {
  std::string hll = original;
  for (size_t i = 0; i + 3 <= elements.size(); i += 3) {
    const HllObservation observation{
        (static_cast<unsigned char>(elements[i]) * 256u +
         static_cast<unsigned char>(elements[i + 1])) %
            static_cast<uint32_t>(kHllRegisters),
        static_cast<uint8_t>(1 + static_cast<unsigned char>(elements[i + 2]) % 51)};
    const std::string before = hll;
    const HllUpdate expected = hll_would_change(hll, observation);
    const HllUpdate update = hll_add(&hll, observation, sparse_max);
    require(update == expected || update == HllUpdate::kCorrupt);
    require(update == HllUpdate::kChanged || hll == before);
    require(hll_encoding(hll).has_value());
    if (update == HllUpdate::kChanged) {
      require(hll_would_change(hll, observation) == HllUpdate::kUnchanged);
    }
    require(hll_cardinality(hll).has_value() == hll_cardinality(original).has_value());
  }
  hll_add(&hll, hll_observe(elements), sparse_max);
}

void fuzz(const std::string& hll, std::string_view elements) {
  const auto encoding = hll_encoding(hll);
  if (!encoding) return;
  (void)hll_cached_cardinality(hll);
  if (*encoding == HllEncoding::kSparse) (void)hll_describe_runs(hll);
  const auto cardinality = hll_cardinality(hll);
  HllRegisters registers;
  require(registers.merge(hll) == cardinality.has_value());
  std::string dense = hll;
  require(hll_make_dense(&dense) == cardinality.has_value());
  if (cardinality) {
    require(registers.cardinality() == *cardinality);
    require(hll_cardinality(dense) == cardinality);
    std::string stored = dense;
    registers.store_dense(stored.data());
    require(stored == dense);
  } else {
    require(dense == hll);
  }
  fuzz_adding(hll, elements, 3000);
  fuzz_adding(hll, elements, 0);
}

}  // namespace
}  // namespace tandem

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const size_t elements = bytes.size() < 60 ? bytes.size() / 3 : 20;
  const std::string_view tail = bytes.substr(bytes.size() - elements);
  const std::string_view head = bytes.substr(0, bytes.size() - elements);
  if (data[0] % 2 == 0) {
    tandem::fuzz(std::string(head), tail);
  } else {
    tandem::fuzz(tandem::empty_hll().substr(0, tandem::kHllHeaderBytes).append(head), tail);
  }
  return 0;
}
