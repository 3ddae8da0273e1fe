#include "server/commands/geo_shape.h"

#include <algorithm>
#include <cmath>

namespace tandem::geo {

namespace {

// The middle of places, in space, seen from the centre of Earth.
Point middle_of(const std::vector<Point>& points) {
  double x = 0, y = 0, z = 0;
  for (const Point& point : points) {
    const double longitude = radians(point.longitude);
    const double latitude = radians(point.latitude);
    x += kEarthRadius_m * std::cos(latitude) * std::cos(longitude);
    y += kEarthRadius_m * std::cos(latitude) * std::sin(longitude);
    z += kEarthRadius_m * std::sin(latitude);
  }
  const auto count = static_cast<double>(points.size());
  x /= count;
  y /= count;
  z /= count;
  return {degrees(std::atan2(y, x)), degrees(std::atan2(z, std::sqrt(x * x + y * y)))};
}

// Counts how often a ray to the east crosses the sides (W. R. Franklin's PNPOLY).
bool is_inside(const std::vector<Point>& vertices, const Point& point) {
  bool inside = false;
  const Point* before = &vertices.back();
  for (const Point& vertex : vertices) {
    const bool spans = (vertex.latitude > point.latitude) != (before->latitude > point.latitude);
    if (spans && point.longitude < (before->longitude - vertex.longitude) *
                                           (point.latitude - vertex.latitude) /
                                           (before->latitude - vertex.latitude) +
                                       vertex.longitude) {
      inside = !inside;
    }
    before = &vertex;
  }
  return inside;
}

// Into how many parts to cut the map so that a cell and its neighbours cover what is in reach.
int steps_for(double reach_m, double latitude) {
  constexpr double kMapHalf_m = 20037726.37;
  if (reach_m == 0) return Cell::kMaxSteps;
  int steps = -1;
  for (; reach_m < kMapHalf_m; reach_m *= 2) ++steps;
  // Meridians run together towards the poles.
  if (std::abs(latitude) > 66) --steps;
  if (std::abs(latitude) > 80) --steps;
  return std::clamp(steps, 1, Cell::kMaxSteps);
}

}  // namespace

Shape::Shape(Polygon polygon) : centre_(middle_of(polygon.vertices)), area_(std::move(polygon)) {}

std::optional<double> Shape::distance_inside(const Point& point) const {
  if (const auto* box = std::get_if<Box>(&area_)) {
    if (meridian_distance(point.latitude, centre_.latitude) > box->height / 2) return std::nullopt;
    // Along the place's own parallel.
    if (distance(point, {centre_.longitude, point.latitude}) > box->width / 2) return std::nullopt;
  } else if (const auto* polygon = std::get_if<Polygon>(&area_)) {
    if (!is_inside(polygon->vertices, point)) return std::nullopt;
  }
  const double metres = distance(centre_, point);
  const auto* circle = std::get_if<Circle>(&area_);
  if (circle != nullptr && metres > circle->radius) return std::nullopt;
  return metres;
}

Shape::Bounds Shape::bounds() const {
  if (const auto* polygon = std::get_if<Polygon>(&area_)) {
    Bounds bounds = {kMaxLongitude, kMaxLatitude, -kMaxLongitude, -kMaxLatitude};
    for (const Point& vertex : polygon->vertices) {
      bounds.west = std::min(bounds.west, vertex.longitude);
      bounds.east = std::max(bounds.east, vertex.longitude);
      bounds.south = std::min(bounds.south, vertex.latitude);
      bounds.north = std::max(bounds.north, vertex.latitude);
    }
    return bounds;
  }
  double width = 0, height = 0;  // halves
  if (const auto* box = std::get_if<Box>(&area_)) {
    width = box->width / 2;
    height = box->height / 2;
  } else {
    width = height = std::get<Circle>(area_).radius;
  }
  const double rise = degrees(height / kEarthRadius_m);
  // The side nearer to a pole spans more degrees.
  const double side = centre_.latitude < 0 ? centre_.latitude - rise : centre_.latitude + rise;
  const double run = degrees(width / kEarthRadius_m / std::cos(radians(side)));
  return {centre_.longitude - run, centre_.latitude - rise, centre_.longitude + run,
          centre_.latitude + rise};
}

// How far from the centre the area goes at most.
double Shape::reach() const {
  if (const auto* circle = std::get_if<Circle>(&area_)) return circle->radius;
  if (const auto* box = std::get_if<Box>(&area_)) {
    return std::sqrt(box->width / 2 * (box->width / 2) + box->height / 2 * (box->height / 2));
  }
  const Bounds corners = bounds();
  return std::max({distance(centre_, {corners.west, corners.north}),
                   distance(centre_, {corners.east, corners.north}),
                   distance(centre_, {corners.west, corners.south}),
                   distance(centre_, {corners.east, corners.south})});
}

std::vector<Cell> Shape::cells() const {
  const Bounds area = bounds();
  int steps = steps_for(reach(), centre_.latitude);
  const bool is_polygon = std::holds_alternative<Polygon>(area_);
  // The middle of a polygon may be off the map, or on its edge.
  const auto cell_of_centre = [&] {
    if (!is_polygon) return cell_of(centre_, steps);
    Cell cell = cell_of(
        {centre_.longitude, std::clamp(centre_.latitude, -kMaxLatitude, kMaxLatitude)}, steps);
    const uint32_t last = (uint32_t{1} << steps) - 1;
    cell.column = std::min(cell.column, last);
    cell.row = std::min(cell.row, last);
    return cell;
  };
  Cell centre = cell_of_centre();
  // Close to an edge of its cell, the centre's neighbours may not go far enough. Polygons may need
  // more than one step: their bounds are flat, their reach is not.
  const auto too_small = [&] {
    return centre.neighbour(0, 1).north() < area.north ||
           centre.neighbour(0, -1).south() > area.south ||
           centre.neighbour(1, 0).east() < area.east || centre.neighbour(-1, 0).west() > area.west;
  };
  for (bool again = true; again && steps > 1 && too_small(); again = is_polygon) {
    --steps;
    centre = cell_of_centre();
  }

  bool north = true, south = true, east = true, west = true;
  if (steps >= 2) {
    south = !(centre.south() < area.south);
    north = !(centre.north() > area.north);
    west = !(centre.west() < area.west);
    east = !(centre.east() > area.east);
  }
  std::vector<Cell> cells = {centre};
  // Large areas meet the same cell in several directions. Only repetitions in a row are left out,
  // and none of the centre.
  const auto add = [&](bool wanted, int columns, int rows) {
    if (!wanted) return;
    const Cell cell = centre.neighbour(columns, rows);
    if (cells.size() == 1 || cell != cells.back()) cells.push_back(cell);
  };
  add(north, 0, 1);
  add(south, 0, -1);
  add(east, 1, 0);
  add(west, -1, 0);
  add(north && east, 1, 1);
  add(north && west, -1, 1);
  add(south && east, 1, -1);
  add(south && west, -1, -1);
  return cells;
}

}  // namespace tandem::geo
