#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "server/base/strings.h"
#include "server/commands/families.h"
#include "server/commands/geo_arguments.h"
#include "server/commands/sorted_set_commands.h"

namespace tandem {

std::optional<geo::Point> read_point(Call& call, std::string_view longitude,
                                     std::string_view latitude) {
  const auto x = read_score(call, longitude);
  if (!x) return std::nullopt;
  const auto y = read_score(call, latitude);
  if (!y) return std::nullopt;
  const geo::Point point = {*x, *y};
  if (geo::is_on_map(point)) return point;
  char text[800];
  std::snprintf(text, sizeof text, "ERR invalid longitude,latitude pair %f,%f", *x, *y);
  call.reply.error(text);
  return std::nullopt;
}

std::optional<double> read_unit(Call& call, std::string_view text) {
  if (equals_ignore_case(text, "m")) return 1;
  if (equals_ignore_case(text, "km")) return 1000;
  if (equals_ignore_case(text, "ft")) return 0.3048;
  if (equals_ignore_case(text, "mi")) return 1609.34;
  call.reply.error("ERR unsupported unit provided. please use M, KM, FT, MI");
  return std::nullopt;
}

void reply_distance(Reply& reply, double distance) {
  constexpr int64_t kScale = 10000;
  const int64_t scaled = std::llrint(distance * static_cast<double>(kScale));
  char text[32];
  const int length =
      std::snprintf(text, sizeof text, "%lld.%04lld", static_cast<long long>(scaled / kScale),
                    static_cast<long long>(scaled % kScale));
  reply.bulk({text, static_cast<size_t>(length)});
}

void reply_point(Reply& reply, const geo::Point& point) {
  reply.array(2);
  reply.fixed_point(point.longitude);
  reply.fixed_point(point.latitude);
}

std::optional<geo::Point> place_of(const SortedSetValue* set, std::string_view member) {
  const auto score = set != nullptr ? set->score(member) : std::nullopt;
  if (!score) return std::nullopt;
  return geo::decode(*score);
}

namespace {

// key [NX|XX] [CH] longitude latitude member …
void geoadd_command(Call& call) {
  const Args args = call.args;
  AddOptions options;
  for (; options.first_pair < args.size(); ++options.first_pair) {
    const std::string_view word = args[options.first_pair];
    if (equals_ignore_case(word, "nx")) {
      options.conditions.only_new = true;
    } else if (equals_ignore_case(word, "xx")) {
      options.conditions.only_existing = true;
    } else if (equals_ignore_case(word, "ch")) {
      options.count_changed = true;
    } else {
      break;
    }
  }
  const Args places = args.subspan(options.first_pair);
  if (places.empty() || places.size() % 3 != 0 ||
      (options.conditions.only_new && options.conditions.only_existing)) {
    call.syntax_error();
    return;
  }
  std::vector<std::string> scores;
  scores.reserve(places.size() / 3);
  for (size_t i = 0; i < places.size(); i += 3) {
    const auto point = read_point(call, places[i], places[i + 1]);
    if (!point) return;
    scores.push_back(std::to_string(geo::encode(*point)));
  }
  // The effect is the ZADD it amounts to.
  std::vector<std::string_view> words(args.begin(),
                                      args.begin() + static_cast<ptrdiff_t>(options.first_pair));
  words[0] = "ZADD";
  for (size_t i = 0; i < scores.size(); ++i) {
    words.push_back(scores[i]);
    words.push_back(places[3 * i + 2]);
  }
  if (add_pairs(call, Args(words).subspan(options.first_pair), options)) call.emit(words);
}

void geopos_command(Call& call) {
  const auto set = find_sorted_set(call, call.args[1]);
  if (!set) return;
  call.reply.array(call.args.size() - 2);
  for (const std::string_view member : call.args.subspan(2)) {
    if (const auto point = place_of(*set, member)) {
      reply_point(call.reply, *point);
    } else {
      call.reply.null_array();
    }
  }
}

void geohash_command(Call& call) {
  const auto set = find_sorted_set(call, call.args[1]);
  if (!set) return;
  call.reply.array(call.args.size() - 2);
  for (const std::string_view member : call.args.subspan(2)) {
    if (const auto point = place_of(*set, member)) {
      call.reply.bulk(geo::geohash_text(*point));
    } else {
      call.reply.null();
    }
  }
}

void geodist_command(Call& call) {
  const Args args = call.args;
  if (args.size() > 5) {
    call.syntax_error();
    return;
  }
  const auto unit = args.size() == 5 ? read_unit(call, args[4]) : std::optional(1.0);
  if (!unit) return;
  const auto set = find_sorted_set(call, args[1]);
  if (!set) return;
  const auto from = place_of(*set, args[2]);
  const auto to = place_of(*set, args[3]);
  if (from && to) {
    reply_distance(call.reply, geo::distance(*from, *to) / *unit);
  } else {
    call.reply.null();
  }
}

constexpr CommandRow kRows[] = {
    {.name = "geoadd",
     .handler = geoadd_command,
     .arity = -5,
     .flags = "denyoom,write",
     .keys = "1,1,1",
     .categories = "@geo,@slow,@write",
     .key_specs = "[RW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Adds members at places given by longitude and latitude.",
     .since = "3.2.0",
     .group = "geo",
     .complexity = "O(log N) for each member, where N is the size of the sorted set"},
    {.name = "geodist",
     .handler = geodist_command,
     .arity = -4,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@geo,@read,@slow",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the distance between two members.",
     .since = "3.2.0",
     .group = "geo",
     .complexity = "O(1)"},
    {.name = "geohash",
     .handler = geohash_command,
     .arity = -2,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@geo,@read,@slow",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the geohash texts of members.",
     .since = "3.2.0",
     .group = "geo",
     .complexity = "O(M), where M is the number of members given"},
    {.name = "geopos",
     .handler = geopos_command,
     .arity = -2,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@geo,@read,@slow",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the longitudes and latitudes of members.",
     .since = "3.2.0",
     .group = "geo",
     .complexity = "O(M), where M is the number of members given"},
};

}  // namespace

std::span<const CommandRow> geo_commands() { return kRows; }

}  // namespace tandem
