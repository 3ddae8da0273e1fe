#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "server/base/result.h"
#include "server/exec/call.h"

namespace tandem {

// Which clients CLIENT LIST and CLIENT KILL mean: those that pass everything that is set.
struct ClientFilter {
  std::unordered_set<uint64_t> ids;
  std::optional<ClientKind> kind;
  std::optional<bool> subscribers;  // TYPE pubsub: yes; TYPE normal: no
  std::optional<std::string> user, address, local_address;
  int64_t min_age_seconds = 0;
  bool skip_me = false;

  bool matches(const Call& call, const Client& client) const;
};

// Reads the filters of args[first...]. CLIENT KILL skips who asks unless told otherwise, CLIENT
// LIST does not (`skip_me`); each words the refusal of an id in its own way (`bad_id`). An error's
// message is what to reply.
Result<ClientFilter> parse_client_filter(Args args, size_t first, std::string_view bad_id,
                                         bool skip_me);

// The clients that pass the filter, oldest first.
std::vector<Client*> select_clients(Call& call, const ClientFilter& filter);

}  // namespace tandem
