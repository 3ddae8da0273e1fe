#include "tools/cli/rdb_summary.h"
#include "tools/cli/text_table.h"

namespace tandem::cli {
namespace {

constexpr ValueType kTypeOrder[RdbSummary::kTypes] = {ValueType::kString, ValueType::kList,
                                                      ValueType::kSet,    ValueType::kSortedSet,
                                                      ValueType::kHash,   ValueType::kStream};

ReplyValue text(std::string_view value) {
  return {.type = ReplyValue::Type::kBulk, .text = std::string(value)};
}

ReplyValue number(uint64_t value) {
  return {.type = ReplyValue::Type::kInteger, .integer = static_cast<int64_t>(value)};
}

ReplyValue map(std::vector<ReplyValue> names_and_values) {
  return {.type = ReplyValue::Type::kMap, .elements = std::move(names_and_values)};
}

ReplyValue array(std::vector<ReplyValue> elements) {
  return {.type = ReplyValue::Type::kArray, .elements = std::move(elements)};
}

std::string keys_by_type(const RdbSummary& summary) {
  TextTable table({"TYPE", "KEYS", "ELEMENTS", "BYTES"});
  for (ValueType type : kTypeOrder) {
    const RdbSummary::Amount& amount = summary.of_type(type);
    if (amount.keys == 0) continue;
    table.add({std::string(type_name(type)), std::to_string(amount.keys),
               std::to_string(amount.elements), std::to_string(amount.bytes)});
  }
  return table.format();
}

std::string biggest_keys(const RdbSummary& summary) {
  TextTable table({"DB", "TYPE", "ELEMENTS", "BYTES", "KEY"});
  for (const RdbSummary::BigKey& key : summary.biggest()) {
    table.add({std::to_string(key.db), std::string(type_name(key.type)),
               std::to_string(key.elements), std::to_string(key.bytes),
               printable_quoted(key.name)});
  }
  return table.format();
}

std::string databases(const RdbSummary& summary) {
  TextTable table({"DB", "KEYS", "WITH EXPIRY"});
  for (const auto& [index, database] : summary.databases()) {
    table.add({std::to_string(index), std::to_string(database.keys),
               std::to_string(database.with_expiry)});
  }
  return table.format();
}

std::string libraries(const RdbSummary& summary) {
  TextTable table({"LIBRARY", "BYTES"});
  for (const auto& [name, source] : summary.libraries()) {
    table.add({name, std::to_string(source.size())});
  }
  return table.format();
}

}  // namespace

std::string format_name(const RdbEnd& end) {
  const bool lz4 = end.compression == RdbCompression::kLz4;
  return "RDB version " + std::to_string(end.version) + (lz4 ? " in an LZ4 frame" : "");
}

std::string inspection_text(const RdbFileFacts& file, const RdbSummary& summary) {
  std::string out = file.path + ": " + std::to_string(file.bytes) + " bytes, " +
                    format_name(file.end) + "\n" + summary.counts() + "\n";
  TextTable aux({"AUXILIARY FIELD", "VALUE"});
  for (const auto& [name, value] : summary.aux()) aux.add({printable(name), printable(value)});
  if (!summary.aux().empty()) out += "\n" + aux.format();
  if (!summary.libraries().empty()) out += "\n" + libraries(summary);
  if (summary.keys() == 0) return out;
  out += "\n" + databases(summary) + "\n" + keys_by_type(summary);
  if (!summary.biggest().empty()) out += "\n" + biggest_keys(summary);
  return out;
}

ReplyValue inspection_json(const RdbFileFacts& file, const RdbSummary& summary) {
  ReplyValue aux = map({});
  for (const auto& [name, value] : summary.aux()) {
    aux.elements.push_back(text(name));
    aux.elements.push_back(text(value));
  }
  ReplyValue libraries = array({});
  for (const auto& [name, source] : summary.libraries()) {
    libraries.elements.push_back(
        map({text("name"), text(name), text("bytes"), number(source.size())}));
  }
  ReplyValue databases = array({});
  for (const auto& [index, database] : summary.databases()) {
    databases.elements.push_back(
        map({text("db"), number(static_cast<uint64_t>(index)), text("keys"), number(database.keys),
             text("with_expiry"), number(database.with_expiry)}));
  }
  ReplyValue types = map({});
  for (ValueType type : kTypeOrder) {
    const RdbSummary::Amount& amount = summary.of_type(type);
    types.elements.push_back(text(type_name(type)));
    types.elements.push_back(map({text("keys"), number(amount.keys), text("elements"),
                                  number(amount.elements), text("bytes"), number(amount.bytes)}));
  }
  ReplyValue biggest = array({});
  for (const RdbSummary::BigKey& key : summary.biggest()) {
    biggest.elements.push_back(
        map({text("db"), number(static_cast<uint64_t>(key.db)), text("key"), text(key.name),
             text("type"), text(type_name(key.type)), text("elements"), number(key.elements),
             text("bytes"), number(key.bytes)}));
  }
  return map({text("file"),      text(file.path),
              text("bytes"),     number(file.bytes),
              text("version"),   number(static_cast<uint64_t>(file.end.version)),
              text("lz4"),       text(file.end.compression == RdbCompression::kLz4 ? "yes" : "no"),
              text("aux"),       std::move(aux),
              text("libraries"), std::move(libraries),
              text("databases"), std::move(databases),
              text("keys"),      number(summary.keys()),
              text("types"),     std::move(types),
              text("biggest"),   std::move(biggest)});
}

}  // namespace tandem::cli
