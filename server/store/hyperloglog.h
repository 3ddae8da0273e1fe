#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace tandem {

// HyperLogLogs as Redis keeps them, byte for byte, in ordinary strings:
//
//   "HYLL" | encoding (1 byte) | unused (3) | cached cardinality (8, little-endian, the highest bit
//   set when it is out of date) | registers
//
// 16384 registers of 6 bits each. Dense: 12288 bytes, the lowest bits first. Sparse: runs of equal
// registers,
//   00xxxxxx           x+1 registers of zero
//   01xxxxxx yyyyyyyy  xy+1 registers of zero
//   1vvvvvxx           x+1 registers of v+1
//
// Whoever can set a string can write a broken one: everything here checks what it reads. Functions
// that take an HLL want one that hll_encoding() has recognized.

inline constexpr size_t kHllRegisters = 16384;
inline constexpr size_t kHllHeaderBytes = 16;
inline constexpr size_t kHllDenseBytes = kHllHeaderBytes + kHllRegisters * 6 / 8;

enum class HllEncoding : uint8_t { kDense = 0, kSparse = 1 };

// Nothing when the bytes do not begin as an HLL does, or are of the wrong length for a dense one.
// The registers of a sparse one may still turn out to be corrupt.
std::optional<HllEncoding> hll_encoding(std::string_view bytes);

// An HLL into which nothing has been added.
std::string empty_hll();

// What an element does to an HLL: its register becomes at least `count`.
struct HllObservation {
  uint32_t index = 0;
  uint8_t count = 0;
};
HllObservation hll_observe(std::string_view element);

enum class HllUpdate : uint8_t { kUnchanged, kChanged, kCorrupt };

// Whether adding the observation would change the HLL.
HllUpdate hll_would_change(std::string_view hll, HllObservation observation);
// Adds it. A sparse HLL that would become longer than `sparse_max_bytes`, or cannot express the
// count, becomes dense. The cached cardinality is left as it is.
HllUpdate hll_add(std::string* hll, HllObservation observation, size_t sparse_max_bytes);
// The same for a dense one, in place.
bool hll_add_dense(char* hll, HllObservation observation);

// False when `hll` is corrupt; it is then as it was.
bool hll_make_dense(std::string* hll);

// Nothing when it is out of date.
std::optional<uint64_t> hll_cached_cardinality(std::string_view hll);
void hll_cache_cardinality(char* hll, uint64_t cardinality);
void hll_invalidate_cache(char* hll);

// Estimates how many different elements were added. Nothing when the HLL is corrupt.
std::optional<uint64_t> hll_cardinality(std::string_view hll);

// Registers one byte each: the union of HLLs.
class HllRegisters {
 public:
  uint8_t operator[](size_t index) const { return registers_[index]; }
  // Raises each register to that of `hll`; false when it is corrupt.
  bool merge(std::string_view hll);
  uint64_t cardinality() const;
  // Overwrites the registers of a dense HLL.
  void store_dense(char* hll) const;

 private:
  std::array<uint8_t, kHllRegisters> registers_{};
};

// The runs of a sparse HLL, "Z:100 v:2,1 z:3": Z and z for the long and the short form of a run of
// zeros. Nothing when the last one is cut off.
std::optional<std::string> hll_describe_runs(std::string_view sparse);

}  // namespace tandem
