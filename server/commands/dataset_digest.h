#pragma once

#include <string>
#include <string_view>

#include "server/store/keyspace.h"

namespace tandem {

// Digests of the data, 40 hexadecimal digits, equal to those that DEBUG DIGEST and DEBUG
// DIGEST-VALUE of Redis compute for the same data: independent of the order of keys and fields, all
// zeros when there is nothing. Keys whose time has come count while they are there.
std::string dataset_digest(Keyspace& keyspace);
// Of one key's value and expiry, without its name; null: no such key.
std::string value_digest(const Entry* entry);

}  // namespace tandem
