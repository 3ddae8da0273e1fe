#include "replication/waiting_clients.h"

#include <algorithm>
#include <utility>

namespace tandem {

void WriteReach::reply(Reply& reply, const WriteGoal& goal) const {
  if (goal.durable) {
    reply.array(2);
    reply.integer(local ? 1 : 0);
  }
  reply.integer(replicas);
}

WaitingClients::~WaitingClients() {
  for (const Waiting& waiting : waiting_) loop_.cancel(waiting.timer);
}

void WaitingClients::add(Client& client, const WriteGoal& goal, int64_t timeout_ms) {
  TimerId timer = 0;
  if (timeout_ms > 0) {
    timer =
        loop_.after(static_cast<uint64_t>(timeout_ms), [this, id = client.id] { timed_out(id); });
  }
  waiting_.push_back({client.id, goal, timer});
  client.block(this);
}

void WaitingClients::acknowledged() {
  const auto satisfied = [this](const Waiting& waiting) {
    return reach_(waiting.goal).satisfies(waiting.goal);
  };
  const auto first =
      std::stable_partition(waiting_.begin(), waiting_.end(),
                            [&satisfied](const Waiting& waiting) { return !satisfied(waiting); });
  const std::vector<Waiting> done(first, waiting_.end());
  waiting_.erase(first, waiting_.end());
  for (const Waiting& waiting : done) answer(waiting);
}

void WaitingClients::timed_out(uint64_t client_id) { finish(client_id, {}); }

void WaitingClients::unblock(Client& client, std::string_view error) { finish(client.id, error); }

void WaitingClients::finish(uint64_t client_id, std::string_view error) {
  const auto found =
      std::find_if(waiting_.begin(), waiting_.end(),
                   [client_id](const Waiting& waiting) { return waiting.client_id == client_id; });
  if (found == waiting_.end()) return;
  const Waiting waiting = *found;
  waiting_.erase(found);
  answer(waiting, error);
}

void WaitingClients::answer(const Waiting& waiting, std::string_view error) {
  loop_.cancel(waiting.timer);
  Client* client = executor_.find_client(waiting.client_id);
  if (client == nullptr) return;
  client->answer_blocked([&](Reply& reply) {
    if (error.empty()) {
      reach_(waiting.goal).reply(reply, waiting.goal);
    } else {
      reply.error(error);
    }
  });
}

void WaitingClients::client_closed(const Client& client) {
  std::erase_if(waiting_, [this, &client](const Waiting& waiting) {
    if (waiting.client_id != client.id) return false;
    loop_.cancel(waiting.timer);
    return true;
  });
}

void WaitingClients::refuse_all(std::string_view error) {
  for (const Waiting& waiting : std::exchange(waiting_, {})) {
    loop_.cancel(waiting.timer);
    Client* client = executor_.find_client(waiting.client_id);
    if (client == nullptr) continue;
    client->reply().error(error);
    client->close_after_reply();
  }
}

}  // namespace tandem
