#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

#include "server/base/result.h"
#include "server/store/listpack.h"

namespace tandem {

// Readers of the two packed encodings that listpack replaced, for RDB files of older servers. Both
// take bytes from outside: every length is checked before it is used. Strings that the visitor gets
// are views into `bytes`. kCorrupt, with the offset in `bytes`, on anything malformed; entries in
// front of that have been visited by then. An error of the visitor stops the walk and is returned.

// Ziplist (lists, hashes and sorted sets up to Redis 6.2):
//   total bytes (u32) | offset of the last entry (u32) | entry count (u16, 65535: unknown)
//   | entries | 0xFF
//   entry = bytes of the entry before it | encoding | data
using ZiplistVisitor = std::function<Status(const Listpack::Entry& entry)>;
Status read_ziplist(std::string_view bytes, const ZiplistVisitor& visit);

// Zipmap (hashes of Redis 2.4 and older):
//   field count (u8, 254 and above: unknown) | length field length free value free-bytes … | 0xFF
using ZipmapVisitor = std::function<Status(std::string_view field, std::string_view value)>;
Status read_zipmap(std::string_view bytes, const ZipmapVisitor& visit);

}  // namespace tandem
