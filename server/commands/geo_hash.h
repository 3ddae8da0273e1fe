#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace tandem::geo {

// How places on Earth become scores of a sorted set, exactly as Redis does it: longitude and
// latitude are each cut into 2^26 parts and their bits interleaved, which makes 52 bits, an integer
// that a double holds. Cells of fewer bits, which are ranges of scores, tile the map.

inline constexpr double kMaxLongitude = 180;
// Where the square map of the Mercator projection ends.
inline constexpr double kMaxLatitude = 85.05112878;

// In degrees.
struct Point {
  double longitude = 0;
  double latitude = 0;
};

// Whether the place is on the map.
bool is_on_map(const Point& point);

// A cell of the map cut into 2^steps columns and rows. A place at the map's very edge has a column
// or row of its own behind the last one.
struct Cell {
  static constexpr int kMaxSteps = 26;

  uint32_t column = 0;
  uint32_t row = 0;
  int steps = 0;

  bool operator==(const Cell&) const = default;
  // The cell that many columns and rows away, around the map's edges if need be.
  Cell neighbour(int columns, int rows) const;

  // Its edges.
  double west() const;
  double east() const;
  double south() const;
  double north() const;

  // The scores of all places in it: from the first up to, not including, the last.
  double first_score() const { return static_cast<double>(interleaved() << unused_bits()); }
  double last_score() const { return static_cast<double>((interleaved() + 1) << unused_bits()); }

 private:
  uint64_t interleaved() const;
  int unused_bits() const { return 2 * (kMaxSteps - steps); }
};

// The cell a place on the map is in.
Cell cell_of(const Point& point, int steps);

// The score of a place on the map.
uint64_t encode(const Point& point);
// The middle of the smallest cell that a score names; for any score at all.
Point decode(double score);

// The eleven characters of the geohash that others use, whose latitudes reach from pole to pole.
// The last one is always 0.
std::string geohash_text(const Point& point);

// Metres along a great circle.
double distance(const Point& a, const Point& b);
// The same along a meridian.
double meridian_distance(double latitude_a, double latitude_b);

inline constexpr double kEarthRadius_m = 6372797.560856;

double radians(double degrees);
double degrees(double radians);

}  // namespace tandem::geo
