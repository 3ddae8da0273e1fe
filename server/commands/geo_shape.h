#pragma once

#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "server/commands/geo_hash.h"

namespace tandem::geo {

// All in metres.
struct Circle {
  double radius = 0;
};
// Its sides lie along meridians and parallels.
struct Box {
  double width = 0;
  double height = 0;
};
// Closed: the last vertex is joined to the first one.
struct Polygon {
  std::vector<Point> vertices;
};

// What a search is for: an area around a centre.
class Shape {
 public:
  Shape(Point centre, Circle circle) : centre_(centre), area_(circle) {}
  Shape(Point centre, Box box) : centre_(centre), area_(box) {}
  // Its centre is that of its vertices, which are at least three.
  explicit Shape(Polygon polygon);

  // The distance of a place in the area from the centre; nothing for one outside.
  std::optional<double> distance_inside(const Point& point) const;

  // The cells whose places may be in the area, in the order in which Redis looks at them. No cell
  // is there twice in a row.
  std::vector<Cell> cells() const;

 private:
  struct Bounds {
    double west, south, east, north;
  };
  Bounds bounds() const;
  double reach() const;

  Point centre_;
  std::variant<Circle, Box, Polygon> area_;
};

}  // namespace tandem::geo
