#include "server/store/hyperloglog.h"

#include <cmath>
#include <memory>
#include <optional>
#include <string>

#include "server/base/config.h"
#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/commands/arguments.h"
#include "server/commands/families.h"
#include "server/exec/call.h"
#include "server/exec/executor.h"

namespace tandem {
namespace {

size_t sparse_max_bytes(const Call& call) {
  return static_cast<size_t>(call.executor.config().settings().hll_sparse_max_bytes);
}

void reply_corrupt(Call& call) { call.reply.error("INVALIDOBJ Corrupted HLL object detected"); }

// The HLL of a found entry; replies WRONGTYPE when it holds none. An integer is too short for one.
std::optional<std::string_view> read_hll(Call& call, const Entry* entry) {
  if (!check_type(call, entry, ValueType::kString)) return std::nullopt;
  if (!entry->is_integer()) {
    const std::string_view bytes = entry->string(nullptr);
    if (hll_encoding(bytes)) return bytes;
  }
  call.reply.error("WRONGTYPE Key is not a valid HyperLogLog string value.");
  return std::nullopt;
}

// As read_hll(), for a command that edits the string in place: it says "raw" from now on.
struct Hll {
  Entry* entry;
  std::string_view bytes;
};
std::optional<Hll> read_hll_for_write(Call& call, Entry* entry) {
  if (!read_hll(call, entry)) return std::nullopt;
  entry = call.db().make_raw(entry);
  return Hll{entry, entry->string(nullptr)};
}

// Puts the bytes in the place of an entry's string.
void overwrite(Call& call, Entry* entry, std::string_view bytes) {
  char* to = call.db().edit_string(entry, bytes.size());
  bytes.copy(to, bytes.size());
}

void create_hll(Call& call, std::string hll, Args elements) {
  for (const std::string_view element : elements) {
    hll_add(&hll, hll_observe(element), sparse_max_bytes(call));
  }
  hll_invalidate_cache(hll.data());
  set_raw_string(call.db(), call.args[1], hll);
}

// Adds the elements to the HLL of an entry and returns how many of them changed it; nothing when
// it is corrupt and as it was.
std::optional<size_t> add_elements(Call& call, const Hll& target, Args elements) {
  const std::string_view hll = target.bytes;
  size_t changes = 0;
  if (hll_encoding(hll) == HllEncoding::kDense) {
    char* bytes = nullptr;  // for changing; a key that stays as it was must not look modified
    for (const std::string_view element : elements) {
      const HllObservation observation = hll_observe(element);
      if (bytes == nullptr) {
        if (hll_would_change(hll, observation) == HllUpdate::kUnchanged) continue;
        bytes = call.db().edit_string(target.entry, hll.size());
      }
      if (hll_add_dense(bytes, observation)) ++changes;
    }
    if (bytes != nullptr) hll_invalidate_cache(bytes);
    return changes;
  }
  std::string changed;
  for (const std::string_view element : elements) {
    const HllObservation observation = hll_observe(element);
    HllUpdate update = HllUpdate::kChanged;
    if (changed.empty()) update = hll_would_change(hll, observation);
    if (update == HllUpdate::kChanged) {
      if (changed.empty()) changed = hll;
      update = hll_add(&changed, observation, sparse_max_bytes(call));
    }
    if (update == HllUpdate::kCorrupt) return std::nullopt;
    if (update == HllUpdate::kChanged) ++changes;
  }
  if (changes > 0) {
    hll_invalidate_cache(changed.data());
    overwrite(call, target.entry, changed);
  }
  return changes;
}

void pfadd_command(Call& call) {
  const std::string_view key = call.args[1];
  const Args elements = call.args.subspan(2);
  Entry* entry = call.db().find_for_write(key);
  size_t changes = 0;
  if (entry == nullptr) {
    create_hll(call, empty_hll(), elements);
    changes = 1;
  } else {
    const auto hll = read_hll_for_write(call, entry);
    if (!hll) return;
    const auto added = add_elements(call, *hll, elements);
    if (!added) {
      reply_corrupt(call);
      return;
    }
    changes = *added;
  }
  if (changes > 0) {
    call.changed(changes);
    call.notify(kEventString, "pfadd", key);
  }
  call.reply.integer(changes > 0 ? 1 : 0);
}

// Merges the HLLs of all keys; `has_dense` tells whether one of them is dense. Replies and returns
// false when a key holds something else.
bool merge_keys(Call& call, Args keys, HllRegisters* registers, bool* has_dense) {
  for (const std::string_view key : keys) {
    const Entry* entry = call.db().find(key);
    if (entry == nullptr) continue;
    const auto hll = read_hll(call, entry);
    if (!hll) return false;
    if (!registers->merge(*hll)) {
      reply_corrupt(call);
      return false;
    }
    if (hll_encoding(*hll) == HllEncoding::kDense) *has_dense = true;
  }
  return true;
}

// Keeps the cardinality in the HLL, for the next PFCOUNT. That changes the key, so it travels; a
// replica leaves its keys to its primary.
void cache_cardinality(Call& call, Entry* entry, uint64_t cardinality) {
  if (call.executor.state().is_replica && !must_obey(call)) return;
  hll_cache_cardinality(call.db().edit_string(entry, entry->string_length()), cardinality);
  call.changed();
}

void pfcount_command(Call& call) {
  if (call.args.size() > 2) {
    HllRegisters registers;
    bool has_dense = false;
    if (!merge_keys(call, call.args.subspan(1), &registers, &has_dense)) return;
    call.reply.integer(static_cast<int64_t>(registers.cardinality()));
    return;
  }
  const std::string_view key = call.args[1];
  if (call.db().find(key) == nullptr) {
    call.reply.integer(0);
    return;
  }
  const auto hll = read_hll_for_write(call, call.db().find_for_write(key));
  if (!hll) return;
  auto cardinality = hll_cached_cardinality(hll->bytes);
  if (!cardinality) {
    cardinality = hll_cardinality(hll->bytes);
    if (!cardinality) {
      reply_corrupt(call);
      return;
    }
    cache_cardinality(call, hll->entry, *cardinality);
  }
  call.reply.integer(static_cast<int64_t>(*cardinality));
}

// Raises the registers of an HLL, which is dense already if any source was, to those of the union.
void raise_all(std::string* hll, const HllRegisters& registers, size_t max_bytes) {
  if (hll_encoding(*hll) == HllEncoding::kDense) {
    registers.store_dense(hll->data());
    return;
  }
  for (uint32_t i = 0; i < kHllRegisters; ++i) {
    if (registers[i] != 0) hll_add(hll, {i, registers[i]}, max_bytes);
  }
}

void pfmerge_command(Call& call) {
  const std::string_view target = call.args[1];
  HllRegisters registers;
  bool has_dense = false;
  // The target is the first of the sources.
  if (!merge_keys(call, call.args.subspan(1), &registers, &has_dense)) return;
  Entry* entry = call.db().find_for_write(target);
  std::string hll(entry == nullptr ? empty_hll() : std::string(entry->string(nullptr)));
  if (has_dense) hll_make_dense(&hll);
  raise_all(&hll, registers, sparse_max_bytes(call));
  hll_invalidate_cache(hll.data());
  if (entry == nullptr) {
    set_raw_string(call.db(), target, hll);
  } else {
    overwrite(call, entry, hll);
  }
  call.changed();
  call.notify(kEventString, "pfadd", target);
  call.reply.ok();
}

// Makes the HLL of an entry dense and returns its bytes; nothing when it is corrupt.
std::optional<std::string> make_dense(Call& call, const Hll& hll) {
  std::string dense(hll.bytes);
  if (!hll_make_dense(&dense)) {
    reply_corrupt(call);
    return std::nullopt;
  }
  if (hll_encoding(hll.bytes) == HllEncoding::kSparse) {
    overwrite(call, hll.entry, dense);
    call.changed();
  }
  return dense;
}

void reply_registers(Call& call, std::string_view dense) {
  HllRegisters registers;
  registers.merge(dense);
  call.reply.array(kHllRegisters);
  for (size_t i = 0; i < kHllRegisters; ++i) call.reply.integer(registers[i]);
}

void reply_runs(Call& call, std::string_view hll) {
  if (hll_encoding(hll) != HllEncoding::kSparse) {
    call.reply.error("ERR HLL encoding is not sparse");
    return;
  }
  const auto runs = hll_describe_runs(hll);
  if (runs) {
    call.reply.bulk(*runs);
  } else {
    reply_corrupt(call);
  }
}

void pfdebug_command(Call& call) {
  const std::string_view subcommand = call.args[1];
  Entry* entry = call.db().find_for_write(call.args[2]);
  if (entry == nullptr) {
    call.reply.error("ERR The specified key does not exist");
    return;
  }
  const auto hll = read_hll_for_write(call, entry);
  if (!hll) return;
  const bool sparse = hll_encoding(hll->bytes) == HllEncoding::kSparse;
  if (equals_ignore_case(subcommand, "getreg")) {
    if (const auto dense = make_dense(call, *hll)) reply_registers(call, *dense);
  } else if (equals_ignore_case(subcommand, "decode")) {
    reply_runs(call, hll->bytes);
  } else if (equals_ignore_case(subcommand, "encoding")) {
    call.reply.simple(sparse ? "sparse" : "dense");
  } else if (equals_ignore_case(subcommand, "todense")) {
    if (make_dense(call, *hll)) call.reply.integer(sparse ? 1 : 0);
  } else {
    call.reply.error("ERR Unknown PFDEBUG subcommand '" + std::string(subcommand) + "'");
  }
}

// Whether every register of a dense HLL keeps what is written to it, whatever its neighbours hold.
std::string test_registers(Random& random) {
  std::string hll = empty_hll();
  hll_make_dense(&hll);
  std::array<uint8_t, kHllRegisters> expected{};
  for (int round = 0; round < 100; ++round) {
    for (uint32_t i = 0; i < kHllRegisters; ++i) {
      const auto count = static_cast<uint8_t>(random.below(64));
      if (hll_add_dense(hll.data(), {i, count})) expected[i] = count;
    }
    HllRegisters registers;
    registers.merge(hll);
    for (size_t i = 0; i < kHllRegisters; ++i) {
      if (registers[i] == expected[i]) continue;
      return "TESTFAILED Register " + std::to_string(i) + " should be " +
             std::to_string(expected[i]) + " but is " + std::to_string(registers[i]);
    }
  }
  return {};
}

// Whether both encodings agree, and estimate within six standard errors.
std::string test_estimates(uint64_t seed, size_t max_bytes) {
  constexpr uint64_t kElements = 1'000'000;
  std::string sparse = empty_hll(), dense = empty_hll();
  hll_make_dense(&dense);
  const double standard_error = 1.04 / std::sqrt(static_cast<double>(kHllRegisters));
  uint64_t checkpoint = 1;
  for (uint64_t i = 1; i <= kElements; ++i) {
    const uint64_t element = i ^ seed;
    const HllObservation observation =
        hll_observe({reinterpret_cast<const char*>(&element), sizeof element});
    hll_add(&sparse, observation, max_bytes);
    hll_add_dense(dense.data(), observation);
    if (i != checkpoint) continue;
    checkpoint *= 10;
    if (i < max_bytes / 2 && hll_encoding(sparse) != HllEncoding::kSparse) {
      return "TESTFAILED sparse encoding not used";
    }
    const auto cardinality = hll_cardinality(dense);
    if (hll_cardinality(sparse) != cardinality) return "TESTFAILED dense/sparse disagree";
    const auto count = static_cast<double>(i);
    const double error = std::abs(static_cast<double>(*cardinality) - count);
    if (error > std::max(1.0, std::ceil(standard_error * 6 * count))) {
      return "TESTFAILED Too big error. card:" + std::to_string(i) +
             " abserr:" + std::to_string(static_cast<uint64_t>(error));
    }
  }
  return {};
}

void pfselftest_command(Call& call) {
  Random& random = call.keyspace.random();
  std::string failure = test_registers(random);
  if (failure.empty()) failure = test_estimates(random.next(), sparse_max_bytes(call));
  if (failure.empty()) {
    call.reply.ok();
  } else {
    call.reply.error("ERR " + failure);
  }
}

constexpr CommandRow kRows[] = {
    {.name = "pfadd",
     .handler = pfadd_command,
     .arity = -2,
     .flags = "denyoom,fast,write",
     .keys = "1,1,1",
     .categories = "@fast,@hyperloglog,@write",
     .key_specs = "[INSERT+RW index:index=1 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Adds elements to a HyperLogLog, which it creates if need be.",
     .since = "2.8.9",
     .group = "hyperloglog",
     .complexity = "O(1) for each element"},
    {.name = "pfcount",
     .handler = pfcount_command,
     .arity = -2,
     .flags = "readonly",
     .keys = "1,-1,1",
     .categories = "@hyperloglog,@read,@slow",
     .key_specs = "[ACCESS+RW index:index=1 range:lastkey=-1,keystep=1,limit=0]",
     .summary = "Estimates how many different elements were added to HyperLogLogs.",
     .since = "2.8.9",
     .group = "hyperloglog",
     .complexity = "O(1) for one key, mostly; O(N) for N keys, with a large constant"},
    {.name = "pfdebug",
     .handler = pfdebug_command,
     .arity = 3,
     .flags = "admin,denyoom,write",
     .keys = "2,2,1",
     .categories = "@admin,@dangerous,@hyperloglog,@slow,@write",
     .key_specs = "[ACCESS+RW index:index=2 range:lastkey=0,keystep=1,limit=0]",
     .summary = "Shows the inside of a HyperLogLog, or makes it dense.",
     .since = "2.8.9",
     .group = "hyperloglog",
     .complexity = "O(N), where N is the number of registers"},
    {.name = "pfmerge",
     .handler = pfmerge_command,
     .arity = -2,
     .flags = "denyoom,write",
     .keys = "1,-1,1",
     .categories = "@hyperloglog,@slow,@write",
     .key_specs = "[ACCESS+INSERT+RW index:index=1 range:lastkey=0,keystep=1,limit=0] "
                  "[ACCESS+RO index:index=2 range:lastkey=-1,keystep=1,limit=0]",
     .summary = "Adds to a HyperLogLog what other ones contain.",
     .since = "2.8.9",
     .group = "hyperloglog",
     .complexity = "O(N), where N is the number of keys, with a large constant"},
    {.name = "pfselftest",
     .handler = pfselftest_command,
     .arity = 1,
     .flags = "admin",
     .categories = "@admin,@dangerous,@hyperloglog,@slow",
     .summary = "Tests the HyperLogLogs of this server.",
     .since = "2.8.9",
     .group = "hyperloglog",
     .complexity = "N/A"},
};

}  // namespace

std::span<const CommandRow> hyperloglog_commands() { return kRows; }

}  // namespace tandem
