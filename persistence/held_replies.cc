#include "persistence/held_replies.h"

namespace tandem {

namespace {

uint64_t end_of(const OutputBuffer& output) { return output.own_consumed() + output.own_size(); }

}  // namespace

size_t HeldReplies::sendable(Client& client, uint64_t position, uint64_t durable) {
  if (position <= durable) return OutputBuffer::kAll;
  const OutputBuffer& output = client.link()->output();
  Client::HeldOutput& held = client.held_output;
  const uint64_t end = end_of(output);
  if (!held.waits && output.own_size() > 0 && end > held.released) {
    held.waits = true;
    held.end = end;
    waiting_.push_back({position, client.id});
  }
  const uint64_t sent = output.own_consumed();
  return held.released > sent ? static_cast<size_t>(held.released - sent) : 0;
}

void HeldReplies::release(uint64_t durable) {
  while (!waiting_.empty() && waiting_.front().position <= durable) {
    Client* client = executor_.find_client(waiting_.front().client_id);
    waiting_.pop_front();
    if (client == nullptr || client->link() == nullptr) continue;
    client->held_output.waits = false;
    client->held_output.released = client->held_output.end;
    client->link()->schedule_flush();
  }
}

void HeldReplies::disconnect_beyond(uint64_t durable) {
  while (!waiting_.empty() && waiting_.back().position > durable) {
    Client* client = executor_.find_client(waiting_.back().client_id);
    waiting_.pop_back();
    if (client != nullptr) client->close_now();
  }
}

void HeldReplies::disconnect_all() {
  waiting_.clear();
  for (const auto& [id, client] : executor_.clients()) {
    Link* link = client->link();
    if (link == nullptr || link->output().own_size() == 0) continue;
    if (end_of(link->output()) > client->held_output.released) client->close_now();
  }
}

}  // namespace tandem
