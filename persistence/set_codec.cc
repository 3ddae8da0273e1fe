#include <memory>
#include <utility>

#include "persistence/rdb_format.h"
#include "persistence/value_codec.h"
#include "server/base/strings.h"
#include "server/store/set_value.h"

namespace tandem {

namespace {

constexpr int kFirstVersionWithListpacks = 11;

const SetValue& set_of(const Value& value) { return static_cast<const SetValue&>(value); }

uint8_t rdb_type(const Value& value, int version) {
  const SetValue& set = set_of(value);
  if (set.intset() != nullptr) return rdb::kSetIntset;
  if (set.listpack() != nullptr && version >= kFirstVersionWithListpacks) return rdb::kSetListpack;
  return rdb::kSet;
}

void write(RdbEncoder& out, const Value& value, int version) {
  const SetValue& set = set_of(value);
  switch (rdb_type(value, version)) {
    case rdb::kSetIntset:
      out.string(set.intset()->bytes());
      return;
    case rdb::kSetListpack:
      out.string(set.listpack()->bytes());
      return;
    default:
      break;
  }
  out.length(set.size());
  set.for_each([&out](const SetValue::Member& member) {
    if (member.is_integer()) {
      out.integer_string(member.integer());
    } else {
      out.string(member.string());
    }
  });
}

void write_commands(CommandWriter& out, std::string_view key, const Value& value) {
  ItemCommands items(&out, "SADD", key, 1);
  SetValue::Scratch scratch;
  set_of(value).for_each([&](const SetValue::Member& member) { items.add(member.text(scratch)); });
  items.finish();
}

Result<RdbValue> read_members(RdbDecoder& in, std::string_view key, const EncodingLimits& limits) {
  const uint64_t began = in.offset();
  Result<uint64_t> members = in.count(1, "the number of a set's members");
  if (!members.ok()) return members.error();
  if (members.value() == 0) return empty_collection(in, key, began);
  std::unique_ptr<SetValue> set;
  for (uint64_t i = 0; i < members.value(); ++i) {
    const uint64_t at = in.offset();
    const Result<std::string_view> member = in.text("a set member");
    if (!member.ok()) return member.error();
    if (set == nullptr) {
      set = std::make_unique<SetValue>(member.value(), members.value(), limits.set);
    }
    if (!set->load(member.value(), limits.set)) {
      return in.corrupt("the member " + quote(member.value()) +
                            ", or one before it, is twice in the set " + quote(key),
                        at);
    }
  }
  if (!set->finish_loading()) {
    return in.corrupt("a member is twice in the set " + quote(key), began);
  }
  return RdbValue(std::unique_ptr<Value>(std::move(set)));
}

using PackedReader = Result<std::unique_ptr<SetValue>> (*)(std::string_view, const SetLimits&);

Result<RdbValue> read_packed(RdbDecoder& in, std::string_view key, const EncodingLimits& limits,
                             PackedReader reader) {
  const uint64_t began = in.offset();
  const Result<std::string_view> bytes = in.text("a packed set");
  if (!bytes.ok()) return bytes.error();
  Result<std::unique_ptr<SetValue>> set = reader(bytes.value(), limits.set);
  if (!set.ok()) {
    return in.corrupt(
        "the set at key " + quote(key) + ": " + set.error().to_string() + " of its bytes", began);
  }
  if (set.value()->size() == 0) return empty_collection(in, key, began);
  return RdbValue(std::unique_ptr<Value>(std::move(set).value()));
}

Result<RdbValue> read(RdbDecoder& in, uint8_t type, std::string_view key,
                      const EncodingLimits& limits) {
  switch (type) {
    case rdb::kSetIntset:
      return read_packed(in, key, limits, SetValue::from_intset);
    case rdb::kSetListpack:
      return read_packed(in, key, limits, SetValue::from_listpack);
    default:
      return read_members(in, key, limits);
  }
}

}  // namespace

const ValueCodec kSetCodec = {rdb_type, write, write_commands, read};

}  // namespace tandem
