#include "server/commands/client_filter.h"

#include <algorithm>
#include <utility>

#include "server/base/numbers.h"
#include "server/base/strings.h"
#include "server/exec/executor.h"

namespace tandem {
namespace {

bool read_kind(std::string_view text, ClientFilter* filter) {
  if (equals_ignore_case(text, "normal")) {
    filter->kind = ClientKind::kNormal;
    filter->subscribers = false;
  } else if (equals_ignore_case(text, "replica") || equals_ignore_case(text, "slave")) {
    filter->kind = ClientKind::kReplica;
  } else if (equals_ignore_case(text, "primary") || equals_ignore_case(text, "master")) {
    filter->kind = ClientKind::kPrimary;
  } else if (equals_ignore_case(text, "pubsub")) {
    filter->kind = ClientKind::kNormal;
    filter->subscribers = true;
  } else {
    return false;
  }
  return true;
}

class FilterParser {
 public:
  FilterParser(Args args, size_t first, std::string_view bad_id)
      : args_(args), next_(first), bad_id_(bad_id) {}

  Result<ClientFilter> parse(bool skip_me) {
    filter_.skip_me = skip_me;
    while (next_ < args_.size()) {
      if (next_ + 1 >= args_.size()) return refuse("ERR syntax error");
      const std::string_view name = args_[next_++];
      if (Status status = equals_ignore_case(name, "id") ? read_ids() : read(name); !status) {
        return status.error();
      }
    }
    return std::move(filter_);
  }

 private:
  static Error refuse(std::string message) {
    return make_error(ErrorKind::kInvalid, std::move(message));
  }

  // One id, and as many more as follow it.
  Status read_ids() {
    bool any = false;
    for (; next_ < args_.size(); ++next_) {
      const auto id = parse_int64(args_[next_]);
      if (!id && any) break;
      if (!id || *id < 1) return refuse(std::string(bad_id_));
      filter_.ids.insert(static_cast<uint64_t>(*id));
      any = true;
    }
    return {};
  }

  Status read(std::string_view name) {
    const std::string value(args_[next_++]);
    if (equals_ignore_case(name, "type")) {
      if (!read_kind(value, &filter_)) return refuse("ERR Unknown client type '" + value + "'");
    } else if (equals_ignore_case(name, "user")) {
      if (value != "default") return refuse("ERR No such user '" + value + "'");
      filter_.user = value;
    } else if (equals_ignore_case(name, "addr")) {
      filter_.address = value;
    } else if (equals_ignore_case(name, "laddr")) {
      filter_.local_address = value;
    } else if (equals_ignore_case(name, "maxage")) {
      const auto age = parse_int64(value);
      if (!age) return refuse("ERR maxage is not an integer or out of range");
      if (*age <= 0) return refuse("ERR maxage should be greater than 0");
      filter_.min_age_seconds = *age;
    } else if (equals_ignore_case(name, "skipme") && equals_ignore_case(value, "yes")) {
      filter_.skip_me = true;
    } else if (equals_ignore_case(name, "skipme") && equals_ignore_case(value, "no")) {
      filter_.skip_me = false;
    } else {
      return refuse("ERR syntax error");
    }
    return {};
  }

  Args args_;
  size_t next_;
  std::string_view bad_id_;
  ClientFilter filter_;
};

}  // namespace

bool ClientFilter::matches(const Call& call, const Client& client) const {
  const Link* link = client.link();
  if (link == nullptr) return false;
  if (subscribers && (client.subscriptions != nullptr) != *subscribers) return false;
  if (skip_me && &client == &call.client) return false;
  if (!ids.empty() && !ids.contains(client.id)) return false;
  if (kind && client.kind != *kind) return false;
  if (user && (client.kind == ClientKind::kPrimary || client.user != *user)) return false;
  if (address && link->peer_address() != *address) return false;
  if (local_address && link->local_address() != *local_address) return false;
  return (call.now_ms() - client.created_ms) / 1000 >= min_age_seconds;
}

Result<ClientFilter> parse_client_filter(Args args, size_t first, std::string_view bad_id,
                                         bool skip_me) {
  return FilterParser(args, first, bad_id).parse(skip_me);
}

std::vector<Client*> select_clients(Call& call, const ClientFilter& filter) {
  std::vector<Client*> found;
  for (const auto& [id, client] : call.executor.clients()) {
    if (filter.matches(call, *client)) found.push_back(client.get());
  }
  std::sort(found.begin(), found.end(), [](Client* a, Client* b) { return a->id < b->id; });
  return found;
}

}  // namespace tandem
