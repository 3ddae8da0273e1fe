#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "server/base/link.h"
#include "server/base/output_buffer.h"
#include "tests/sim/sim_world.h"

namespace tandem {

class SimLink;
class SimLoop;

// How bytes travel between two hosts.
struct SimPath {
  int64_t fastest_us = 50;
  int64_t slowest_us = 500;
  size_t largest_piece = 64 * 1024;  // bytes that arrive together
  size_t window = 256 * 1024;        // bytes that are on their way at most
};

// The network between the hosts of a world. A connection delivers in order or breaks; where it
// breaks, and how the bytes are cut into pieces, is up to chance.
class SimNetwork {
 public:
  using Accepted = std::function<LinkHandler*(Link*)>;

  explicit SimNetwork(SimWorld* world) : world_(*world) {}

  void set_path(const std::string& a, const std::string& b, const SimPath& path);
  // Breaks every connection between two hosts; each side learns of it at a time of its own.
  void cut(const std::string& a, const std::string& b);
  // Nothing arrives before this time is over.
  void stall(const std::string& a, const std::string& b, int64_t ms);
  // Connection attempts are refused while it lasts.
  void refuse(const std::string& host, bool refused);
  void heal();

  // Whether the other end of a connection still exists, so that what was sent may yet be read.
  bool peer_lives(uint64_t link_id) const;
  // What was sent and not read yet never will be, as after a reset of the connection.
  void discard(uint64_t link_id);

 private:
  friend class SimLink;
  friend class SimLoop;
  using Hosts = std::pair<std::string, std::string>;

  static Hosts pair_of(const std::string& a, const std::string& b);
  const SimPath& path(const SimLink& link) const;
  int64_t arrival_us(const SimLink& sender, SimLink* receiver);
  SimLink* find(uint64_t id) const;
  void arrive(uint64_t id, std::string bytes);
  void end_of_stream(uint64_t id, const char* reason);
  void destroyed(SimLink* link);

  SimWorld& world_;
  uint64_t next_id_ = 1;
  std::map<std::string, std::pair<SimLoop*, Accepted>> listeners_;  // by host
  std::map<uint64_t, SimLink*> links_;
  std::map<Hosts, SimPath> paths_;
  std::map<Hosts, int64_t> stalled_until_us_;
  uint64_t healed_ = 0;  // times; a cut that has not happened before does not happen any more
  std::set<std::string> refusing_;
};

// One host's loop. Events of a turn follow each other closely; then comes the end of the turn, and
// output is sent. Destroying it is the end of its process: its links are gone without a word to
// their handlers.
class SimLoop final : public Loop {
 public:
  SimLoop(SimNetwork* network, std::string host);
  ~SimLoop() override;

  const std::string& host() const { return host_; }
  void listen(SimNetwork::Accepted accepted);
  // Runs at the end of each turn, before output is sent.
  std::function<void()> end_of_turn = [] {};
  // Asked after everything that has run: when the process has died of it, nothing goes on here.
  std::function<bool()> died = [] { return false; };
  std::function<void()> on_death = [] {};

  // Runs `work` as part of a turn, after a time.
  SimWorld::EventId post(int64_t delay_us, std::function<void()> work);
  // Runs it as part of a turn: now, or when the loop goes on.
  void handle(std::function<void()> work);
  // Runs it now, whatever the loop does.
  void run(const std::function<void()>& work);
  // The process stands still, as in a long command or stopped by a signal. What comes meanwhile
  // waits; its background thread and its children go on.
  void stand_still(int64_t us);

  void connect(const std::string& host, int port, Connected connected) override;
  void attach(std::unique_ptr<Link> link, LinkHandler* handler) override;
  TimerId after(uint64_t delay_ms, std::function<void()> tick) override;
  void cancel(TimerId timer) override;
  PipeId read_pipe(int fd, std::function<void(std::string_view)> data) override;
  void pause_pipe(PipeId pipe, bool paused) override;

  // How the process's links end for the others when it dies: after how long, 0: at once.
  void set_silence_us(int64_t silence_us) { silence_us_ = silence_us; }

 private:
  friend class SimLink;
  friend class SimNetwork;
  struct Pipe {
    int fd;
    std::function<void(std::string_view)> data;
    bool paused = false;
    bool scheduled = false;
  };

  bool check_death();
  void go_on();
  void finish_turn();
  void reach(const std::string& host, Connected connected);
  void accept_from(SimLoop* other, const SimNetwork::Accepted& accepted, Connected connected);
  void schedule_pipe(PipeId id);
  void read_some(PipeId id);

  SimNetwork& network_;
  SimWorld& world_;
  const std::string host_;
  bool turn_open_ = false;
  bool halted_ = false;
  bool still_ = false;
  std::vector<std::function<void()>> waiting_;  // for the loop to go on
  int64_t silence_us_ = 0;
  std::map<uint64_t, std::unique_ptr<SimLink>> links_;
  std::map<TimerId, SimWorld::EventId> timers_;
  std::map<PipeId, Pipe> pipes_;
  uint64_t next_id_ = 1;
};

}  // namespace tandem
