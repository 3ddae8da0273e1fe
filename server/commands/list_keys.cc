#include "server/commands/list_keys.h"

#include <utility>

#include "server/base/strings.h"
#include "server/commands/arguments.h"

namespace tandem {

namespace {
ListValue* list_of(const Entry* entry) { return static_cast<ListValue*>(entry->value()); }
}  // namespace

std::optional<const ListValue*> find_list(Call& call, std::string_view key) {
  const Entry* entry = call.db().find(key);
  if (entry == nullptr) return nullptr;
  if (!check_type(call, entry, ValueType::kList)) return std::nullopt;
  return list_of(entry);
}

std::optional<ListValue*> find_list_for_write(Call& call, std::string_view key) {
  const Entry* entry = call.db().find_for_write(key);
  if (entry == nullptr) return nullptr;
  if (!check_type(call, entry, ValueType::kList)) return std::nullopt;
  return list_of(entry);
}

std::optional<ListEnd> read_list_end(Call& call, std::string_view text) {
  if (equals_ignore_case(text, "left")) return ListEnd::kHead;
  if (equals_ignore_case(text, "right")) return ListEnd::kTail;
  call.syntax_error();
  return std::nullopt;
}

ListValue* push_elements(Call& call, std::string_view key, ListValue* list, ListEnd end,
                         Args elements) {
  std::unique_ptr<ListValue> created;
  if (list == nullptr) {
    created = std::make_unique<ListValue>();
    list = created.get();
  }
  size_t bytes = 0;
  for (const std::string_view element : elements) bytes += element.size();
  const ListLimits limits = list_limits(call);
  list->prepare(bytes, elements.size(), limits);
  for (const std::string_view element : elements) list->push(end, element, limits);
  if (created) {
    call.db().set_value(key, std::move(created));
  } else {
    call.db().modified(key);
  }
  return list;
}

void remove_elements(Call& call, std::string_view key, ListValue* list, ListEnd end, size_t count) {
  call.changed(count);
  if (count == 1) {
    list->pop(end);
  } else if (count < list->size()) {
    free_cut_off(call, list->trim(end, count));
  } else {
    // The whole list: freed with its key.
    call.notify(kEventList, end == ListEnd::kHead ? "lpop" : "rpop", key);
    call.db().erase(key);
    call.notify(kEventGeneric, "del", key);
    return;
  }
  elements_removed(call, key, list, end == ListEnd::kHead ? "lpop" : "rpop");
}

void reply_elements(Call& call, const ListValue& list, ListEnd end, size_t count) {
  call.reply.array(count);
  Listpack::Scratch scratch;
  const auto reply = [&](const ListValue::Element& element) {
    call.reply.bulk(element.text(scratch));
    return true;
  };
  if (count == 0) return;
  if (end == ListEnd::kHead) {
    list.visit(0, count, reply);
  } else {
    list.visit_back(list.size() - 1, count, reply);
  }
}

void elements_removed(Call& call, std::string_view key, ListValue* list, std::string_view event) {
  call.notify(kEventList, event, key);
  if (list->size() == 0) {
    call.db().erase(key);
    call.notify(kEventGeneric, "del", key);
    return;
  }
  list->shrink(list_limits(call));
  call.db().modified(key);
}

void free_cut_off(Call& call, std::unique_ptr<Value> cut_off) {
  constexpr size_t kCheapToFree = 64;
  if (cut_off == nullptr || cut_off->free_effort() <= kCheapToFree) return;
  const size_t bytes = cut_off->memory_usage();
  call.keyspace.free_in_background([value = cut_off.release()] { delete value; }, 1, bytes);
}

}  // namespace tandem
