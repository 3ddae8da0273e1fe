#include "persistence/held_replies.h"

namespace tandem {

void HeldReplies::hold_all(uint64_t position) {
  for (const auto& [id, client] : executor_.clients()) {
    Link* link = client->link();
    if (link == nullptr || link->output().empty()) continue;
    Hold& hold = held_[id];
    const size_t output_bytes = link->output().size();
    if (hold.output_bytes == output_bytes) continue;
    if (hold.output_bytes == 0) {
      link->hold_output(true);
      link->pause_input(true);
    }
    hold = {position, output_bytes};
  }
}

void HeldReplies::release(uint64_t position) {
  for (auto held = held_.begin(); held != held_.end();) {
    if (held->second.position > position) {
      ++held;
      continue;
    }
    const Client* client = executor_.find_client(held->first);
    held = held_.erase(held);
    if (client == nullptr || client->link() == nullptr) continue;
    client->link()->hold_output(false);
    client->link()->schedule_flush();
    // A client may be blocked for a reason of its own (WAIT, CLIENT PAUSE).
    if (!client->blocked()) client->link()->pause_input(false);
  }
}

void HeldReplies::disconnect_beyond(uint64_t position) {
  for (auto held = held_.begin(); held != held_.end();) {
    if (held->second.position <= position) {
      ++held;
      continue;
    }
    Client* client = executor_.find_client(held->first);
    held = held_.erase(held);
    if (client != nullptr) client->close_now();
  }
}

}  // namespace tandem
