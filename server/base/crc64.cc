#include "server/base/crc64.h"

#include <array>
#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace tandem {

static_assert(std::endian::native == std::endian::little,
              "the sliced loop reads little-endian words");

namespace {

constexpr uint64_t kReflectedPolynomial = 0x95AC9329AC4BC9B5ULL;
constexpr size_t kSlices = 16;
using Tables = std::array<std::array<uint64_t, 256>, kSlices>;

constexpr Tables make_tables() {
  Tables tables{};
  for (uint64_t i = 0; i < 256; ++i) {
    uint64_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? kReflectedPolynomial : 0);
    tables[0][i] = crc;
  }
  for (size_t slice = 1; slice < kSlices; ++slice) {
    for (size_t i = 0; i < 256; ++i) {
      const uint64_t previous = tables[slice - 1][i];
      tables[slice][i] = tables[0][previous & 0xff] ^ (previous >> 8);
    }
  }
  return tables;
}

const Tables kTables = make_tables();

#if defined(__x86_64__)

// Multiplication without carries does 64 bytes at a time: Gopal et al., "Fast CRC Computation for
// Generic Polynomials Using PCLMULQDQ Instruction" (Intel, 2009), for a reflected CRC.
constexpr size_t kLane = 16;
constexpr size_t kLanes = 4;
constexpr size_t kFoldedBytes = kLane * kLanes;

const bool kCanFold = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");

// x^n modulo the polynomial, reflected like it.
constexpr int64_t power_of_x(int n) {
  uint64_t power = uint64_t{1} << 63;
  for (int i = 0; i < n; ++i) power = (power >> 1) ^ ((power & 1) ? kReflectedPolynomial : 0);
  return static_cast<int64_t>(power);
}

// Brings a lane `Bits` further, to where `next` stands, and adds that. The product of two reflected
// numbers is one bit too low, hence the exponents.
template <int Bits>
__attribute__((target("pclmul,sse4.1"))) __m128i fold(__m128i lane, __m128i next) {
  constexpr int64_t kNear = power_of_x(Bits - 1);
  constexpr int64_t kFar = power_of_x(Bits + 63);
  const __m128i powers = _mm_set_epi64x(kNear, kFar);
  const __m128i first_half = _mm_clmulepi64_si128(lane, powers, 0x00);
  const __m128i second_half = _mm_clmulepi64_si128(lane, powers, 0x11);
  return _mm_xor_si128(next, _mm_xor_si128(first_half, second_half));
}

// 16 bytes with the same CRC as the `blocks` times kFoldedBytes at `p` have after `crc`.
__attribute__((target("pclmul,sse4.1"))) std::array<char, kLane> fold_blocks(uint64_t crc,
                                                                             const char* p,
                                                                             size_t blocks) {
  const auto load = [](const char* from) __attribute__((target("pclmul,sse4.1"))) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from));
  };
  __m128i lanes[kLanes];
  for (size_t i = 0; i < kLanes; ++i) lanes[i] = load(p + i * kLane);
  lanes[0] = _mm_xor_si128(lanes[0], _mm_set_epi64x(0, static_cast<int64_t>(crc)));
  while (--blocks > 0) {
    p += kFoldedBytes;
    for (size_t i = 0; i < kLanes; ++i) {
      lanes[i] = fold<kFoldedBytes * 8>(lanes[i], load(p + i * kLane));
    }
  }
  __m128i all = lanes[0];
  for (size_t i = 1; i < kLanes; ++i) all = fold<kLane * 8>(all, lanes[i]);
  std::array<char, kLane> folded;
  _mm_storeu_si128(reinterpret_cast<__m128i*>(folded.data()), all);
  return folded;
}

#endif

}  // namespace

uint64_t crc64(uint64_t crc, std::string_view bytes) {
#if defined(__x86_64__)
  constexpr size_t kWorthwhile = 2 * kFoldedBytes;
  if (kCanFold && bytes.size() >= kWorthwhile) {
    const size_t blocks = bytes.size() / kFoldedBytes;
    const std::array<char, kLane> folded = fold_blocks(crc, bytes.data(), blocks);
    crc = crc64(0, {folded.data(), folded.size()});
    bytes.remove_prefix(blocks * kFoldedBytes);
  }
#endif
  const char* p = bytes.data();
  size_t left = bytes.size();
  for (; left >= kSlices; left -= kSlices, p += kSlices) {
    uint64_t low, high;
    std::memcpy(&low, p, 8);
    std::memcpy(&high, p + 8, 8);
    low ^= crc;
    crc = 0;
    for (size_t i = 0; i < 8; ++i) {
      crc ^= kTables[15 - i][(low >> (8 * i)) & 0xff] ^ kTables[7 - i][(high >> (8 * i)) & 0xff];
    }
  }
  for (; left > 0; --left, ++p) {
    crc = kTables[0][(crc ^ static_cast<unsigned char>(*p)) & 0xff] ^ (crc >> 8);
  }
  return crc;
}

}  // namespace tandem
