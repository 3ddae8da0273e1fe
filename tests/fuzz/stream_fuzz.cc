// The first byte of the input chooses one of the RDB types of streams, the rest is read as a value
// of that type. What is not refused can be walked, searched, changed, written and read again.

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "persistence/rdb_format.h"
#include "persistence/rdb_strings.h"
#include "persistence/value_codec.h"
#include "server/base/byte_stream.h"
#include "server/store/stream_value.h"

namespace tandem {
namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

std::unique_ptr<StreamValue> read_stream(std::string_view bytes, uint8_t type) {
  StringSource source(bytes);
  RdbDecoder decoder(&source);
  auto value = read_rdb_value(decoder, type, "key", {});
  if (!value.ok()) return nullptr;
  auto* stream = static_cast<StreamValue*>(
      std::get<std::unique_ptr<Value>>(std::move(value).value()).release());
  return std::unique_ptr<StreamValue>(stream);
}

std::string written(const StreamValue& stream) {
  std::string bytes;
  StringSink sink(&bytes);
  RdbEncoder encoder(&sink, false);
  kStreamCodec.write(encoder, stream, rdb::kVersion);
  require(encoder.flush().ok());
  return bytes;
}

std::vector<StreamId> walk(const StreamValue& stream, StreamReader::Direction direction) {
  std::vector<StreamId> ids;
  StreamReader reader(stream, {}, StreamId::max(), direction);
  while (reader.next()) {
    ids.push_back(reader.id());
    size_t fields = 0;
    reader.for_each_field([&fields](std::string_view, std::string_view) { ++fields; });
    require(fields == reader.field_count());
  }
  require(ids.size() == stream.size());
  return ids;
}

void check_groups(const StreamValue& stream) {
  stream.for_each_group([&stream](const std::string&, const StreamGroup& group) {
    (void)stream.lag(group);
    size_t pending = 0;
    for (const auto& [name, consumer] : group.consumers()) {
      for (auto it = consumer.pending().begin(); !it.at_end(); ++it, ++pending) {
        const StreamPending* delivery = group.find_pending(it->id);
        require(delivery != nullptr && delivery->consumer == &consumer);
      }
    }
    require(pending == group.pending().size());
  });
}

void change(StreamValue& stream, const std::vector<StreamId>& ids) {
  if (!ids.empty()) {
    const StreamId middle = ids[ids.size() / 2];
    require(stream.contains(middle));
    require(stream.count_range(middle, StreamId::max()) == ids.size() - ids.size() / 2);
    require(stream.erase(std::span(&middle, 1)) == 1);
    require(!stream.contains(middle));
    (void)stream.trim({.strategy = StreamTrim::Strategy::kMinId, .min_id = middle});
  }
  StreamId next = stream.last_id();
  if (next.increment()) {
    const std::string_view pairs[] = {"field", "value"};
    stream.append(next, pairs, {});
    require(stream.last_entry_id() == next);
  }
  (void)stream.trim({.strategy = StreamTrim::Strategy::kMaxLength, .max_length = 2});
  require(stream.size() <= 2);
}

void fuzz(std::string_view bytes, uint8_t type) {
  const auto stream = read_stream(bytes, type);
  if (stream == nullptr) return;
  const auto ids = walk(*stream, StreamReader::Direction::kForward);
  auto backwards = walk(*stream, StreamReader::Direction::kBackward);
  require(std::vector<StreamId>(backwards.rbegin(), backwards.rend()) == ids);
  check_groups(*stream);
  const std::string again = written(*stream);
  require(read_stream(again, rdb::kStreamListpacks3) != nullptr);
  change(*stream, ids);
  const auto changed = read_stream(written(*stream), rdb::kStreamListpacks3);
  require(changed != nullptr && changed->size() == stream->size());
  (void)stream->clone();
}

}  // namespace
}  // namespace tandem

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  constexpr uint8_t kTypes[] = {tandem::rdb::kStreamListpacks, tandem::rdb::kStreamListpacks2,
                                tandem::rdb::kStreamListpacks3};
  tandem::fuzz({reinterpret_cast<const char*>(data) + 1, size - 1}, kTypes[data[0] % 3]);
  return 0;
}
