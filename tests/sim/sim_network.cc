#include "tests/sim/sim_network.h"

#include <unistd.h>

#include <algorithm>

#include "tests/sim/sim_link.h"

namespace tandem {

namespace {

constexpr int64_t kCloselyUs = 300;  // how far apart the events of a turn may be
constexpr int64_t kLateTimerUs = 2'000;

}  // namespace

// --- The network.

SimNetwork::Hosts SimNetwork::pair_of(const std::string& a, const std::string& b) {
  return {std::min(a, b), std::max(a, b)};
}

void SimNetwork::set_path(const std::string& a, const std::string& b, const SimPath& path) {
  paths_[pair_of(a, b)] = path;
}

const SimPath& SimNetwork::path(const SimLink& link) const {
  static const SimPath kDefault;
  const auto found = paths_.find(pair_of(link.loop_.host(), link.peer_host_));
  return found == paths_.end() ? kDefault : found->second;
}

SimLink* SimNetwork::find(uint64_t id) const {
  const auto found = links_.find(id);
  return found == links_.end() ? nullptr : found->second;
}

bool SimNetwork::peer_lives(uint64_t link_id) const { return links_.contains(link_id ^ 1); }

void SimNetwork::discard(uint64_t link_id) {
  SimLink* peer = find(link_id ^ 1);
  if (peer == nullptr) return;
  peer->reset_ = true;
  peer->received_.clear();
}

void SimNetwork::cut(const std::string& a, const std::string& b) {
  constexpr int64_t kSoonUs = 5'000;
  constexpr int64_t kLateUs = 1'500'000;
  for (const auto& [id, link] : links_) {
    if (pair_of(link->loop_.host(), link->peer_host_) != pair_of(a, b)) continue;
    const int64_t delay_us = world_.between(0, world_.one_in(4) ? kLateUs : kSoonUs);
    link->loop_.post(delay_us, [this, link_id = id, healed = healed_] {
      SimLink* cut_off = find(link_id);
      if (cut_off != nullptr && healed == healed_) cut_off->begin_close("Connection reset by peer");
    });
  }
}

void SimNetwork::stall(const std::string& a, const std::string& b, int64_t ms) {
  stalled_until_us_[pair_of(a, b)] = world_.now_us() + ms * 1000;
}

void SimNetwork::refuse(const std::string& host, bool refused) {
  if (refused) {
    refusing_.insert(host);
  } else {
    refusing_.erase(host);
  }
}

void SimNetwork::heal() {
  ++healed_;
  refusing_.clear();
  stalled_until_us_.clear();
}

// When what is sent now reaches the other end: behind everything that was sent before.
int64_t SimNetwork::arrival_us(const SimLink& sender, SimLink* receiver) {
  const SimPath& way = path(sender);
  int64_t at_us = world_.now_us() + world_.between(way.fastest_us, way.slowest_us);
  const auto stalled = stalled_until_us_.find(pair_of(sender.loop_.host(), sender.peer_host_));
  if (stalled != stalled_until_us_.end()) at_us = std::max(at_us, stalled->second);
  receiver->last_arrival_us_ = std::max(receiver->last_arrival_us_, at_us);
  return receiver->last_arrival_us_;
}

void SimNetwork::arrive(uint64_t id, std::string bytes) {
  SimLink* link = find(id);
  if (link == nullptr || link->closing_ || link->reset_) return;
  world_.trace(link->loop_.host(), "receives from " + link->peer_host_, id, bytes.size());
  link->received_.append(bytes);
  link->loop_.handle([this, id] {
    if (SimLink* reader = find(id)) reader->read();
  });
}

void SimNetwork::end_of_stream(uint64_t id, const char* reason) {
  SimLink* link = find(id);
  if (link == nullptr) return;
  link->loop_.handle([this, id, reason] {
    if (SimLink* ended = find(id)) ended->begin_close(reason);
  });
}

// The other end learns of it, behind what is on its way.
void SimNetwork::destroyed(SimLink* link) {
  links_.erase(link->id_);
  SimLink* peer = find(link->peer_id());
  if (peer == nullptr || peer->closing_) return;
  const char* reason = link->closing_ ? "connection closed by peer" : "Connection reset by peer";
  const int64_t delay_us = arrival_us(*link, peer) - world_.now_us() + link->loop_.silence_us_;
  world_.schedule(&peer->loop_, delay_us,
                  [this, id = peer->id_, reason] { end_of_stream(id, reason); });
}

// --- A host's loop.

SimLoop::SimLoop(SimNetwork* network, std::string host)
    : network_(*network), world_(network->world_), host_(std::move(host)) {}

SimLoop::~SimLoop() {
  halted_ = true;
  std::erase_if(network_.listeners_,
                [this](const auto& listener) { return listener.second.first == this; });
  world_.drop_events(this);
  links_.clear();
  for (const auto& [id, pipe] : pipes_) ::close(pipe.fd);
}

void SimLoop::listen(SimNetwork::Accepted accepted) {
  network_.listeners_[host_] = {this, std::move(accepted)};
}

SimWorld::EventId SimLoop::post(int64_t delay_us, std::function<void()> work) {
  return world_.schedule(this, delay_us,
                         [this, work = std::move(work)]() mutable { handle(std::move(work)); });
}

void SimLoop::handle(std::function<void()> work) {
  if (still_) {
    waiting_.push_back(std::move(work));
  } else {
    run(work);
  }
}

void SimLoop::stand_still(int64_t us) {
  if (still_) return;
  still_ = true;
  world_.schedule(this, us, [this] { go_on(); });
}

void SimLoop::go_on() {
  still_ = false;
  const std::vector<std::function<void()>> waiting = std::exchange(waiting_, {});
  for (const auto& work : waiting) run(work);
}

bool SimLoop::check_death() {
  if (halted_ || !died()) return halted_;
  halted_ = true;
  on_death();
  return true;
}

void SimLoop::run(const std::function<void()>& work) {
  if (halted_) return;
  work();
  if (check_death() || turn_open_) return;
  turn_open_ = true;
  world_.schedule(this, world_.between(0, kCloselyUs), [this] {
    if (still_) {
      waiting_.emplace_back([this] { finish_turn(); });
    } else {
      finish_turn();
    }
  });
}

void SimLoop::finish_turn() {
  turn_open_ = false;
  if (halted_) return;
  end_of_turn();
  if (check_death()) return;
  for (const auto& [id, link] : links_) {
    if (link->flush_wanted_) link->flush();
  }
}

void SimLoop::connect(const std::string& host, int, Connected connected) {
  constexpr int64_t kFastestUs = 100;
  constexpr int64_t kSlowestUs = 5'000;
  const int64_t delay_us = world_.between(kFastestUs, kSlowestUs);
  world_.schedule(this, delay_us, [this, host, connected = std::move(connected)]() mutable {
    reach(host, std::move(connected));
  });
}

void SimLoop::reach(const std::string& host, Connected connected) {
  constexpr int64_t kTryAgainUs = 5'000;
  const auto listener = network_.listeners_.find(host);
  if (listener == network_.listeners_.end() || network_.refusing_.contains(host)) {
    handle([host, connected = std::move(connected)] {
      connected(make_error(ErrorKind::kIo, "connecting to " + host + ": Connection refused"));
    });
  } else if (listener->second.first->still_) {
    world_.schedule(this, kTryAgainUs, [this, host, connected = std::move(connected)]() mutable {
      reach(host, std::move(connected));
    });
  } else {
    listener->second.first->accept_from(this, listener->second.second, std::move(connected));
  }
}

void SimLoop::accept_from(SimLoop* other, const SimNetwork::Accepted& accepted,
                          Connected connected) {
  const uint64_t far_id = 2 * network_.next_id_++;
  const std::string far_address = other->host_ + ":" + std::to_string(far_id);
  const std::string near_address = host_ + ":6379";
  auto near = std::make_unique<SimLink>(&network_, this, far_id ^ 1, other->host_, far_address,
                                        near_address);
  auto far = std::make_shared<std::unique_ptr<Link>>(
      std::make_unique<SimLink>(&network_, other, far_id, host_, near_address, far_address));
  SimLink* link = near.get();
  links_.emplace(link->id(), std::move(near));
  run([&] { link->start(accepted(link)); });
  other->post(network_.path(*link).fastest_us,
              [far, connected = std::move(connected)] { connected(std::move(*far)); });
}

void SimLoop::attach(std::unique_ptr<Link> link, LinkHandler* handler) {
  auto* attached = static_cast<SimLink*>(link.release());
  links_.emplace(attached->id(), attached);
  attached->start(handler);
}

TimerId SimLoop::after(uint64_t delay_ms, std::function<void()> tick) {
  const TimerId id = next_id_++;
  const int64_t late_us = world_.between(0, kLateTimerUs);
  timers_[id] =
      post(static_cast<int64_t>(delay_ms) * 1000 + late_us, [this, id, tick = std::move(tick)] {
        if (timers_.erase(id) > 0) tick();
      });
  return id;
}

void SimLoop::cancel(TimerId timer) {
  const auto found = timers_.find(timer);
  if (found == timers_.end()) return;
  world_.cancel(found->second);
  timers_.erase(found);
}

PipeId SimLoop::read_pipe(int fd, std::function<void(std::string_view)> data) {
  const PipeId id = next_id_++;
  pipes_.emplace(id, Pipe{fd, std::move(data)});
  schedule_pipe(id);
  return id;
}

void SimLoop::pause_pipe(PipeId id, bool paused) {
  const auto found = pipes_.find(id);
  if (found == pipes_.end()) return;
  found->second.paused = paused;
  if (!paused) schedule_pipe(id);
}

void SimLoop::schedule_pipe(PipeId id) {
  constexpr int64_t kLongestPauseUs = 20'000;
  Pipe& pipe = pipes_.at(id);
  if (pipe.scheduled || pipe.paused) return;
  pipe.scheduled = true;
  post(world_.between(0, kLongestPauseUs), [this, id] { read_some(id); });
}

void SimLoop::read_some(PipeId id) {
  constexpr int64_t kLargestPiece = 64 * 1024;
  const auto found = pipes_.find(id);
  if (found == pipes_.end()) return;
  found->second.scheduled = false;
  if (found->second.paused) return;
  std::string piece(static_cast<size_t>(world_.between(1, kLargestPiece)), '\0');
  const ssize_t received = ::read(found->second.fd, piece.data(), piece.size());
  if (received > 0) {
    piece.resize(static_cast<size_t>(received));
    found->second.data(piece);
    if (pipes_.contains(id)) schedule_pipe(id);
    return;
  }
  const auto ended = pipes_.extract(found);
  ::close(ended.mapped().fd);
  ended.mapped().data({});
}

}  // namespace tandem
