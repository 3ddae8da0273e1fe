#include "server/exec/command.h"

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <utility>

#include "server/base/hash.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"

namespace tandem {
namespace {

// Names up to this long, which is nearly all of them, are looked up without a loop or an
// allocation.
constexpr size_t kShortName = 16;

// In the order in which COMMAND INFO prints them.
struct FlagName {
  uint32_t flag;
  std::string_view name;
};
constexpr FlagName kFlagNames[] = {
    {kWrite, "write"},
    {kReadonly, "readonly"},
    {kDenyOom, "denyoom"},
    {kAdmin, "admin"},
    {kPubSub, "pubsub"},
    {kNoScript, "noscript"},
    {kBlocking, "blocking"},
    {kLoading, "loading"},
    {kStale, "stale"},
    {kSkipMonitor, "skip_monitor"},
    {kSkipCommandlog, "skip_commandlog"},
    {kAsking, "asking"},
    {kFast, "fast"},
    {kNoAuth, "no_auth"},
    {kNoMandatoryKeys, "no_mandatory_keys"},
    {kNoAsyncLoading, "no_async_loading"},
    {kNoMulti, "no_multi"},
    {kMovableKeys, "movablekeys"},
    {kAllowBusy, "allow_busy"},
};

constexpr std::string_view kCategories[] = {
    "@keyspace",   "@read",        "@write",    "@set",         "@sortedset", "@list",
    "@hash",       "@string",      "@bitmap",   "@hyperloglog", "@geo",       "@stream",
    "@pubsub",     "@admin",       "@fast",     "@slow",        "@blocking",  "@dangerous",
    "@connection", "@transaction", "@scripting"};

constexpr std::string_view kKeyFlags[] = {
    "RO",     "RW",     "OW",      "RM",         "ACCESS",        "UPDATE",
    "INSERT", "DELETE", "NOT_KEY", "INCOMPLETE", "VARIABLE_FLAGS"};

[[noreturn]] void malformed(const CommandRow& row, std::string_view what) {
  std::fprintf(stderr, "command row '%.*s': malformed %.*s\n", static_cast<int>(row.name.size()),
               row.name.data(), static_cast<int>(what.size()), what.data());
  std::abort();
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const size_t end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  return parts;
}

bool read_int(std::string_view text, int* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size();
}

// The words of `text` in the order of `known`; false when one of them is not known.
template <size_t N>
bool read_words(std::string_view text, char separator, const std::string_view (&known)[N],
                std::vector<std::string>* out) {
  const std::vector<std::string_view> words = split(text, separator);
  for (std::string_view word : known) {
    if (std::find(words.begin(), words.end(), word) != words.end()) out->emplace_back(word);
  }
  return out->size() == words.size();
}

bool read_flags(std::string_view text, Command* command) {
  const std::vector<std::string_view> words = split(text, ',');
  size_t known = 0;
  for (const FlagName& flag : kFlagNames) {
    if (std::find(words.begin(), words.end(), flag.name) == words.end()) continue;
    ++known;
    command->flags |= flag.flag;
    command->flag_names.emplace_back(flag.name);
  }
  return known == words.size();
}

bool read_positions(std::string_view text, Command* command) {
  const std::vector<std::string_view> parts = split(text, ',');
  return parts.size() == 3 && read_int(parts[0], &command->first_key) &&
         read_int(parts[1], &command->last_key) && read_int(parts[2], &command->key_step);
}

// Reads "kind:name=value,name=value": the values in the order of `names`.
bool read_fields(std::string_view text, std::initializer_list<std::string_view> names,
                 std::string_view* values) {
  const std::vector<std::string_view> parts = split(text, ',');
  if (parts.size() != names.size()) return false;
  size_t i = 0;
  for (std::string_view name : names) {
    if (!parts[i].starts_with(name) || parts[i].size() <= name.size() ||
        parts[i][name.size()] != '=') {
      return false;
    }
    values[i] = parts[i].substr(name.size() + 1);
    ++i;
  }
  return true;
}

bool read_begin(std::string_view text, KeySpec* spec) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view kind = text.substr(0, colon);
  text.remove_prefix(colon + 1);
  std::string_view values[2];
  if (kind == "index") {
    spec->begin = KeySpec::Begin::kIndex;
    return read_fields(text, {"index"}, values) && read_int(values[0], &spec->index);
  }
  if (kind == "keyword") {
    spec->begin = KeySpec::Begin::kKeyword;
    if (!read_fields(text, {"keyword", "startfrom"}, values)) return false;
    spec->keyword = values[0];
    return read_int(values[1], &spec->start_from);
  }
  return kind == "unknown" && text.empty();
}

bool read_find(std::string_view text, KeySpec* spec) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return false;
  const std::string_view kind = text.substr(0, colon);
  text.remove_prefix(colon + 1);
  std::string_view values[3];
  if (kind == "range") {
    spec->find = KeySpec::Find::kRange;
    return read_fields(text, {"lastkey", "keystep", "limit"}, values) &&
           read_int(values[0], &spec->last_key) && read_int(values[1], &spec->key_step) &&
           read_int(values[2], &spec->limit) && spec->key_step > 0 && spec->limit >= 0;
  }
  if (kind == "keynum") {
    spec->find = KeySpec::Find::kKeynum;
    return read_fields(text, {"keynumidx", "firstkey", "keystep"}, values) &&
           read_int(values[0], &spec->keynum_index) && read_int(values[1], &spec->first_key) &&
           read_int(values[2], &spec->keynum_step) && spec->keynum_step > 0;
  }
  return kind == "unknown" && text.empty();
}

// "[FLAG+FLAG begin find] [...]".
bool read_key_specs(std::string_view text, std::vector<KeySpec>* specs) {
  while (!text.empty()) {
    const size_t end = text.find(']');
    if (text.front() != '[' || end == std::string_view::npos) return false;
    const std::vector<std::string_view> parts = split(text.substr(1, end - 1), ' ');
    KeySpec spec;
    if (parts.size() != 3 || !read_words(parts[0], '+', kKeyFlags, &spec.flags) ||
        !read_begin(parts[1], &spec) || !read_find(parts[2], &spec)) {
      return false;
    }
    specs->push_back(std::move(spec));
    text.remove_prefix(end + 1);
    if (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  }
  return true;
}

// Where the first key stands when the first key spec says so by position alone.
size_t likely_key(const Command& command) {
  if (command.key_specs.empty()) return 0;
  const KeySpec& spec = command.key_specs.front();
  if (spec.begin != KeySpec::Begin::kIndex) return 0;
  const int offset = spec.find == KeySpec::Find::kKeynum ? spec.first_key : 0;
  return static_cast<size_t>(spec.index + offset);
}

std::unique_ptr<Command> parse_row(const CommandRow& row) {
  auto command = std::make_unique<Command>();
  command->row = &row;
  command->handler = row.handler;
  command->name = row.name;
  command->last_name = row.name.substr(row.name.rfind('|') + 1);
  command->arity = row.arity;
  command->own_args = static_cast<size_t>(row.own_args);
  if (row.name.empty() || to_lower(row.name) != row.name) malformed(row, "name");
  if (row.arity == 0 || row.own_args < 0) malformed(row, "arity");
  if (!read_flags(row.flags, command.get())) malformed(row, "flags");
  command->flags |= row.extra_flags;
  if (!read_positions(row.keys, command.get())) malformed(row, "key positions");
  if (!read_words(row.categories, ',', kCategories, &command->categories)) {
    malformed(row, "categories");
  }
  for (std::string_view tip : split(row.tips, ';')) command->tips.emplace_back(tip);
  if (!read_key_specs(row.key_specs, &command->key_specs)) malformed(row, "key specs");
  command->likely_key = likely_key(*command);
  return command;
}

// One spec's keys: [first, last] in steps. `present` is false when its keyword is not there.
struct KeyRange {
  bool present = false;
  int64_t first = 0, last = -1;
  int step = 1;
};

int64_t find_keyword(const KeySpec& spec, Args args) {
  const int64_t count = static_cast<int64_t>(args.size());
  const bool forward = spec.start_from > 0;
  const int64_t step = forward ? 1 : -1;
  // The last argument cannot be the keyword of a spec whose keys follow it.
  const int64_t end = forward ? count - 1 : 1;
  for (int64_t i = forward ? spec.start_from : count + spec.start_from;
       i >= 1 && i < count && i != end; i += step) {
    if (equals_ignore_case(args[static_cast<size_t>(i)], spec.keyword)) return i;
  }
  return 0;
}

// False when the arguments do not fit the spec.
bool locate(const KeySpec& spec, Args args, KeyRange* range) {
  const int64_t count = static_cast<int64_t>(args.size());
  int64_t first = spec.index;
  if (spec.begin == KeySpec::Begin::kKeyword) {
    const int64_t keyword = find_keyword(spec, args);
    if (keyword == 0) return true;
    first = keyword + 1;
  }
  range->present = true;
  if (spec.find == KeySpec::Find::kRange) {
    range->step = spec.key_step;
    range->first = first;
    if (spec.last_key >= 0) {
      range->last = first + spec.last_key;
    } else {
      const int64_t left = spec.limit <= 1 ? count - first : (count - first) / spec.limit;
      range->last = first + left + spec.last_key;
    }
    return range->first < count && range->last >= range->first && range->last < count;
  }
  range->step = spec.keynum_step;
  if (first + spec.keynum_index >= count) return false;
  const auto keys = parse_int64(args[static_cast<size_t>(first + spec.keynum_index)]);
  if (!keys || *keys < 0 || *keys > count) return false;
  range->first = first + spec.first_key;
  range->last = range->first + (*keys - 1) * spec.keynum_step;
  return range->last < count;
}

}  // namespace

namespace {

// A name in lower case as it is hashed and compared: the front and the back eight bytes of a short
// one (they overlap, which does not matter where the lengths are equal), the hash of a longer one.
struct NameKey {
  uint64_t front = 0, back = 0;
  bool operator==(const NameKey&) const = default;
};

template <typename Word>
uint64_t load(const char* bytes) {
  Word word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

// Eight ASCII letters to lower case at once: a byte is upper case if it is at least 'A' and not
// above 'Z', which two additions carry into its top bit.
uint64_t lower_word(uint64_t word) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  const uint64_t low = word & (kOnes * 0x7f);
  const uint64_t from_a = low + kOnes * (0x80 - 'A');
  const uint64_t above_z = low + kOnes * (0x7f - 'Z');
  const uint64_t upper = (from_a ^ above_z) & ~word & (kOnes * 0x80);
  return word | (upper >> 2);
}

NameKey key_of(std::string_view name) {
  const char* const bytes = name.data();
  const size_t size = name.size();
  if (size > kShortName) return {hash_bytes(to_lower(name)), 0};
  if (size >= 8)
    return {lower_word(load<uint64_t>(bytes)), lower_word(load<uint64_t>(bytes + size - 8))};
  if (size >= 4)
    return {lower_word(load<uint32_t>(bytes)), lower_word(load<uint32_t>(bytes + size - 4))};
  if (size == 0) return {};
  const auto byte = [bytes](size_t i) { return uint64_t{static_cast<unsigned char>(bytes[i])}; };
  return {lower_word(byte(0) | byte(size / 2) << 8 | byte(size - 1) << 16), 0};
}

}  // namespace

// Open addressing over the lower-cased names; commands are added at startup and only looked up
// afterwards.
struct CommandTable::Index {
  struct Slot {
    NameKey key;
    std::string_view name;
    Command* command = nullptr;
  };

  static size_t hash_of(const NameKey& key, size_t length) {
    uint64_t hash = (key.front * 0x9E3779B97F4A7C15) ^ (key.back * 0xC2B2AE3D27D4EB4F) ^ length;
    hash *= 0xFF51AFD7ED558CCD;
    return hash >> 32;
  }

  Index() : slots(64), mask(63) {}

  Command* find(std::string_view name) const {
    const NameKey key = key_of(name);
    const Slot* const first = slots.data();
    for (size_t i = hash_of(key, name.size());; ++i) {
      const Slot& slot = first[i & mask];
      if (slot.command == nullptr) return nullptr;
      if (slot.key != key || slot.name.size() != name.size()) continue;
      if (name.size() <= kShortName || slot.name == to_lower(name)) return slot.command;
    }
  }

  // `name` outlives the index.
  void insert(std::string_view name, Command* command) {
    if ((used + 1) * 2 > slots.size()) rebuild(slots.size() * 2);
    place({key_of(name), name, command});
  }

  void erase(std::string_view name) {
    for (Slot& slot : slots) {
      if (slot.command != nullptr && slot.name == name) slot = Slot();
    }
    rebuild(slots.size());
  }

  void rebuild(size_t size) {
    std::vector<Slot> old(size);
    old.swap(slots);
    mask = size - 1;
    used = 0;
    for (const Slot& slot : old) {
      if (slot.command != nullptr) place(slot);
    }
  }

  void place(const Slot& fresh) {
    size_t i = hash_of(fresh.key, fresh.name.size());
    while (slots[i & (slots.size() - 1)].command != nullptr) ++i;
    slots[i & (slots.size() - 1)] = fresh;
    ++used;
  }

  std::vector<Slot> slots;  // a power of two, at most half full
  size_t mask;
  size_t used = 0;
  std::deque<std::string> renamed;  // owns the names that are not a Command's own
};

const Command* Command::find_subcommand(std::string_view sub) const {
  for (const auto& subcommand : subcommands) {
    if (equals_ignore_case(subcommand->last_name, sub)) return subcommand.get();
  }
  return nullptr;
}

CommandTable::CommandTable() : index_(std::make_unique<Index>()) {}
CommandTable::~CommandTable() = default;

void CommandTable::add(std::span<const CommandRow> rows) {
  for (const CommandRow& row : rows) {
    std::unique_ptr<Command> command = parse_row(row);
    const size_t bar = row.name.find('|');
    if (bar == std::string_view::npos) {
      if (find(row.name) != nullptr) malformed(row, "name (taken)");
      index_->insert(command->name, command.get());
      commands_.push_back(std::move(command));
      continue;
    }
    Command* container = find(row.name.substr(0, bar));
    if (container == nullptr) malformed(row, "name (no container)");
    if (row.handler == nullptr) malformed(row, "handler");
    if (container->find_subcommand(command->last_name) != nullptr) malformed(row, "name (taken)");
    command->container = container;
    container->subcommands.push_back(std::move(command));
  }
}

Status CommandTable::rename(std::string_view from, std::string_view to) {
  Command* command = find(from);
  if (command == nullptr) {
    return make_error(ErrorKind::kNotFound, "No such command in rename-command");
  }
  if (equals_ignore_case(from, to)) return {};
  if (!to.empty() && find(to) != nullptr) {
    return make_error(ErrorKind::kInvalid, "Target command name already exists");
  }
  index_->erase(to_lower(from));
  if (!to.empty()) index_->insert(index_->renamed.emplace_back(to_lower(to)), command);
  return {};
}

Command* CommandTable::find(std::string_view name) { return index_->find(name); }

Command* CommandTable::resolve(Args args) {
  return args.empty() ? nullptr : resolve(find(args[0]), args);
}

Command* CommandTable::resolve(Command* command, Args args) {
  if (command == nullptr || command->subcommands.empty() || args.size() < 2) return command;
  for (const auto& subcommand : command->subcommands) {
    if (equals_ignore_case(subcommand->last_name, args[1])) return subcommand.get();
  }
  return command;
}

void CommandTable::reset_stats() {
  for (const auto& command : commands_) {
    command->stats = {};
    for (const auto& subcommand : command->subcommands) subcommand->stats = {};
  }
}

// Where SORT's STORE names a key, the last time if it does so twice; 0: nowhere.
static size_t find_sort_target(Args args) {
  size_t target = 0;
  for (size_t i = 2; i < args.size(); ++i) {
    if (equals_ignore_case(args[i], "limit")) {
      i += 2;
    } else if (equals_ignore_case(args[i], "by") || equals_ignore_case(args[i], "get")) {
      ++i;
    } else if (equals_ignore_case(args[i], "store") && i + 1 < args.size()) {
      target = i + 1;
    }
  }
  return target;
}

Result<std::vector<KeyPosition>> find_keys(const Command& command, Args args) {
  std::vector<KeyPosition> keys;
  for (const KeySpec& spec : command.key_specs) {
    // A channel, not a key; or keys that only the command itself could name.
    if (std::find(spec.flags.begin(), spec.flags.end(), "NOT_KEY") != spec.flags.end()) continue;
    if (spec.begin == KeySpec::Begin::kUnknown || spec.find == KeySpec::Find::kUnknown) continue;
    KeyRange range;
    if (!locate(spec, args, &range)) {
      return make_error(ErrorKind::kInvalid, "Invalid arguments specified for command");
    }
    if (!range.present) continue;
    for (int64_t i = range.first; i <= range.last; i += range.step) {
      keys.push_back({static_cast<size_t>(i), &spec});
    }
  }
  // The one command whose specs do not tell where a key is that it alone can name.
  if (command.name == "sort") {
    const size_t target = find_sort_target(args);
    if (target != 0) keys.push_back({target, &command.key_specs.back()});
  }
  return keys;
}

}  // namespace tandem
