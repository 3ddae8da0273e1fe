#pragma once

#include <optional>
#include <string_view>

#include "server/commands/geo_hash.h"
#include "server/exec/call.h"
#include "server/store/sorted_set_value.h"

namespace tandem {

// What the commands about places read and write. Readers reply the error themselves.

// Longitude and latitude, which must be on the map.
std::optional<geo::Point> read_point(Call& call, std::string_view longitude,
                                     std::string_view latitude);
// "m", "km", "ft" or "mi", in metres.
std::optional<double> read_unit(Call& call, std::string_view text);

// Where a member is; nothing when there is no such member, or no set.
std::optional<geo::Point> place_of(const SortedSetValue* set, std::string_view member);

// With four decimals.
void reply_distance(Reply& reply, double distance);
// Longitude and latitude.
void reply_point(Reply& reply, const geo::Point& point);

}  // namespace tandem
