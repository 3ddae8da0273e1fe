#include "tests/sim/sim_link.h"

#include <algorithm>
#include <utility>

namespace tandem {

SimLink::SimLink(SimNetwork* network, SimLoop* loop, uint64_t id, std::string peer_host,
                 std::string peer, std::string local)
    : network_(*network),
      loop_(*loop),
      id_(id),
      peer_host_(std::move(peer_host)),
      peer_(std::move(peer)),
      local_(std::move(local)) {
  network_.links_.emplace(id_, this);
}

SimLink::~SimLink() { network_.destroyed(this); }

void SimLink::start(LinkHandler* handler) {
  handler_ = handler;
  if (!output_.empty()) schedule_flush();
  if (!received_.empty())
    loop_.post(0, [network = &network_, id = id_] {
      if (SimLink* link = network->find(id)) link->read();
    });
}

void SimLink::pause_input(bool paused) {
  if (paused_ == paused) return;
  paused_ = paused;
  if (paused) return;
  loop_.post(0, [network = &network_, id = id_] {
    if (SimLink* link = network->find(id)) link->read();
  });
}

void SimLink::close_after_flush() {
  close_after_flush_ = true;
  schedule_flush();
}

void SimLink::read() {
  if (closing_ || paused_ || close_after_flush_ || handler_ == nullptr) return;
  if (!received_.empty()) {
    input_.append(received_);
    if (SimLink* sender = network_.find(peer_id())) sender->taken_by_peer(received_.size());
    received_.clear();
  }
  if (input_.empty()) return;
  // A copy of its own: whoever keeps a view of it beyond the call is found out by the sanitizer.
  const std::string shown = input_;
  input_.erase(0, handler_->on_input(shown));
  if (!output_.empty() || close_after_flush_) schedule_flush();
}

void SimLink::flush() {
  flush_wanted_ = false;
  if (closing_ || blocked_on_write_ || handler_ == nullptr) return;
  const SimPath& path = network_.path(*this);
  SimWorld& world = network_.world_;
  while (!output_.empty()) {
    const std::string_view pending = output_.view(handler_->sendable_output());
    if (pending.empty()) return;
    if (in_flight_ >= path.window) {
      blocked_on_write_ = owes_drained_ = true;
      return;
    }
    size_t length = std::min({pending.size(), path.window - in_flight_, path.largest_piece});
    if (world.one_in(4))
      length = static_cast<size_t>(world.between(1, static_cast<int64_t>(length)));
    std::string bytes(pending.substr(0, length));
    output_.consume(length);
    SimLink* receiver = network_.find(peer_id());
    if (receiver == nullptr || receiver->closing_) continue;
    in_flight_ += length;
    const int64_t delay_us = network_.arrival_us(*this, receiver) - world.now_us();
    world.schedule(&receiver->loop_, delay_us,
                   [network = &network_, to = receiver->id_, bytes = std::move(bytes)]() mutable {
                     network->arrive(to, std::move(bytes));
                   });
  }
  if (std::exchange(owes_drained_, false)) handler_->on_drained();
  if (close_after_flush_) begin_close("closed by this server");
}

// Room in the window again.
void SimLink::taken_by_peer(size_t bytes) {
  in_flight_ -= bytes;
  if (!blocked_on_write_) return;
  loop_.post(network_.path(*this).fastest_us, [network = &network_, id = id_] {
    if (SimLink* link = network->find(id)) link->writable();
  });
}

void SimLink::writable() {
  if (!blocked_on_write_ || closing_) return;
  blocked_on_write_ = false;
  flush();
}

void SimLink::begin_close(std::string reason) {
  if (closing_) return;
  closing_ = true;
  close_reason_ = std::move(reason);
  loop_.post(0, [network = &network_, id = id_] {
    if (SimLink* link = network->find(id)) link->finish_close();
  });
}

void SimLink::finish_close() {
  if (handler_ != nullptr) handler_->on_closed(close_reason_);
  loop_.links_.erase(id_);
}

}  // namespace tandem
