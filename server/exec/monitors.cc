#include "server/exec/monitors.h"

#include <cstdio>

#include "server/base/strings.h"
#include "server/exec/executor.h"

namespace tandem {

namespace {

constexpr size_t kKeptBytes = 64 * 1024;

// Who sent the command, as MONITOR shows it.
std::string origin(const Call& call) {
  const Link* link = call.client.link();
  if (link == nullptr) return "lua";  // only functions run commands without a connection
  if (!link->is_unix()) return link->peer_address();
  return "unix:" + call.executor.config().settings().unixsocket;
}

}  // namespace

void Monitors::add(Client& client) {
  client.monitor = true;
  clients_.push_back(&client);
}

void Monitors::remove(Client& client) {
  if (!client.monitor) return;
  client.monitor = false;
  std::erase(clients_, &client);
}

void Monitors::feed(const Call& call) {
  encode(call);
  for (Client* client : clients_) {
    if (client->reply_mode() == ReplyMode::kOn) client->push(line_);
  }
  if (line_.capacity() > kKeptBytes) line_ = {};
}

// +1339518083.107412 [0 127.0.0.1:60866] "keys" "*"
void Monitors::encode(const Call& call) {
  const int64_t now_us = call.executor.clock().wall_us();
  char time[40];
  std::snprintf(time, sizeof time, "+%lld.%06lld [%d ", static_cast<long long>(now_us / 1'000'000),
                static_cast<long long>(now_us % 1'000'000), call.client.db);
  line_ = time;
  line_.append(origin(call)).append("]");
  for (size_t i = 0; i < call.args.size(); ++i) {
    line_ += ' ';
    line_ += quote(call.hidden(i) ? "(redacted)" : call.args[i]);
  }
  line_ += "\r\n";
}

}  // namespace tandem
