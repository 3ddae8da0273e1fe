#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "server/exec/call.h"
#include "server/store/entry.h"
#include "server/store/hash_value.h"
#include "server/store/list_value.h"
#include "server/store/set_value.h"

namespace tandem {

// Readers of arguments and keys that several families share. Each that can refuse writes the error
// reply itself; its caller only returns.

// "ERR value is not an integer or out of range" unless `text` is one; "ERR value is out of range,
// value must between low and high" outside these.
bool read_integer(Call& call, std::string_view text, int64_t low, int64_t high, int64_t* value);
// Inline for the reason that parse_int64() is (base/numbers.h).
inline std::optional<int64_t> read_integer(Call& call, std::string_view text,
                                           int64_t low = INT64_MIN, int64_t high = INT64_MAX) {
  int64_t value = 0;
  if (!read_integer(call, text, low, high, &value)) return std::nullopt;
  return value;
}
// "ERR value is not a valid float" unless `text` is one. May be infinite.
std::optional<long double> read_float(Call& call, std::string_view text);
// The number of an existing database, "ERR DB index is out of range" for another one.
std::optional<int> read_database(Call& call, std::string_view text);

// Milliseconds in the unit of a time argument: EX and EXPIRE count seconds, PX and PEXPIRE
// milliseconds.
enum class TimeUnit : int64_t { kSeconds = 1000, kMilliseconds = 1 };

// An expiry as SET, SETEX and GETEX take it: positive, from now on or (`absolute`) since 1970.
// Returns Unix milliseconds, or replies "ERR invalid expire time in 'set' command".
std::optional<int64_t> read_deadline(Call& call, std::string_view text, TimeUnit unit,
                                     bool absolute);
// "ERR invalid expire time in 'set' command", with the name of the running command.
void reply_invalid_expiry(Call& call);
// Whether a key with this expiry is deleted rather than set. Never on a replica or while loading,
// where the primary's DEL decides.
inline bool already_expired(const Call& call, int64_t deadline_ms) {
  return deadline_ms <= call.now_ms() && call.keyspace.expiry_policy() == ExpiryPolicy::kDelete;
}

// The timeout of a blocking command: for seconds a decimal number, rounded up to a millisecond, for
// milliseconds an integer. Returns a deadline for Call::block_on_keys(), 0 for a timeout of 0, or
// replies "ERR timeout is negative", "ERR timeout is not a float or out of range" and the like.
std::optional<int64_t> read_timeout(Call& call, std::string_view text, TimeUnit unit);
// The count of HRANDFIELD and SRANDMEMBER: how many different elements, or, negative, how many with
// repeats. Never INT64_MIN.
std::optional<int64_t> read_sample_count(Call& call, std::string_view text);

// Whether a found entry is of this type; otherwise replies WRONGTYPE.
inline bool check_type(Call& call, const Entry* entry, ValueType type) {
  if (entry->type() == type) return true;
  call.wrong_type();
  return false;
}

// Whether what arrives is no client's wish but what another server, or the AOF, has already done:
// limits of the configuration do not apply to it.
bool must_obey(const Call& call);
// Whether a string of `length` + `more` bytes may be made; otherwise replies that it would exceed
// proto-max-bulk-len. A primary's stream and the AOF are not limited.
bool check_string_length(Call& call, uint64_t length, uint64_t more);

// Sets a key to a string that OBJECT ENCODING calls raw however short it is or like a number: what
// commands make that build or change strings byte by byte.
void set_raw_string(Database& db, std::string_view key, std::string_view bytes);

// Up to where collections stay packed, from the configuration.
HashLimits hash_limits(const Call& call);
SetLimits set_limits(const Call& call);
ListLimits list_limits(const Call& call);

// What SCAN, HSCAN and their kin go through; some options are for one of them only.
enum class ScanOf : uint8_t { kKeys, kFields, kMembers };

// Options of SCAN and its kin.
struct ScanOptions {
  uint64_t cursor = 0;
  size_t count = 10;            // elements to look at, roughly
  std::string_view match = {};  // empty data(): all
  std::string_view type = {};   // SCAN's TYPE
  bool no_values = false;       // HSCAN's NOVALUES

  bool matches(std::string_view text) const;
  // A step may look at this many positions of the table, most of which may be empty.
  size_t max_steps() const { return count > SIZE_MAX / 10 ? SIZE_MAX : count * 10; }
};

// "ERR invalid cursor" unless `text` is one.
std::optional<uint64_t> read_cursor(Call& call, std::string_view text);
// The options from args[first] on. TYPE is SCAN's, NOVALUES is HSCAN's.
bool read_scan_options(Call& call, size_t first, ScanOf what, ScanOptions* options);
// What a scan of a key that is not there answers.
void reply_empty_scan(Call& call);

}  // namespace tandem
