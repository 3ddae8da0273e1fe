#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "server/exec/call.h"
#include "server/store/list_value.h"

namespace tandem {

// What the commands of lists share.

// The list of a key, null for a missing one. Empty when it is of another type: WRONGTYPE has been
// replied.
std::optional<const ListValue*> find_list(Call& call, std::string_view key);
// As find_list(), for changing it.
std::optional<ListValue*> find_list_for_write(Call& call, std::string_view key);

// LEFT or RIGHT; otherwise replies a syntax error.
std::optional<ListEnd> read_list_end(Call& call, std::string_view text);

// Adds the elements one after the other at that end, to `list` or, when it is null, to a new list
// at the key. Returns the list. Says nothing to the subscribers.
ListValue* push_elements(Call& call, std::string_view key, ListValue* list, ListEnd end,
                         Args elements);

// Removes `count` elements, of which there are as many, and the key with the last one; tells the
// subscribers and counts the changes.
void remove_elements(Call& call, std::string_view key, ListValue* list, ListEnd end, size_t count);

// Replies an array of `count` elements at one end, of which there are as many, the outermost first.
void reply_elements(Call& call, const ListValue& list, ListEnd end, size_t count);
inline void reply_element(Call& call, const ListValue::Element& element) {
  Listpack::Scratch scratch;
  call.reply.bulk(element.text(scratch));
}

// Elements were removed from a list in place, which `event` tells: deletes the key when none is
// left.
void elements_removed(Call& call, std::string_view key, ListValue* list, std::string_view event);

// Frees what a list has lost, in the background when that takes long.
void free_cut_off(Call& call, std::unique_ptr<Value> cut_off);

}  // namespace tandem
