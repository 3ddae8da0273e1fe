#include <utility>

#include "persistence/rdb_format.h"
#include "persistence/value_codec.h"
#include "server/base/strings.h"
#include "server/store/legacy_packed.h"
#include "server/store/list_value.h"

namespace tandem {

namespace {

const ListValue& list_of(const Value& value) { return static_cast<const ListValue&>(value); }

uint8_t rdb_type(const Value&, int) { return rdb::kListQuicklist2; }

void write(RdbEncoder& out, const Value& value, int) {
  const ListValue& list = list_of(value);
  out.length(list.chunks());
  list.for_each_chunk([&out](const ListChunk& chunk) {
    if (chunk.plain()) {
      out.length(rdb::kPlainNode);
      out.string(chunk.bytes());
    } else {
      out.length(rdb::kPackedNode);
      out.string(Listpack::from_entries(chunk.bytes(), chunk.count()));
    }
  });
}

void write_commands(CommandWriter& out, std::string_view key, const Value& value) {
  ItemCommands items(&out, "RPUSH", key, 1);
  Listpack::Scratch scratch;
  list_of(value).visit([&](const ListValue::Element& element) {
    items.add(element.text(scratch));
    return true;
  });
  items.finish();
}

// Reads the nodes of a list, in the form of one RDB type each. `began` is where the node began.
struct NodeReader {
  RdbDecoder& in;
  std::string_view key;
  const ListLimits& limits;
  ListValue& list;

  Status element() {
    const Result<std::string_view> text = in.text("a list element");
    if (!text.ok()) return text.error();
    list.load(text.value(), limits);
    return {};
  }

  Status ziplist() {
    const uint64_t began = in.offset();
    const Result<std::string_view> bytes = in.text("a ziplist");
    if (!bytes.ok()) return bytes.error();
    // Gathered, so that a node stays a node.
    Listpack packed(bytes.value().size());
    Listpack::Scratch scratch;
    Status status = read_ziplist(bytes.value(), [&](const Listpack::Entry& entry) -> Status {
      const std::string_view text = entry.text(scratch);
      if (packed.fits(text.size())) {
        packed.append(text);
      } else {
        list.load_packed(packed.bytes(), limits);
        packed.clear();
        list.load(text, limits);
      }
      return {};
    });
    if (!status.ok()) return corrupt(status, began);
    list.load_packed(packed.bytes(), limits);
    return {};
  }

  Status node() {
    const uint64_t began = in.offset();
    Result<uint64_t> kind = in.length("the kind of a list node");
    if (!kind.ok()) return kind.error();
    if (kind.value() == rdb::kPlainNode) return element();
    if (kind.value() != rdb::kPackedNode) {
      return in.corrupt("a node of the list " + quote(key) + " is of the unknown kind " +
                            std::to_string(kind.value()),
                        began);
    }
    const Result<std::string_view> bytes = in.text("a listpack");
    if (!bytes.ok()) return bytes.error();
    Status status = Listpack::check(bytes.value());
    if (!status.ok()) return corrupt(status, began);
    list.load_packed(bytes.value(), limits);
    return {};
  }

  Status corrupt(const Status& why, uint64_t began) const {
    return in.corrupt(
        "the list at key " + quote(key) + ": " + why.error().to_string() + " of its bytes", began);
  }
};

Result<RdbValue> read(RdbDecoder& in, uint8_t type, std::string_view key,
                      const EncodingLimits& limits) {
  const uint64_t began = in.offset();
  auto list = std::make_unique<ListValue>();
  NodeReader reader{in, key, limits.list, *list};
  uint64_t nodes = 1;
  if (type != rdb::kListZiplist) {
    Result<uint64_t> count = in.count(1, "the length of a list");
    if (!count.ok()) return count.error();
    nodes = count.value();
  }
  for (uint64_t i = 0; i < nodes; ++i) {
    const Status status = type == rdb::kList             ? reader.element()
                          : type == rdb::kListQuicklist2 ? reader.node()
                                                         : reader.ziplist();
    if (!status.ok()) return status.error();
  }
  if (list->size() == 0) return empty_collection(in, key, began);
  list->finish_loading(limits.list);
  return RdbValue(std::unique_ptr<Value>(std::move(list)));
}

}  // namespace

const ValueCodec kListCodec = {rdb_type, write, write_commands, read};

}  // namespace tandem
