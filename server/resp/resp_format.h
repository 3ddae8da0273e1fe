#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "server/base/numbers.h"

namespace tandem {

// The two shapes that almost all of RESP consists of, written where the caller has made room.

// The most that a header takes: a type byte, a 64-bit number and CRLF.
constexpr size_t kRespHeaderBytes = kMaxInt64Digits + 3;

// "*3\r\n". Returns the end of what it has written.
inline char* write_resp_header(char* out, char type, uint64_t length) {
  *out++ = type;
  if (length < 10) {
    *out++ = static_cast<char>('0' + length);
  } else if (length < 100) {
    *out++ = static_cast<char>('0' + length / 10);
    *out++ = static_cast<char>('0' + length % 10);
  } else {
    out += format_int64(static_cast<int64_t>(length), out);
  }
  *out++ = '\r';
  *out++ = '\n';
  return out;
}

// "$3\r\nabc\r\n", in at most kRespHeaderBytes + bytes.size() + 2.
inline char* write_resp_bulk(char* out, std::string_view bytes) {
  out = write_resp_header(out, '$', bytes.size());
  if (!bytes.empty()) std::memcpy(out, bytes.data(), bytes.size());
  out += bytes.size();
  *out++ = '\r';
  *out++ = '\n';
  return out;
}

}  // namespace tandem
