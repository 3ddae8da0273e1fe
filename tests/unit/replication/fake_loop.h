#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "replication/full_sync.h"
#include "server/base/clock.h"
#include "server/base/link.h"

namespace tandem {

class FakeLink;
class FakeLoop;

// A small world in one thread: simulated time, and a network between hosts that each run a
// FakeLoop. What happens, happens in one order, given by the times of events and the order in which
// they were scheduled. Links can be slow, stalled and cut.
class FakeWorld {
 public:
  using Accepted = std::function<LinkHandler*(Link*)>;

  ~FakeWorld();

  int64_t now_us() const { return now_us_; }
  // Runs everything due within this time.
  void run_for(int64_t ms);
  // Runs until the condition holds; false when it does not within `ms`.
  bool run_until(const std::function<bool()>& condition, int64_t ms = 60'000);

  // Every piece on its way between two hosts takes this long.
  void set_latency_ms(int64_t ms) { latency_us_ = ms * 1000; }
  // A link carries no more than this at a time.
  void set_window(size_t bytes) { window_ = bytes; }
  // Resets all links between two hosts, now; what was on its way is lost.
  void cut(const std::string& a, const std::string& b);
  // While parted, two hosts cannot connect, and what is sent arrives after they have joined again.
  void part(const std::string& a, const std::string& b, bool parted);

 private:
  friend class FakeLink;
  friend class FakeLoop;
  struct Event {
    FakeLoop* loop;  // whose turn it is; null: the network's
    std::function<void()> run;
  };
  using EventKey = std::pair<int64_t, uint64_t>;  // time, order

  EventKey schedule(FakeLoop* loop, int64_t delay_us, std::function<void()> run);
  bool step(int64_t until_us);
  void end_turn(FakeLoop* loop);
  bool parted(const std::string& a, const std::string& b) const;
  FakeLink* find(uint64_t id);
  void transmit(FakeLink* from);
  void arrive(uint64_t id);

  int64_t now_us_ = 1'700'000'000'000'000;
  int64_t latency_us_ = 100;
  size_t window_ = 64 * 1024;
  uint64_t next_ = 1;
  std::map<EventKey, Event> events_;
  std::map<std::string, std::pair<FakeLoop*, Accepted>> listeners_;  // by "host:port"
  std::map<uint64_t, std::unique_ptr<FakeLink>> links_;
  std::set<std::pair<std::string, std::string>> parted_;
};

class FakeClock final : public Clock {
 public:
  explicit FakeClock(const FakeWorld* world) : world_(*world) {}
  int64_t wall_us() override { return world_.now_us(); }
  int64_t monotonic_us() override { return world_.now_us() - 1'600'000'000'000'000; }

 private:
  const FakeWorld& world_;
};

// One host's loop. Destroying it is the end of the host: its links go away without a word to their
// handlers, and their other ends learn of it.
class FakeLoop final : public Loop {
 public:
  FakeLoop(FakeWorld* world, std::string host) : world_(*world), host_(std::move(host)) {}
  ~FakeLoop() override;

  const std::string& host() const { return host_; }
  FakeWorld& world() { return world_; }
  void listen(int port, FakeWorld::Accepted accepted) {
    world_.listeners_[host_ + ":" + std::to_string(port)] = {this, std::move(accepted)};
  }
  // Runs at the end of each turn of this host, before output is sent.
  std::function<void()> end_of_turn = [] {};

  void connect(const std::string& host, int port, Connected connected) override;
  void attach(std::unique_ptr<Link> link, LinkHandler* handler) override;
  TimerId after(uint64_t delay_ms, std::function<void()> tick) override;
  void cancel(TimerId timer) override;
  PipeId read_pipe(int fd, std::function<void(std::string_view)> data) override;
  void pause_pipe(PipeId pipe, bool paused) override;

 private:
  friend class FakeWorld;
  struct Pipe {
    int fd;
    std::function<void(std::string_view)> data;
    bool paused = false;
    bool scheduled = false;
  };
  void schedule_pipe(PipeId id);
  void read_some(PipeId id);

  FakeWorld& world_;
  std::string host_;
  std::map<TimerId, FakeWorld::EventKey> timers_;
  std::map<PipeId, Pipe> pipes_;
};

// One end of a connection.
class FakeLink final : public Link {
 public:
  FakeLink(FakeWorld* world, FakeLoop* loop, uint64_t id, std::string peer, std::string local)
      : world_(*world), loop_(loop), id_(id), peer_(std::move(peer)), local_(std::move(local)) {}

  OutputBuffer& output() override { return output_; }
  void schedule_flush() override {}  // output is looked at after every turn
  void pause_input(bool paused) override;
  void close_after_flush() override { close_after_flush_ = true; }
  void close_now() override { begin_close("closed by this server", 0); }
  std::string peer_address() const override { return peer_; }
  std::string local_address() const override { return local_; }
  bool peer_is_loopback() const override { return true; }
  bool is_unix() const override { return false; }
  int fd() const override { return -1; }
  size_t input_buffered() const override { return input_.size(); }
  size_t input_capacity() const override { return input_.capacity(); }

 private:
  friend class FakeWorld;
  friend class FakeLoop;
  void deliver();
  void begin_close(std::string reason, int64_t delay_us);

  FakeWorld& world_;
  FakeLoop* loop_;
  const uint64_t id_;
  uint64_t other_ = 0;  // the other end
  std::string other_host_;
  std::string peer_, local_;
  LinkHandler* handler_ = nullptr;
  OutputBuffer output_;
  std::deque<std::string> incoming_;  // on its way
  std::string input_;
  size_t in_flight_ = 0;
  bool paused_ = false;
  bool was_blocked_ = false;
  bool close_after_flush_ = false;
  bool closing_ = false;
};

// A pipe for a child that runs to its end before anything is read: a file in memory.
inline Result<TransferPipe> make_memory_pipe() {
  const int write_fd = memfd_create("transfer", MFD_CLOEXEC);
  const std::string path = "/proc/self/fd/" + std::to_string(write_fd);
  const int read_fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (write_fd < 0 || read_fd < 0) return make_error(ErrorKind::kIo, "memfd");
  return TransferPipe{read_fd, write_fd};
}

}  // namespace tandem
