#include "tools/cli/rdb_summary.h"

#include <algorithm>

namespace tandem::cli {
namespace {

struct Measure {
  ValueType type = ValueType::kString;
  uint64_t elements = 1;
  uint64_t bytes = 0;
  bool fields_expire = false;
};

Measure measure(const RdbValue& value) {
  if (const auto* text = std::get_if<std::string_view>(&value)) return {.bytes = text->size()};
  if (std::holds_alternative<int64_t>(value)) return {.bytes = sizeof(int64_t)};
  const Value& collection = *std::get<std::unique_ptr<Value>>(value);
  return {collection.type(), collection.size(), collection.memory_usage(),
          collection.next_expiry_ms() != Value::kNever};
}

bool bigger(const RdbSummary::BigKey& a, const RdbSummary::BigKey& b) { return a.bytes > b.bytes; }

}  // namespace

Status RdbSummary::on_aux(std::string_view name, std::string_view value) {
  aux_.emplace_back(name, value);
  return {};
}

Status RdbSummary::on_library(std::string source) {
  return add_library(std::move(source), &libraries_);
}

Status RdbSummary::on_key(const RdbKey& key, RdbValue value) {
  const Measure measured = measure(value);
  const uint64_t bytes = key.name.size() + measured.bytes;
  Database& database = databases_[key.db];
  ++database.keys;
  database.with_expiry += key.expires_at_ms != kNoExpiry;
  Amount& amount = amounts_[static_cast<size_t>(measured.type)];
  ++amount.keys;
  amount.elements += measured.elements;
  amount.bytes += bytes;
  ++keys_;
  expiring_ += measured.fields_expire;
  if (key.frequency) {
    access_ = AccessRecord::kFrequency;
  } else if (key.idle_seconds) {
    access_ = AccessRecord::kIdle;
  }
  if (biggest_.size() < keep_ || (keep_ > 0 && bytes > biggest_.front().bytes)) {
    keep_if_big({key.db, std::string(key.name), measured.type, measured.elements, bytes});
  }
  return {};
}

void RdbSummary::keep_if_big(BigKey key) {
  if (biggest_.size() == keep_) {
    std::ranges::pop_heap(biggest_, bigger);
    biggest_.pop_back();
  }
  biggest_.push_back(std::move(key));
  std::ranges::push_heap(biggest_, bigger);
}

std::vector<RdbSummary::BigKey> RdbSummary::biggest() const {
  std::vector<BigKey> sorted = biggest_;
  std::ranges::stable_sort(sorted, bigger);
  return sorted;
}

std::string RdbSummary::counts() const {
  return counted(libraries_.size(), "library", "libraries") + " and " +
         counted(keys_, "key", "keys");
}

std::string counted(uint64_t number, const char* singular, const char* plural) {
  return std::to_string(number) + " " + (number == 1 ? singular : plural);
}

}  // namespace tandem::cli
