#include "tests/unit/store/real_values.h"

#include <fstream>
#include <iterator>

#include "server/base/lzf.h"

namespace tandem {

namespace {

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

size_t take_length(const std::string& bytes, size_t* at) {
  const auto head = static_cast<uint8_t>(bytes.at((*at)++));
  if (head < 0x40) return head;
  const auto low = static_cast<uint8_t>(bytes.at((*at)++));
  return (head & 0x3Fu) << 8 | low;
}

}  // namespace

std::optional<std::string> real_packed_value(const std::string& file, uint8_t type,
                                             std::string_view key) {
  const std::string bytes = read_file(TANDEM_SHARED_DIR "/data/" + file);
  std::string record(1, static_cast<char>(type));
  record += static_cast<char>(key.size());
  record += key;
  const size_t found = bytes.find(record);
  if (found == std::string::npos) return std::nullopt;
  size_t at = found + record.size();
  constexpr uint8_t kCompressed = 0xC3;
  if (static_cast<uint8_t>(bytes.at(at)) != kCompressed) {
    const size_t size = take_length(bytes, &at);
    return bytes.substr(at, size);
  }
  ++at;
  const size_t packed = take_length(bytes, &at);
  const size_t raw = take_length(bytes, &at);
  auto unpacked = lzf_decompress(std::string_view(bytes).substr(at, packed), raw);
  if (!unpacked) return std::nullopt;
  return std::move(unpacked).value();
}

}  // namespace tandem
