#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/families.h"
#include "server/exec/call.h"
#include "server/store/hash_value.h"
#include "server/store/list_value.h"
#include "server/store/set_value.h"
#include "server/store/sorted_set_value.h"

namespace tandem {
namespace {

// The names of keys, or of fields of hashes, that an element leads to: the element stands for the
// first '*', and what follows "->" is the field.
class Pattern {
 public:
  explicit Pattern(std::string_view text) : is_element_(text == "#") {
    const std::string_view visible = text.substr(0, text.find('\0'));
    const size_t star = visible.find('*');
    has_star_ = star != std::string_view::npos;
    if (!has_star_) return;
    prefix_ = text.substr(0, star);
    suffix_ = text.substr(star + 1);
    const size_t arrow = visible.find("->", star + 1);
    if (arrow != std::string_view::npos && arrow + 2 < visible.size()) {
      field_ = text.substr(arrow + 2);
      suffix_ = text.substr(star + 1, arrow - star - 1);
    }
  }

  bool has_star() const { return has_star_; }

  // The value that `element` leads to; nothing when there is none, or it is of another type. Valid
  // until the next call.
  std::optional<std::string_view> look_up(Call& call, std::string_view element) {
    if (is_element_) return element;
    if (!has_star_) return std::nullopt;
    key_.assign(prefix_).append(element).append(suffix_);
    const Entry* entry = call.db().find(key_);
    if (entry == nullptr) return std::nullopt;
    if (field_.empty()) {
      if (entry->type() != ValueType::kString) return std::nullopt;
      return entry->string(scratch_);
    }
    if (entry->type() != ValueType::kHash) return std::nullopt;
    return static_cast<const HashValue*>(entry->value())->get(field_, scratch_);
  }

 private:
  bool is_element_;
  bool has_star_ = false;
  std::string_view prefix_, suffix_, field_;
  std::string key_;
  HashValue::Scratch scratch_;
};

struct SortOptions {
  bool descending = false;
  bool alphabetic = false;
  bool unsorted = false;
  std::optional<Pattern> by;
  std::vector<Pattern> get;
  std::optional<std::string_view> store;
  int64_t offset = 0;
  int64_t count = -1;  // negative: all
};

bool read_limit(Call& call, std::string_view offset, std::string_view count, SortOptions* options) {
  const auto first = read_integer(call, offset);
  if (!first) return false;
  const auto length = read_integer(call, count);
  if (!length) return false;
  options->offset = *first;
  options->count = *length;
  return true;
}

bool read_sort_options(Call& call, bool may_store, SortOptions* options) {
  const Args args = call.args;
  for (size_t i = 2; i < args.size(); ++i) {
    const size_t more = args.size() - i - 1;
    if (equals_ignore_case(args[i], "asc")) {
      options->descending = false;
    } else if (equals_ignore_case(args[i], "desc")) {
      options->descending = true;
    } else if (equals_ignore_case(args[i], "alpha")) {
      options->alphabetic = true;
    } else if (equals_ignore_case(args[i], "limit") && more >= 2) {
      if (!read_limit(call, args[i + 1], args[i + 2], options)) return false;
      i += 2;
    } else if (equals_ignore_case(args[i], "store") && may_store && more >= 1) {
      options->store = args[++i];
    } else if (equals_ignore_case(args[i], "by") && more >= 1) {
      options->by.emplace(args[++i]);
      // Once a pattern without a star was given, a later one does not bring the order back.
      options->unsorted = options->unsorted || !options->by->has_star();
    } else if (equals_ignore_case(args[i], "get") && more >= 1) {
      options->get.emplace_back(args[++i]);
    } else {
      call.syntax_error();
      return false;
    }
  }
  return true;
}

// An element with what it is sorted by.
struct Item {
  std::string_view element;
  double score = 0;
  std::optional<std::string_view> text;
};

// The elements of a collection and their order. Texts that are nowhere else are kept here.
class Sorting {
 public:
  Sorting(Call& call, SortOptions& options) : call_(call), options_(options) {}

  // Those elements of a list that LIMIT lets through, when they need not be sorted.
  void take_range(const ListValue& list) {
    const auto [first, count] = limits(list.size());
    if (count == 0) return;
    const auto take = [this](const ListValue::Element& element) { return add(element); };
    if (options_.descending) {
      list.visit_back(list.size() - 1 - first, count, take);
    } else {
      list.visit(first, count, take);
    }
  }
  void take_all(const ListValue& list) {
    items_.reserve(list.size());
    list.visit([this](const ListValue::Element& element) { return add(element); });
  }
  void take_all(const SetValue& set) {
    items_.reserve(set.size());
    set.for_each([this](const SetValue::Member& member) { add(member); });
  }

  // As for a list: the order is that of the scores.
  void take_range(const SortedSetValue& set) {
    const auto [first, count] = limits(set.size());
    if (count == 0) return;
    const auto take = [this](std::string_view member, double) { items_.push_back({keep(member)}); };
    if (options_.descending) {
      set.for_range_reversed({set.size() - first - count, count}, take);
    } else {
      set.for_range({first, count}, take);
    }
  }
  void take_all(const SortedSetValue& set) {
    items_.reserve(set.size());
    set.for_range({0, set.size()},
                  [this](std::string_view member, double) { items_.push_back({keep(member)}); });
  }

  // False when an element, or what it leads to, is not a number and should be.
  bool sort() {
    for (Item& item : items_) {
      if (!weigh(item)) return false;
    }
    std::stable_sort(items_.begin(), items_.end(), [this](const Item& a, const Item& b) {
      return options_.descending ? compare(b, a) < 0 : compare(a, b) < 0;
    });
    limit();
    return true;
  }
  // Leaves what LIMIT lets through.
  void limit() {
    const auto [first, count] = limits(items_.size());
    items_.erase(items_.begin(), items_.begin() + static_cast<ptrdiff_t>(first));
    items_.resize(count);
  }

  const std::vector<Item>& items() const { return items_; }

 private:
  // Where LIMIT begins among `size` elements, and how many it lets through.
  std::pair<size_t, size_t> limits(size_t size) const {
    const size_t first = std::min(static_cast<size_t>(std::max<int64_t>(options_.offset, 0)), size);
    if (options_.count < 0) return {first, size - first};
    return {first, std::min(static_cast<size_t>(options_.count), size - first)};
  }

  bool add(const ListValue::Element& element) {
    Listpack::Scratch scratch;
    items_.push_back({element.is_integer() ? keep(element.text(scratch)) : element.string()});
    return true;
  }

  std::string_view keep(std::string_view text) {
    auto* kept = static_cast<char*>(texts_.allocate(text.size() + 1, 1));
    std::copy(text.begin(), text.end(), kept);
    return {kept, text.size()};
  }

  bool weigh(Item& item) {
    std::optional<std::string_view> value = item.element;
    if (options_.by) {
      value = options_.by->look_up(call_, item.element);
      if (!value) return true;
    }
    if (options_.alphabetic) {
      // As C compares strings, up to a zero byte, unless the result is stored.
      if (!options_.store) value = value->substr(0, value->find('\0'));
      item.text = options_.by ? keep(*value) : *value;
      return true;
    }
    // As C reads a number: blanks in front, hexadecimal and infinities are welcome.
    number_.assign(*value);
    char* end = nullptr;
    errno = 0;
    item.score = std::strtod(number_.c_str(), &end);
    return *end == '\0' && errno != ERANGE && !std::isnan(item.score);
  }

  // Negative when `a` comes before `b`.
  int compare(const Item& a, const Item& b) const {
    if (options_.alphabetic) {
      if (a.text && b.text) return a.text->compare(*b.text);
      return static_cast<int>(a.text.has_value()) - static_cast<int>(b.text.has_value());
    }
    if (a.score != b.score) return a.score < b.score ? -1 : 1;
    return a.element.compare(b.element);
  }

  Call& call_;
  SortOptions& options_;
  std::pmr::monotonic_buffer_resource texts_;
  std::string number_;
  std::vector<Item> items_;
};

void reply_sorted(Call& call, const Sorting& sorting, SortOptions& options) {
  call.reply.array(sorting.items().size() * std::max<size_t>(options.get.size(), 1));
  for (const Item& item : sorting.items()) {
    if (options.get.empty()) call.reply.bulk(item.element);
    for (Pattern& pattern : options.get) {
      if (const auto value = pattern.look_up(call, item.element)) {
        call.reply.bulk(*value);
      } else {
        call.reply.null();
      }
    }
  }
}

void store_sorted(Call& call, const Sorting& sorting, SortOptions& options) {
  const std::string_view key = *options.store;
  auto list = std::make_unique<ListValue>();
  const ListLimits limits = list_limits(call);
  for (const Item& item : sorting.items()) {
    if (options.get.empty()) list->load(item.element, limits);
    for (Pattern& pattern : options.get) {
      list->load(pattern.look_up(call, item.element).value_or(""), limits);
    }
  }
  const size_t length = list->size();
  if (length > 0) {
    list->finish_loading(limits);
    call.db().set_value(key, std::move(list));
    call.changed(length);
    call.notify(kEventList, "sortstore", key);
  } else if (call.db().erase(key)) {
    call.changed();
    call.notify(kEventGeneric, "del", key);
  }
  call.reply.integer(static_cast<int64_t>(length));
}

// Takes the elements of a collection that has an order: those that LIMIT lets through when they are
// not sorted afterwards.
template <typename Ordered>
void gather_ordered(const Value& value, const SortOptions& options, Sorting* sorting) {
  const auto& collection = static_cast<const Ordered&>(value);
  options.unsorted ? sorting->take_range(collection) : sorting->take_all(collection);
}

void gather_set(Call& call, const Value& value, SortOptions* options, Sorting* sorting) {
  // A set has no order of its own, and what is stored, or seen by a script, must be the same
  // everywhere.
  if (options->unsorted && (options->store || call.client.kind == ClientKind::kInternal)) {
    options->unsorted = false;
    options->alphabetic = true;
    options->by.reset();
  }
  sorting->take_all(static_cast<const SetValue&>(value));
  if (options->unsorted) sorting->limit();
}

void sort(Call& call, bool may_store) {
  SortOptions options;
  if (!read_sort_options(call, may_store, &options)) return;
  Sorting sorting(call, options);
  if (const Entry* entry = call.db().find(call.args[1])) {
    switch (entry->type()) {
      case ValueType::kList:
        gather_ordered<ListValue>(*entry->value(), options, &sorting);
        break;
      case ValueType::kSet:
        gather_set(call, *entry->value(), &options, &sorting);
        break;
      case ValueType::kSortedSet:
        gather_ordered<SortedSetValue>(*entry->value(), options, &sorting);
        break;
      default:
        call.wrong_type();
        return;
    }
  }
  if (!options.unsorted && !sorting.sort()) {
    call.reply.error("ERR One or more scores can't be converted into double");
    return;
  }
  if (options.store) {
    store_sorted(call, sorting, options);
  } else {
    reply_sorted(call, sorting, options);
  }
}

void sort_command(Call& call) { sort(call, true); }
void sort_ro_command(Call& call) { sort(call, false); }

constexpr CommandRow kRows[] = {
    {.name = "sort",
     .handler = sort_command,
     .arity = -2,
     .flags = "denyoom,movablekeys,write",
     .keys = "1,1,1",
     .categories = "@dangerous,@list,@set,@slow,@sortedset,@write",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0] [ACCESS+RO unknown: "
                  "unknown:] [OW+UPDATE unknown: unknown:]",
     .summary = "Sorts the elements of a list, set or sorted set, and returns or stores them.",
     .since = "1.0.0",
     .group = "generic",
     .complexity = "O(N + M*log(M)), where N is the size of the collection and M the number of "
                   "elements returned"},
    {.name = "sort_ro",
     .handler = sort_ro_command,
     .arity = -2,
     .flags = "movablekeys,readonly",
     .keys = "1,1,1",
     .categories = "@dangerous,@list,@read,@set,@slow,@sortedset",
     .key_specs = "[ACCESS+RO index:index=1 range:lastkey=0,keystep=1,limit=0] [ACCESS+RO unknown: "
                  "unknown:]",
     .summary = "Sorts the elements of a list, set or sorted set, and returns them.",
     .since = "7.0.0",
     .group = "generic",
     .complexity = "O(N + M*log(M)), where N is the size of the collection and M the number of "
                   "elements returned"},
};

}  // namespace

std::span<const CommandRow> sort_commands() { return kRows; }

}  // namespace tandem
