#include "server/commands/geo_hash.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tandem::geo {

namespace {

// Puts a zero in front of each bit.
uint64_t spread(uint32_t bits) {
  uint64_t spread = bits;
  spread = (spread | (spread << 16)) & 0x0000FFFF0000FFFFULL;
  spread = (spread | (spread << 8)) & 0x00FF00FF00FF00FFULL;
  spread = (spread | (spread << 4)) & 0x0F0F0F0F0F0F0F0FULL;
  spread = (spread | (spread << 2)) & 0x3333333333333333ULL;
  return (spread | (spread << 1)) & 0x5555555555555555ULL;
}

// Undoes it, ignoring every other bit.
uint32_t gather(uint64_t bits) {
  bits &= 0x5555555555555555ULL;
  bits = (bits | (bits >> 1)) & 0x3333333333333333ULL;
  bits = (bits | (bits >> 2)) & 0x0F0F0F0F0F0F0F0FULL;
  bits = (bits | (bits >> 4)) & 0x00FF00FF00FF00FFULL;
  bits = (bits | (bits >> 8)) & 0x0000FFFF0000FFFFULL;
  return static_cast<uint32_t>(bits | (bits >> 16));
}

double parts(int steps) { return static_cast<double>(uint64_t{1} << steps); }

uint32_t part_of(double value, double max, int steps) {
  return static_cast<uint32_t>((value + max) / (2 * max) * parts(steps));
}

double edge(double part, double max, int steps) { return -max + part / parts(steps) * (2 * max); }

// As a machine converts it, also where the language leaves it open.
uint64_t to_bits(double score) {
  constexpr double kHalf = 9223372036854775808.0;  // 2^63
  constexpr uint64_t kTopBit = uint64_t{1} << 63;
  const auto to_signed = [](double value) {
    const bool fits = value >= -kHalf && value < kHalf;
    return fits ? static_cast<uint64_t>(static_cast<int64_t>(value)) : kTopBit;
  };
  return score < kHalf ? to_signed(score) : to_signed(score - kHalf) ^ kTopBit;
}

}  // namespace

bool is_on_map(const Point& point) {
  return std::abs(point.longitude) <= kMaxLongitude && std::abs(point.latitude) <= kMaxLatitude;
}

Cell Cell::neighbour(int columns, int rows) const {
  const uint32_t mask = (uint32_t{1} << steps) - 1;
  Cell cell = *this;
  if (columns != 0) cell.column = (column + static_cast<uint32_t>(columns)) & mask;
  if (rows != 0) cell.row = (row + static_cast<uint32_t>(rows)) & mask;
  return cell;
}

double Cell::west() const { return edge(column, kMaxLongitude, steps); }
double Cell::east() const { return edge(column + 1.0, kMaxLongitude, steps); }
double Cell::south() const { return edge(row, kMaxLatitude, steps); }
double Cell::north() const { return edge(row + 1.0, kMaxLatitude, steps); }

uint64_t Cell::interleaved() const { return spread(row) | spread(column) << 1; }

Cell cell_of(const Point& point, int steps) {
  return {part_of(point.longitude, kMaxLongitude, steps),
          part_of(point.latitude, kMaxLatitude, steps), steps};
}

uint64_t encode(const Point& point) {
  const Cell cell = cell_of(point, Cell::kMaxSteps);
  return spread(cell.row) | spread(cell.column) << 1;
}

Point decode(double score) {
  const uint64_t bits = to_bits(score);
  const Cell cell = {gather(bits >> 1), gather(bits), Cell::kMaxSteps};
  return {std::clamp((cell.west() + cell.east()) / 2, -kMaxLongitude, kMaxLongitude),
          std::clamp((cell.south() + cell.north()) / 2, -kMaxLatitude, kMaxLatitude)};
}

std::string geohash_text(const Point& point) {
  static constexpr char kAlphabet[] = "0123456789bcdefghjkmnpqrstuvwxyz";
  constexpr double kPole = 90;
  const uint64_t bits = spread(part_of(point.latitude, kPole, Cell::kMaxSteps)) |
                        spread(part_of(point.longitude, kMaxLongitude, Cell::kMaxSteps)) << 1;
  std::string text(11, '0');
  for (int i = 0; i < 10; ++i) text[static_cast<size_t>(i)] = kAlphabet[bits >> (47 - 5 * i) & 31];
  return text;
}

double radians(double degrees) { return degrees * (std::numbers::pi / 180.0); }

double degrees(double radians) { return radians / (std::numbers::pi / 180.0); }

double meridian_distance(double latitude_a, double latitude_b) {
  return kEarthRadius_m * std::abs(radians(latitude_b) - radians(latitude_a));
}

// The haversine formula.
double distance(const Point& a, const Point& b) {
  const double v = std::sin((radians(b.longitude) - radians(a.longitude)) / 2);
  if (v == 0) return meridian_distance(a.latitude, b.latitude);
  const double latitude_a = radians(a.latitude);
  const double latitude_b = radians(b.latitude);
  const double u = std::sin((latitude_b - latitude_a) / 2);
  const double h = u * u + std::cos(latitude_a) * std::cos(latitude_b) * v * v;
  return 2.0 * kEarthRadius_m * std::asin(std::sqrt(h));
}

}  // namespace tandem::geo
