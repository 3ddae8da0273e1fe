#pragma once

#include <initializer_list>
#include <span>
#include <string_view>

#include "server/base/output_buffer.h"
#include "server/resp/resp_format.h"

namespace tandem {

// Appends a request: an array of bulk strings, as clients send it and effects travel.
inline void append_request(OutputBuffer& out, std::span<const std::string_view> args) {
  size_t room = kRespHeaderBytes;
  for (std::string_view arg : args) room += kRespHeaderBytes + arg.size() + 2;
  char* const begin = out.reserve(room);
  char* end = write_resp_header(begin, '*', args.size());
  for (std::string_view arg : args) end = write_resp_bulk(end, arg);
  out.commit(static_cast<size_t>(end - begin));
}

inline void append_request(OutputBuffer& out, std::initializer_list<std::string_view> args) {
  append_request(out, std::span<const std::string_view>(args.begin(), args.size()));
}

}  // namespace tandem
