#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/families.h"
#include "server/commands/geo_arguments.h"
#include "server/commands/geo_shape.h"
#include "server/commands/sorted_set_commands.h"

namespace tandem {
namespace {

// How a search's centre was given.
enum class CentreBy : uint8_t { kNothing, kMember, kPoint };

enum class Order : uint8_t { kNone, kNearest, kFarthest };

// The commands that search differ in where they stand in this.
struct Dialect {
  bool search = false;        // GEOSEARCH and GEOSEARCHSTORE: the shape is among the options
  bool store = false;         // the result goes to args[1], and the set is at args[2]
  bool store_option = false;  // STORE key and STOREDIST key
};

struct Query {
  Dialect dialect;
  const SortedSetValue* set = nullptr;
  double unit = 1;
  // What is searched. Without a set a member gives no centre.
  std::optional<geo::Point> centre;
  CentreBy centre_by = CentreBy::kNothing;
  std::optional<geo::Circle> circle;
  std::optional<geo::Box> box;
  std::optional<geo::Polygon> polygon;
  // What is wanted.
  bool with_distance = false, with_hash = false, with_place = false;
  Order order = Order::kNone;
  size_t count = 0;  // 0: all
  bool any = false;
  std::optional<std::string_view> destination;
  bool store_distance = false;

  geo::Shape shape() const {
    if (polygon) return geo::Shape(*polygon);
    if (box) return geo::Shape(*centre, *box);
    return geo::Shape(*centre, circle.value_or(geo::Circle()));
  }
};

struct Found {
  std::string member;
  double score;
  geo::Point place;
  double distance;  // in metres
};

bool read_circle(Call& call, Args args, Query* query) {
  const auto radius = read_score(call, args[0], "ERR need numeric radius");
  if (!radius) return false;
  if (*radius < 0) {
    call.reply.error("ERR radius cannot be negative");
    return false;
  }
  const auto unit = read_unit(call, args[1]);
  if (!unit) return false;
  query->unit = *unit;
  query->circle = geo::Circle{*radius * *unit};
  return true;
}

bool read_box(Call& call, Args args, Query* query) {
  const auto width = read_score(call, args[0], "ERR need numeric width");
  if (!width) return false;
  const auto height = read_score(call, args[1], "ERR need numeric height");
  if (!height) return false;
  if (*width < 0 || *height < 0) {
    call.reply.error("ERR height or width cannot be negative");
    return false;
  }
  const auto unit = read_unit(call, args[2]);
  if (!unit) return false;
  query->unit = *unit;
  query->box = geo::Box{*width * *unit, *height * *unit};
  return true;
}

// num-vertices longitude latitude …; returns how many arguments that was.
std::optional<size_t> read_polygon(Call& call, Args args, Query* query) {
  const auto given = parse_int64(args[0]);
  if (!given) {
    call.reply.error("ERR invalid number of vertices");
    return std::nullopt;
  }
  constexpr int64_t kFewest = 3;
  if (*given < kFewest || static_cast<uint64_t>(*given) > (args.size() - 1) / 2) {
    call.reply.error("ERR GEOSEARCH BYPOLYGON must have at least 3 vertices");
    return std::nullopt;
  }
  const auto vertices = static_cast<size_t>(*given);
  geo::Polygon polygon;
  polygon.vertices.reserve(vertices);
  for (size_t i = 0; i < vertices; ++i) {
    const auto vertex = read_point(call, args[1 + 2 * i], args[2 + 2 * i]);
    if (!vertex) return std::nullopt;
    polygon.vertices.push_back(*vertex);
  }
  query->unit = 1;
  query->polygon = std::move(polygon);
  return 1 + 2 * vertices;
}

bool read_centre_member(Call& call, std::string_view member, Query* query) {
  query->centre_by = CentreBy::kMember;
  if (query->set == nullptr) return true;
  query->centre = place_of(query->set, member);
  if (!query->centre) call.reply.error("ERR could not decode requested zset member");
  return query->centre.has_value();
}

bool read_centre_point(Call& call, Args args, Query* query) {
  query->centre = read_point(call, args[0], args[1]);
  query->centre_by = CentreBy::kPoint;
  return query->centre.has_value();
}

bool read_count(Call& call, std::string_view text, Query* query) {
  const auto count = read_integer(call, text);
  if (!count) return false;
  if (*count <= 0) {
    call.reply.error("ERR COUNT must be > 0");
    return false;
  }
  query->count = static_cast<size_t>(*count);
  return true;
}

// Options without arguments. Whether it is one.
bool read_flag(std::string_view word, Query* query) {
  if (equals_ignore_case(word, "withdist")) {
    query->with_distance = true;
  } else if (equals_ignore_case(word, "withhash")) {
    query->with_hash = true;
  } else if (equals_ignore_case(word, "withcoord")) {
    query->with_place = true;
  } else if (equals_ignore_case(word, "any")) {
    query->any = true;
  } else if (equals_ignore_case(word, "asc")) {
    query->order = Order::kNearest;
  } else if (equals_ignore_case(word, "desc")) {
    query->order = Order::kFarthest;
  } else if (query->dialect.store && equals_ignore_case(word, "storedist")) {
    query->store_distance = true;
  } else {
    return false;
  }
  return true;
}

// GEOSEARCH's description of the shape at args[0]; returns how many arguments it has, 0 for a
// syntax error. Empty when another error has been replied.
std::optional<size_t> read_shape(Call& call, Args args, Query* query) {
  const std::string_view word = args[0];
  const Args following = args.subspan(1);
  const auto result = [](bool read, size_t count) {
    return read ? std::optional(count) : std::nullopt;
  };
  if (following.size() >= 1 && equals_ignore_case(word, "frommember") &&
      query->centre_by != CentreBy::kPoint && !query->polygon) {
    return result(read_centre_member(call, following[0], query), 1);
  }
  if (following.size() >= 2 && equals_ignore_case(word, "fromlonlat") &&
      query->centre_by != CentreBy::kMember && !query->polygon) {
    return result(read_centre_point(call, following, query), 2);
  }
  if (following.size() >= 2 && equals_ignore_case(word, "byradius") && !query->box &&
      !query->polygon) {
    return result(read_circle(call, following, query), 2);
  }
  if (following.size() >= 3 && equals_ignore_case(word, "bybox") && !query->circle &&
      !query->polygon) {
    return result(read_box(call, following, query), 3);
  }
  if (following.size() >= 2 && equals_ignore_case(word, "bypolygon") && !query->circle &&
      !query->box && query->centre_by == CentreBy::kNothing) {
    return read_polygon(call, following, query);
  }
  return 0;
}

bool read_options(Call& call, size_t first, Query* query) {
  const Args args = call.args;
  for (size_t i = first; i < args.size(); ++i) {
    const bool has_argument = i + 1 < args.size();
    if (read_flag(args[i], query)) continue;
    if (has_argument && equals_ignore_case(args[i], "count")) {
      if (!read_count(call, args[++i], query)) return false;
      continue;
    }
    const bool store_distance = equals_ignore_case(args[i], "storedist");
    if (query->dialect.store_option && has_argument &&
        (store_distance || equals_ignore_case(args[i], "store"))) {
      query->destination = args[++i];
      query->store_distance = store_distance;
      continue;
    }
    const auto taken =
        query->dialect.search ? read_shape(call, args.subspan(i), query) : std::optional<size_t>(0);
    if (!taken) return false;
    if (*taken == 0) {
      call.syntax_error();
      return false;
    }
    i += *taken;
  }
  return true;
}

// Whether the options go together; otherwise replies why not.
bool check_options(Call& call, const Query& query) {
  const Dialect& dialect = query.dialect;
  const std::string name(call.args[0]);
  if (query.destination && (query.with_distance || query.with_hash || query.with_place)) {
    call.reply.error(std::string("ERR ") +
                     (dialect.store ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS") +
                     " is not compatible with WITHDIST, WITHHASH and WITHCOORD options");
  } else if (dialect.search && query.centre_by == CentreBy::kNothing && !query.polygon) {
    call.reply.error("ERR exactly one of FROMMEMBER or FROMLONLAT can be specified for " + name);
  } else if (dialect.search && !query.circle && !query.box && !query.polygon) {
    call.reply.error("ERR exactly one of BYRADIUS, BYBOX and BYPOLYGON can be specified for " +
                     name);
  } else if (query.any && query.count == 0) {
    call.reply.error("ERR the ANY argument requires COUNT argument");
  } else {
    return true;
  }
  return false;
}

// The members in the shape, cell by cell; with ANY no more than are wanted.
std::vector<Found> find_members(const Query& query) {
  const geo::Shape shape = query.shape();
  const size_t enough = query.any ? query.count : SIZE_MAX;
  std::vector<Found> found;
  for (const geo::Cell& cell : shape.cells()) {
    if (found.size() >= enough) break;
    const ScoreRange scores = {
        .min = cell.first_score(), .max = cell.last_score(), .max_excluded = true};
    query.set->for_range(query.set->range(scores), [&](std::string_view member, double score) {
      const geo::Point place = geo::decode(score);
      if (const auto distance = shape.distance_inside(place)) {
        found.push_back({std::string(member), score, place, *distance});
      }
      return found.size() < enough;
    });
  }
  return found;
}

// Leaves the members that are wanted, in the order that is wanted.
void order_and_cut(const Query& query, std::vector<Found>* found) {
  Order order = query.order;
  // Those that are wanted are the nearest ones.
  if (query.count > 0 && !query.any && order == Order::kNone) order = Order::kNearest;
  const auto before = [order](const Found& a, const Found& b) {
    return order == Order::kFarthest ? b.distance < a.distance : a.distance < b.distance;
  };
  if (order != Order::kNone) std::stable_sort(found->begin(), found->end(), before);
  if (query.count > 0 && query.count < found->size()) {
    found->erase(found->begin() + static_cast<ptrdiff_t>(query.count), found->end());
  }
}

void store_found(Call& call, const Query& query, const std::vector<Found>& found) {
  std::vector<SortedSetElementOwner> elements;
  elements.reserve(found.size());
  for (const Found& one : found) {
    const double score = query.store_distance ? one.distance / query.unit : one.score;
    elements.emplace_back(SortedSetElement::create(one.member, score));
  }
  sort_elements(&elements);
  auto result = SortedSetValue::from_elements(std::move(elements), sorted_set_limits(call));
  store_sorted_set(call, *query.destination, std::move(result),
                   query.dialect.search ? "geosearchstore" : "georadiusstore");
}

// A score that need not be a place's, as an integer.
int64_t whole(double score) {
  constexpr double kBound = 9223372036854775808.0;  // 2^63
  return std::abs(score) < kBound ? static_cast<int64_t>(score) : INT64_MIN;
}

void reply_found(Reply& reply, const Query& query, const std::vector<Found>& found) {
  const size_t details = size_t{query.with_distance} + query.with_hash + query.with_place;
  reply.array(found.size());
  for (const Found& one : found) {
    if (details > 0) reply.array(1 + details);
    reply.bulk(one.member);
    if (query.with_distance) reply_distance(reply, one.distance / query.unit);
    if (query.with_hash) reply.integer(whole(one.score));
    if (query.with_place) reply_point(reply, one.place);
  }
}

// What all searches do once the arguments in front of the options have been read.
void search(Call& call, size_t first_option, Query query) {
  if (!read_options(call, first_option, &query) || !check_options(call, query)) return;
  std::vector<Found> found;
  if (query.set != nullptr) {
    found = find_members(query);
    order_and_cut(query, &found);
  }
  if (query.destination) {
    store_found(call, query, found);
  } else {
    reply_found(call.reply, query, found);
  }
}

// key longitude latitude radius unit
void search_around_point(Call& call, bool store_option) {
  const auto set = find_sorted_set(call, call.args[1]);
  if (!set) return;
  Query query{.dialect = {.store_option = store_option}, .set = *set};
  if (!read_centre_point(call, call.args.subspan(2), &query) ||
      !read_circle(call, call.args.subspan(4), &query)) {
    return;
  }
  search(call, 6, std::move(query));
}

// key member radius unit
void search_around_member(Call& call, bool store_option) {
  const auto set = find_sorted_set(call, call.args[1]);
  if (!set) return;
  Query query{.dialect = {.store_option = store_option}, .set = *set};
  // Without a set neither member nor radius is looked at.
  if (query.set != nullptr && (!read_centre_member(call, call.args[2], &query) ||
                               !read_circle(call, call.args.subspan(3), &query))) {
    return;
  }
  search(call, 5, std::move(query));
}

void georadius_command(Call& call) { search_around_point(call, true); }

void georadius_ro_command(Call& call) { search_around_point(call, false); }

void georadiusbymember_command(Call& call) { search_around_member(call, true); }

void georadiusbymember_ro_command(Call& call) { search_around_member(call, false); }

void geosearch_command(Call& call) {
  const auto set = find_sorted_set(call, call.args[1]);
  if (set) search(call, 2, {.dialect = {.search = true}, .set = *set});
}

void geosearchstore_command(Call& call) {
  const auto set = find_sorted_set(call, call.args[2]);
  if (!set) return;
  Query query{.dialect = {.search = true, .store = true}, .set = *set};
  query.destination = call.args[1];
  search(call, 3, std::move(query));
}

constexpr CommandRow kRows[] = {
    {.name = "georadius",
     .handler = georadius_command,
     .arity = -6,
     .flags = "denyoom,movablekeys,write",
     .keys = "1,1,1",
     .categories = "@geo,@slow,@write",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0] [OW+UPDATE "
                  "keyword:keyword=STORE,startfrom=6 range:lastkey=0,keystep=1,limit=0] "
                  "[OW+UPDATE keyword:keyword=STOREDIST,startfrom=6 "
                  "range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the members around a place, or stores them under another key.",
     .since = "3.2.0",
     .group = "geo",
     .complexity = "O(N + log M), where N is the number of members in the boxes that cover the "
                   "circle and M the size of the sorted set"},
    {.name = "georadius_ro",
     .handler = georadius_ro_command,
     .arity = -6,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@geo,@read,@slow",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the members around a place.",
     .since = "3.2.10",
     .group = "geo",
     .complexity = "O(N + log M), where N is the number of members in the boxes that cover the "
                   "circle and M the size of the sorted set"},
    {.name = "georadiusbymember",
     .handler = georadiusbymember_command,
     .arity = -5,
     .flags = "denyoom,movablekeys,write",
     .keys = "1,1,1",
     .categories = "@geo,@slow,@write",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0] [OW+UPDATE "
                  "keyword:keyword=STORE,startfrom=5 range:lastkey=0,keystep=1,limit=0] "
                  "[OW+UPDATE keyword:keyword=STOREDIST,startfrom=5 "
                  "range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the members around a member, or stores them under another key.",
     .since = "3.2.0",
     .group = "geo",
     .complexity = "O(N + log M), where N is the number of members in the boxes that cover the "
                   "circle and M the size of the sorted set"},
    {.name = "georadiusbymember_ro",
     .handler = georadiusbymember_ro_command,
     .arity = -5,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@geo,@read,@slow",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the members around a member.",
     .since = "3.2.10",
     .group = "geo",
     .complexity = "O(N + log M), where N is the number of members in the boxes that cover the "
                   "circle and M the size of the sorted set"},
    {.name = "geosearch",
     .handler = geosearch_command,
     .arity = -7,
     .flags = "readonly",
     .keys = "1,1,1",
     .categories = "@geo,@read,@slow",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Returns the members in a circle, a rectangle or a polygon.",
     .since = "6.2.0",
     .group = "geo",
     .complexity = "O(N + log M), where N is the number of members in the boxes that cover the "
                   "shape and M the size of the sorted set"},
    {.name = "geosearchstore",
     .handler = geosearchstore_command,
     .arity = -8,
     .flags = "denyoom,write",
     .keys = "1,2,1",
     .categories = "@geo,@slow,@write",
     .key_specs = "[OW+UPDATE index:index=1 range:lastkey=0,keystep=1,limit=0] [ACCESS+RO "
                  "index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Stores the members in a circle, a rectangle or a polygon under another key.",
     .since = "6.2.0",
     .group = "geo",
     .complexity = "O(N + log M), where N is the number of members in the boxes that cover the "
                   "shape and M the size of the sorted set"},
};

}  // namespace

std::span<const CommandRow> geo_search_commands() { return kRows; }

}  // namespace tandem
