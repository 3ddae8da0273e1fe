#pragma once

#include <initializer_list>
#include <string>
#include <string_view>

namespace tandem {

// A request as the peers of replication send it: a RESP array of bulk strings.
inline std::string encode_request(std::initializer_list<std::string_view> args) {
  std::string out = "*" + std::to_string(args.size()) + "\r\n";
  for (std::string_view arg : args) {
    out.append("$").append(std::to_string(arg.size())).append("\r\n").append(arg).append("\r\n");
  }
  return out;
}

}  // namespace tandem
