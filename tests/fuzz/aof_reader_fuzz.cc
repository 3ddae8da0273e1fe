#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "persistence/aof_reader.h"

namespace tandem {
namespace {

class MemoryFile final : public ReadableFile {
 public:
  explicit MemoryFile(std::string_view bytes) : bytes_(bytes) {}
  Result<size_t> read(uint64_t offset, char* out, size_t length) override {
    if (offset >= bytes_.size()) return size_t{0};
    return bytes_.copy(out, length, offset);
  }
  uint64_t size() const override { return bytes_.size(); }

 private:
  std::string_view bytes_;
};

void require(bool held) {
  if (!held) std::abort();
}

}  // namespace
}  // namespace tandem

// Any bytes, read as an AOF: commands come out in the file's order, within the file, or the reading
// ends with an error at a place in the file.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace tandem;
  MemoryFile file({reinterpret_cast<const char*>(data), size});
  AofReader reader(&file, 0);
  uint64_t last_end = 0;
  while (true) {
    Result<AofReader::Outcome> outcome = reader.next();
    if (!outcome.ok()) {
      require(outcome.error().offset && *outcome.error().offset <= size);
      return 0;
    }
    require(reader.offset() >= last_end && reader.offset() <= size);
    if (outcome.value() != AofReader::Outcome::kCommand) return 0;
    size_t arg_bytes = 0;
    for (std::string_view arg : reader.args()) arg_bytes += arg.size();
    require(!reader.args().empty() && reader.offset() + arg_bytes < reader.end_offset());
    require(reader.end_offset() <= size);
    last_end = reader.end_offset();
  }
}
