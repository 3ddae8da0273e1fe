#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/base/random.h"
#include "server/store/entry.h"

namespace tandem {

// The digest of a key by which a primary and its replicas compare it: its type, its expiry, its
// size and its value, with the expiries of hash fields, whatever the encodings and the order of
// tables. Of a stream also its consumer groups with what is pending for whom, but no times, which
// depend on each server's clock. Elements and keys whose time has come count while they are there.
//
// The work is bounded. Of a value of more than kWindowElements elements one window of as many
// counts, and of a text of more than kWindowBytes one block; the `salt` says which, so that another
// salt finds what one has missed. The members of a large set or hash have no order that two servers
// share: `named` says which of them count.
inline constexpr size_t kWindowElements = 256;
inline constexpr size_t kWindowBytes = 64 * 1024;

// Never 0.
uint64_t key_digest(const Entry& entry, uint64_t salt, std::span<const std::string_view> named);

// How many windows a value has; 1: every digest covers it all, but for long texts.
size_t digest_windows(const Entry& entry);
// Members of a set or hash for one digest of it, or none when it has only one window. Very long
// names are left out.
std::vector<std::string> name_members(const Entry& entry, Random& random);

}  // namespace tandem
