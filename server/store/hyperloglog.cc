#include "server/store/hyperloglog.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

namespace tandem {
namespace {

constexpr std::string_view kMagic = "HYLL";
constexpr size_t kEncodingAt = 4;
constexpr size_t kCardinalityAt = 8;
constexpr size_t kCacheFlagAt = 15;
constexpr unsigned char kCacheIsOld = 0x80;
constexpr unsigned kIndexBits = 14;  // of the hash; the rest is for the count
constexpr unsigned kRestBits = 64 - kIndexBits;
constexpr uint64_t kHashSeed = 0xadc83b19;

constexpr size_t kMaxShortZeros = 64;
constexpr unsigned kMaxRunValue = 32;
constexpr size_t kMaxValueRun = 4;

// How many registers have each value.
using Histogram = std::array<uint32_t, 64>;

// MurmurHash64A (Austin Appleby, public domain), which the registers of every HLL that exists
// depend on. Reads little-endian words.
uint64_t murmur_hash(std::string_view bytes, uint64_t seed) {
  constexpr uint64_t kMultiplier = 0xc6a4a7935bd1e995;
  constexpr unsigned kShift = 47;
  uint64_t hash = seed ^ (bytes.size() * kMultiplier);
  while (bytes.size() >= 8) {
    uint64_t word;
    std::memcpy(&word, bytes.data(), sizeof word);
    if constexpr (std::endian::native == std::endian::big) word = __builtin_bswap64(word);
    word *= kMultiplier;
    word ^= word >> kShift;
    hash = (hash ^ (word * kMultiplier)) * kMultiplier;
    bytes.remove_prefix(8);
  }
  if (!bytes.empty()) {
    uint64_t tail = 0;
    for (size_t i = bytes.size(); i > 0; --i) {
      tail = (tail << 8) | static_cast<unsigned char>(bytes[i - 1]);
    }
    hash = (hash ^ tail) * kMultiplier;
  }
  hash = (hash ^ (hash >> kShift)) * kMultiplier;
  return hash ^ (hash >> kShift);
}

struct Run {
  enum class Kind : uint8_t { kShortZeros, kLongZeros, kValues };
  Kind kind = Kind::kShortZeros;
  uint8_t value = 0;
  size_t length = 0;  // registers
  size_t bytes = 0;   // of its encoding
};

// The run at the front of `encoded`; nothing when that is empty or the run cut off.
std::optional<Run> read_run(std::string_view encoded) {
  if (encoded.empty()) return std::nullopt;
  const auto byte = static_cast<unsigned char>(encoded[0]);
  if ((byte & 0x80) != 0) {
    return Run{Run::Kind::kValues, static_cast<uint8_t>(((byte >> 2) & 31) + 1), (byte & 3u) + 1,
               1};
  }
  if ((byte & 0x40) == 0) return Run{Run::Kind::kShortZeros, 0, (byte & 63u) + 1, 1};
  if (encoded.size() < 2) return std::nullopt;
  const size_t length = ((byte & 63u) << 8) | static_cast<unsigned char>(encoded[1]);
  return Run{Run::Kind::kLongZeros, 0, length + 1, 2};
}

char value_run(unsigned value, size_t length) {
  return static_cast<char>(0x80u | ((value - 1) << 2) | (length - 1));
}

// A few runs that take the place of one.
struct RunSequence {
  char bytes[5];
  size_t size = 0;

  void values(unsigned value, size_t length) {
    if (length > 0) bytes[size++] = value_run(value, length);
  }
  void zeros(size_t length) {
    if (length == 0) return;
    if (length > kMaxShortZeros) {
      bytes[size++] = static_cast<char>(0x40 | ((length - 1) >> 8));
      bytes[size++] = static_cast<char>((length - 1) & 0xff);
    } else {
      bytes[size++] = static_cast<char>(length - 1);
    }
  }
};

// Calls visit(first register, run) for each run. False unless they describe all registers and no
// more; the visited ones never pass the end.
template <typename Visit>
bool for_each_run(std::string_view sparse, Visit&& visit) {
  std::string_view left = sparse.substr(kHllHeaderBytes);
  size_t first = 0;
  while (!left.empty()) {
    const std::optional<Run> run = read_run(left);
    if (!run || run->length > kHllRegisters - first) return false;
    visit(first, *run);
    first += run->length;
    left.remove_prefix(run->bytes);
  }
  return first == kHllRegisters;
}

// Where a register's run stands among the bytes of a sparse HLL.
struct Location {
  size_t previous = 0;  // offset of the run before it, or of itself when it is the first
  size_t at = 0;
  size_t first = 0;  // the run's first register
  Run run;
};

std::optional<Location> locate(std::string_view sparse, size_t index) {
  Location found;
  found.previous = found.at = kHllHeaderBytes;
  for (;;) {
    const std::optional<Run> run = read_run(sparse.substr(found.at));
    if (!run || run->length > kHllRegisters - found.first) return std::nullopt;
    found.run = *run;
    if (index < found.first + run->length) return found;
    found.previous = found.at;
    found.at += run->bytes;
    found.first += run->length;
  }
}

// What the register's run becomes when the register gets a value of its own.
RunSequence split(const Location& where, HllObservation observation) {
  const size_t before = observation.index - where.first;
  const size_t after = where.run.length - before - 1;
  RunSequence sequence;
  if (where.run.kind == Run::Kind::kValues) {
    sequence.values(where.run.value, before);
    sequence.values(observation.count, 1);
    sequence.values(where.run.value, after);
  } else {
    sequence.zeros(before);
    sequence.values(observation.count, 1);
    sequence.zeros(after);
  }
  return sequence;
}

// Joins neighbouring runs of the same value, looking at the five runs from `at` on: as far as an
// update can have made new neighbours.
void join_values(std::string* sparse, size_t at) {
  for (int looks = 5; looks > 0; --looks) {
    const std::optional<Run> run = read_run(std::string_view(*sparse).substr(at));
    if (!run) return;
    if (run->kind == Run::Kind::kValues) {
      const std::optional<Run> next = read_run(std::string_view(*sparse).substr(at + 1));
      if (next && next->kind == Run::Kind::kValues && next->value == run->value &&
          run->length + next->length <= kMaxValueRun) {
        (*sparse)[at] = value_run(run->value, run->length + next->length);
        sparse->erase(at + 1, 1);
        continue;
      }
    }
    at += run->bytes;
  }
}

HllUpdate add_dense_to(std::string* sparse, HllObservation observation) {
  if (!hll_make_dense(sparse)) return HllUpdate::kCorrupt;
  return hll_add_dense(sparse->data(), observation) ? HllUpdate::kChanged : HllUpdate::kUnchanged;
}

HllUpdate add_sparse(std::string* hll, HllObservation observation, size_t max_bytes) {
  if (observation.count > kMaxRunValue) return add_dense_to(hll, observation);
  const std::optional<Location> where = locate(*hll, observation.index);
  if (!where) return HllUpdate::kCorrupt;
  if (where->run.value >= observation.count) return HllUpdate::kUnchanged;
  const RunSequence sequence = split(*where, observation);
  if (sequence.size > where->run.bytes &&
      hll->size() + (sequence.size - where->run.bytes) > max_bytes) {
    return add_dense_to(hll, observation);
  }
  hll->replace(where->at, where->run.bytes, sequence.bytes, sequence.size);
  join_values(hll, where->previous);
  return HllUpdate::kChanged;
}

// Registers of a dense HLL. One lies in one byte or in two neighbours; the last in one.
uint8_t dense_register(const char* hll, size_t index) {
  const char* byte = hll + kHllHeaderBytes + index * 6 / 8;
  const size_t shift = index * 6 % 8;
  unsigned bits = static_cast<unsigned char>(byte[0]);
  if (shift > 2) bits |= static_cast<unsigned>(static_cast<unsigned char>(byte[1])) << 8;
  return static_cast<uint8_t>((bits >> shift) & 63);
}

void set_dense_register(char* hll, size_t index, uint8_t value) {
  char* byte = hll + kHllHeaderBytes + index * 6 / 8;
  const size_t shift = index * 6 % 8;
  byte[0] = static_cast<char>((static_cast<unsigned char>(byte[0]) & ~(63u << shift)) |
                              (static_cast<unsigned>(value) << shift));
  if (shift <= 2) return;
  byte[1] = static_cast<char>((static_cast<unsigned char>(byte[1]) & ~(63u >> (8 - shift))) |
                              (static_cast<unsigned>(value) >> (8 - shift)));
}

// Calls visit(index, value) for all registers; four of them stand in three bytes.
template <typename Visit>
void for_each_dense_register(std::string_view dense, Visit&& visit) {
  const auto* byte = reinterpret_cast<const unsigned char*>(dense.data()) + kHllHeaderBytes;
  for (size_t index = 0; index < kHllRegisters; index += 4, byte += 3) {
    const unsigned bits =
        byte[0] | (static_cast<unsigned>(byte[1]) << 8) | (static_cast<unsigned>(byte[2]) << 16);
    visit(index, static_cast<uint8_t>(bits & 63));
    visit(index + 1, static_cast<uint8_t>((bits >> 6) & 63));
    visit(index + 2, static_cast<uint8_t>((bits >> 12) & 63));
    visit(index + 3, static_cast<uint8_t>(bits >> 18));
  }
}

// The estimator of Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches",
// arXiv:1702.01284, algorithm 6, with its functions sigma and tau. The steps are those of the
// paper: another order of additions would give other last digits.
double sigma(double x) {
  if (x == 1) return std::numeric_limits<double>::infinity();
  double power = 1, sum = x, before = 0;
  do {
    x *= x;
    before = sum;
    sum += x * power;
    power += power;
  } while (sum != before);
  return sum;
}

double tau(double x) {
  if (x == 0 || x == 1) return 0;
  double power = 1, sum = 1 - x, before = 0;
  do {
    x = std::sqrt(x);
    before = sum;
    power *= 0.5;
    sum -= (1 - x) * (1 - x) * power;
  } while (sum != before);
  return sum / 3;
}

uint64_t estimate(const Histogram& histogram) {
  constexpr double kAlpha = 0.721347520444481703680;  // 1 / (2 ln 2)
  constexpr double kCount = kHllRegisters;
  double z = kCount * tau((kCount - histogram[kRestBits + 1]) / kCount);
  for (unsigned i = kRestBits; i >= 1; --i) {
    z += histogram[i];
    z *= 0.5;
  }
  z += kCount * sigma(histogram[0] / kCount);
  const double cardinality = kAlpha * kCount * kCount / z;
  // No element leaves registers that estimate to infinity, but who writes strings can; a
  // conversion would be undefined.
  if (!(cardinality < 0x1p63)) return uint64_t{1} << 63;
  return static_cast<uint64_t>(std::llround(cardinality));
}

}  // namespace

std::optional<HllEncoding> hll_encoding(std::string_view bytes) {
  if (bytes.size() < kHllHeaderBytes || !bytes.starts_with(kMagic)) return std::nullopt;
  switch (bytes[kEncodingAt]) {
    case 0:
      if (bytes.size() != kHllDenseBytes) return std::nullopt;
      return HllEncoding::kDense;
    case 1:
      return HllEncoding::kSparse;
    default:
      return std::nullopt;
  }
}

std::string empty_hll() {
  std::string hll(kHllHeaderBytes, '\0');
  hll.replace(0, kMagic.size(), kMagic);
  hll[kEncodingAt] = static_cast<char>(HllEncoding::kSparse);
  RunSequence zeros;
  zeros.zeros(kHllRegisters);
  return hll.append(zeros.bytes, zeros.size);
}

HllObservation hll_observe(std::string_view element) {
  const uint64_t hash = murmur_hash(element, kHashSeed);
  // The count is that of trailing zeros, plus one, in what the index has left of the hash.
  const uint64_t rest = (hash >> kIndexBits) | (uint64_t{1} << kRestBits);
  return {static_cast<uint32_t>(hash & (kHllRegisters - 1)),
          static_cast<uint8_t>(std::countr_zero(rest) + 1)};
}

HllUpdate hll_would_change(std::string_view hll, HllObservation observation) {
  uint8_t present = 0;
  if (hll_encoding(hll) == HllEncoding::kDense) {
    present = dense_register(hll.data(), observation.index);
  } else {
    const std::optional<Location> where = locate(hll, observation.index);
    if (!where) return HllUpdate::kCorrupt;
    present = where->run.value;
  }
  return observation.count > present ? HllUpdate::kChanged : HllUpdate::kUnchanged;
}

HllUpdate hll_add(std::string* hll, HllObservation observation, size_t sparse_max_bytes) {
  if (hll_encoding(*hll) == HllEncoding::kSparse) {
    return add_sparse(hll, observation, sparse_max_bytes);
  }
  return hll_add_dense(hll->data(), observation) ? HllUpdate::kChanged : HllUpdate::kUnchanged;
}

bool hll_add_dense(char* hll, HllObservation observation) {
  if (observation.count <= dense_register(hll, observation.index)) return false;
  set_dense_register(hll, observation.index, observation.count);
  return true;
}

bool hll_make_dense(std::string* hll) {
  if (hll_encoding(*hll) == HllEncoding::kDense) return true;
  std::string dense(kHllDenseBytes, '\0');
  dense.replace(0, kHllHeaderBytes, *hll, 0, kHllHeaderBytes);
  dense[kEncodingAt] = static_cast<char>(HllEncoding::kDense);
  const bool valid = for_each_run(*hll, [&](size_t first, const Run& run) {
    if (run.value == 0) return;
    for (size_t i = 0; i < run.length; ++i) set_dense_register(dense.data(), first + i, run.value);
  });
  if (valid) *hll = std::move(dense);
  return valid;
}

std::optional<uint64_t> hll_cached_cardinality(std::string_view hll) {
  uint64_t cardinality = 0;
  for (size_t i = 8; i > 0; --i) {
    cardinality = (cardinality << 8) | static_cast<unsigned char>(hll[kCardinalityAt + i - 1]);
  }
  if (cardinality >> 63 != 0) return std::nullopt;
  return cardinality;
}

void hll_cache_cardinality(char* hll, uint64_t cardinality) {
  for (size_t i = 0; i < 8; ++i) {
    hll[kCardinalityAt + i] = static_cast<char>(cardinality >> (8 * i) & 0xff);
  }
}

void hll_invalidate_cache(char* hll) {
  hll[kCacheFlagAt] =
      static_cast<char>(static_cast<unsigned char>(hll[kCacheFlagAt]) | kCacheIsOld);
}

std::optional<uint64_t> hll_cardinality(std::string_view hll) {
  Histogram histogram{};
  if (hll_encoding(hll) == HllEncoding::kDense) {
    for_each_dense_register(hll, [&](size_t, uint8_t value) { ++histogram[value]; });
  } else if (!for_each_run(hll, [&](size_t, const Run& run) {
               histogram[run.value] += static_cast<uint32_t>(run.length);
             })) {
    return std::nullopt;
  }
  return estimate(histogram);
}

bool HllRegisters::merge(std::string_view hll) {
  if (hll_encoding(hll) == HllEncoding::kDense) {
    for_each_dense_register(hll, [this](size_t index, uint8_t value) {
      registers_[index] = std::max(registers_[index], value);
    });
    return true;
  }
  return for_each_run(hll, [this](size_t first, const Run& run) {
    if (run.value == 0) return;
    for (size_t i = first; i < first + run.length; ++i) {
      registers_[i] = std::max(registers_[i], run.value);
    }
  });
}

uint64_t HllRegisters::cardinality() const {
  Histogram histogram{};
  for (const uint8_t value : registers_) ++histogram[value];
  return estimate(histogram);
}

void HllRegisters::store_dense(char* hll) const {
  char* byte = hll + kHllHeaderBytes;
  for (size_t i = 0; i < kHllRegisters; i += 4, byte += 3) {
    const unsigned bits = registers_[i] | (static_cast<unsigned>(registers_[i + 1]) << 6) |
                          (static_cast<unsigned>(registers_[i + 2]) << 12) |
                          (static_cast<unsigned>(registers_[i + 3]) << 18);
    byte[0] = static_cast<char>(bits & 0xff);
    byte[1] = static_cast<char>(bits >> 8 & 0xff);
    byte[2] = static_cast<char>(bits >> 16 & 0xff);
  }
}

std::optional<std::string> hll_describe_runs(std::string_view sparse) {
  std::string text;
  std::string_view left = sparse.substr(kHllHeaderBytes);
  while (!left.empty()) {
    const std::optional<Run> run = read_run(left);
    if (!run) return std::nullopt;
    if (!text.empty()) text += ' ';
    const std::string length = std::to_string(run->length);
    switch (run->kind) {
      case Run::Kind::kShortZeros:
        text += "z:" + length;
        break;
      case Run::Kind::kLongZeros:
        text += "Z:" + length;
        break;
      case Run::Kind::kValues:
        text += "v:" + std::to_string(run->value) + ',' + length;
        break;
    }
    left.remove_prefix(run->bytes);
  }
  return text;
}

}  // namespace tandem
