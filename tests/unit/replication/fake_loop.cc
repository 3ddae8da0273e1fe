#include "tests/unit/replication/fake_loop.h"

#include <algorithm>

namespace tandem {

FakeWorld::~FakeWorld() = default;

FakeWorld::EventKey FakeWorld::schedule(FakeLoop* loop, int64_t delay_us,
                                        std::function<void()> run) {
  const EventKey key{now_us_ + delay_us, next_++};
  events_.emplace(key, Event{loop, std::move(run)});
  return key;
}

bool FakeWorld::step(int64_t until_us) {
  if (events_.empty() || events_.begin()->first.first > until_us) return false;
  auto node = events_.extract(events_.begin());
  now_us_ = std::max(now_us_, node.key().first);
  node.mapped().run();
  end_turn(node.mapped().loop);
  return true;
}

void FakeWorld::end_turn(FakeLoop* loop) {
  if (loop != nullptr) loop->end_of_turn();
  std::vector<uint64_t> ids;
  for (const auto& [id, link] : links_) ids.push_back(id);
  for (const uint64_t id : ids) {
    if (FakeLink* link = find(id)) transmit(link);
  }
}

void FakeWorld::run_for(int64_t ms) {
  const int64_t until_us = now_us_ + ms * 1000;
  end_turn(nullptr);
  while (step(until_us)) {
  }
  now_us_ = until_us;
}

bool FakeWorld::run_until(const std::function<bool()>& condition, int64_t ms) {
  const int64_t until_us = now_us_ + ms * 1000;
  end_turn(nullptr);
  while (!condition()) {
    if (!step(until_us)) return false;
  }
  return true;
}

FakeLink* FakeWorld::find(uint64_t id) {
  const auto found = links_.find(id);
  return found == links_.end() ? nullptr : found->second.get();
}

bool FakeWorld::parted(const std::string& a, const std::string& b) const {
  return parted_.contains({std::min(a, b), std::max(a, b)});
}

void FakeWorld::part(const std::string& a, const std::string& b, bool on) {
  const auto pair = std::make_pair(std::min(a, b), std::max(a, b));
  if (on) {
    parted_.insert(pair);
  } else {
    parted_.erase(pair);
  }
}

void FakeWorld::cut(const std::string& a, const std::string& b) {
  for (const auto& [id, link] : links_) {
    const std::string& from = link->loop_->host();
    const std::string& to = link->other_host_;
    if ((from == a && to == b) || (from == b && to == a)) {
      link->begin_close("Connection reset by peer", 0);
    }
  }
}

// Sends what the link may send now.
void FakeWorld::transmit(FakeLink* from) {
  if (from->closing_ || from->handler_ == nullptr) return;
  FakeLink* to = find(from->other_);
  while (!from->output_.empty() && from->in_flight_ < window_) {
    const std::string_view pending = from->output_.view(from->handler_->sendable_output());
    if (pending.empty()) return;
    const size_t length = std::min(pending.size(), window_ - from->in_flight_);
    std::string bytes(pending.substr(0, length));
    from->output_.consume(length);
    from->in_flight_ += length;
    if (to == nullptr) continue;
    to->incoming_.push_back(std::move(bytes));
    schedule(to->loop_, latency_us_, [this, id = to->id_] { arrive(id); });
  }
  if (!from->output_.empty()) {
    from->was_blocked_ = true;
  } else if (from->was_blocked_) {
    from->was_blocked_ = false;
    from->handler_->on_drained();
  }
  if (from->close_after_flush_ && from->output_.empty()) {
    from->begin_close("closed by this server", 0);
  }
}

// The piece that was sent first reaches the link.
void FakeWorld::arrive(uint64_t id) {
  constexpr int64_t kResendUs = 10'000;
  FakeLink* receiver = find(id);
  if (receiver == nullptr || receiver->closing_) return;
  FakeLink* sender = find(receiver->other_);
  if (parted(receiver->loop_->host(), receiver->other_host_)) {
    schedule(receiver->loop_, kResendUs, [this, id] { arrive(id); });
    return;
  }
  const std::string bytes = std::move(receiver->incoming_.front());
  receiver->incoming_.pop_front();
  if (sender != nullptr) sender->in_flight_ -= bytes.size();
  receiver->input_.append(bytes);
  receiver->deliver();
}

FakeLoop::~FakeLoop() {
  for (const auto& [timer, key] : timers_) world_.events_.erase(key);
  for (const auto& [id, pipe] : pipes_) close(pipe.fd);
  std::erase_if(world_.listeners_,
                [this](const auto& listener) { return listener.second.first == this; });
  std::erase_if(world_.events_, [this](const auto& event) { return event.second.loop == this; });
  std::vector<uint64_t> mine;
  for (const auto& [id, link] : world_.links_) {
    if (link->loop_ == this) mine.push_back(id);
  }
  for (const uint64_t id : mine) {
    const uint64_t other = world_.find(id)->other_;
    world_.links_.erase(id);
    if (FakeLink* peer = world_.find(other)) {
      peer->begin_close("Connection reset by peer", world_.latency_us_);
    }
  }
}

void FakeLoop::connect(const std::string& host, int port, Connected connected) {
  const std::string where = host + ":" + std::to_string(port);
  world_.schedule(this, world_.latency_us_, [this, host, where, connected = std::move(connected)] {
    const auto listener = world_.listeners_.find(where);
    if (listener == world_.listeners_.end() || world_.parted(host_, host)) {
      connected(make_error(ErrorKind::kIo, "connecting to " + where + ": Connection refused"));
      return;
    }
    const uint64_t mine = world_.next_++;
    const uint64_t theirs = world_.next_++;
    const std::string local = host_ + ":" + std::to_string(40'000 + mine % 20'000);
    auto far = std::make_unique<FakeLink>(&world_, listener->second.first, theirs, local, where);
    auto near = std::make_unique<FakeLink>(&world_, this, mine, where, local);
    far->other_ = mine;
    far->other_host_ = host_;
    near->other_ = theirs;
    near->other_host_ = host;
    FakeLink* accepted = far.get();
    world_.links_.emplace(theirs, std::move(far));
    accepted->handler_ = listener->second.second(accepted);
    connected(Result<std::unique_ptr<Link>>(std::move(near)));
  });
}

void FakeLoop::attach(std::unique_ptr<Link> link, LinkHandler* handler) {
  auto* raw = static_cast<FakeLink*>(link.release());
  raw->handler_ = handler;
  world_.links_.emplace(raw->id_, raw);
}

TimerId FakeLoop::after(uint64_t delay_ms, std::function<void()> tick) {
  const TimerId id = world_.next_++;
  timers_[id] = world_.schedule(this, static_cast<int64_t>(delay_ms) * 1000,
                                [this, id, tick = std::move(tick)] {
                                  timers_.erase(id);
                                  tick();
                                });
  return id;
}

void FakeLoop::cancel(TimerId timer) {
  const auto found = timers_.find(timer);
  if (found == timers_.end()) return;
  world_.events_.erase(found->second);
  timers_.erase(found);
}

PipeId FakeLoop::read_pipe(int fd, std::function<void(std::string_view)> data) {
  const PipeId id = world_.next_++;
  pipes_.emplace(id, Pipe{fd, std::move(data)});
  schedule_pipe(id);
  return id;
}

void FakeLoop::pause_pipe(PipeId id, bool paused) {
  const auto found = pipes_.find(id);
  if (found == pipes_.end()) return;
  found->second.paused = paused;
  if (!paused) schedule_pipe(id);
}

void FakeLoop::schedule_pipe(PipeId id) {
  Pipe& pipe = pipes_.at(id);
  if (pipe.scheduled || pipe.paused) return;
  pipe.scheduled = true;
  world_.schedule(this, 10, [this, id] { read_some(id); });
}

void FakeLoop::read_some(PipeId id) {
  const auto found = pipes_.find(id);
  if (found == pipes_.end()) return;
  found->second.scheduled = false;
  if (found->second.paused) return;
  char buffer[64 * 1024];
  const ssize_t received = read(found->second.fd, buffer, sizeof buffer);
  if (received > 0) {
    found->second.data({buffer, static_cast<size_t>(received)});
    schedule_pipe(id);
    return;
  }
  const auto ended = pipes_.extract(found);
  close(ended.mapped().fd);
  ended.mapped().data({});
}

void FakeLink::pause_input(bool paused) {
  paused_ = paused;
  if (paused || input_.empty()) return;
  world_.schedule(loop_, 0, [world = &world_, id = id_] {
    if (FakeLink* link = world->find(id)) link->deliver();
  });
}

void FakeLink::deliver() {
  if (paused_ || closing_ || close_after_flush_ || handler_ == nullptr) return;
  // The handler may close the link, and what it is shown must not move.
  std::string shown = std::move(input_);
  input_.clear();
  const size_t taken = handler_->on_input(shown);
  input_.insert(0, shown, taken, std::string::npos);
}

void FakeLink::begin_close(std::string reason, int64_t delay_us) {
  if (closing_) return;
  closing_ = true;
  world_.schedule(loop_, delay_us, [world = &world_, id = id_, reason = std::move(reason)] {
    FakeLink* link = world->find(id);
    // Behind what is on its way; across a parted network nobody learns of it.
    FakeLink* other = world->find(link->other_);
    if (other != nullptr && !world->parted(link->loop_->host(), link->other_host_)) {
      world->schedule(other->loop_, world->latency_us_, [world, other_id = other->id_] {
        if (FakeLink* peer = world->find(other_id)) {
          peer->begin_close("connection closed by peer", 0);
        }
      });
    }
    LinkHandler* handler = link->handler_;
    if (handler != nullptr) handler->on_closed(reason);
    world->links_.erase(id);
  });
}

}  // namespace tandem
