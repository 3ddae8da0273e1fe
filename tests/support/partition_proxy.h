#pragma once

#include <chrono>
#include <cstdint>
#include <list>
#include <mutex>
#include <string>
#include <thread>

namespace tandem {

// A network between a server and those that connect to it through this proxy's port of 127.0.0.1:
// it can be slow, silent, or break in the middle of anything. A thread of its own serves it.
class PartitionProxy {
 public:
  enum class Direction : uint8_t { kUp, kDown };  // to the server, from the server

  explicit PartitionProxy(int server_port);
  ~PartitionProxy();
  PartitionProxy(const PartitionProxy&) = delete;
  PartitionProxy& operator=(const PartitionProxy&) = delete;

  int port() const { return port_; }

  // Breaks all links.
  void cut();
  // Breaks all links once this many more bytes, one or more, have passed in that direction; once.
  void cut_after(Direction direction, uint64_t bytes);
  // The same, and from then on hold(true): those who come again get nowhere.
  void cut_and_hold_after(Direction direction, uint64_t bytes);
  // Whether the last of these cuts is still to come.
  bool cut_is_due() const;
  // Nothing passes any more, and nothing ends; what waits passes afterwards.
  void hold(bool held);
  // What comes from the server passes in pieces of so many bytes, one a millisecond; 0: at once.
  void slow_down(uint64_t bytes_per_ms);

  // Bytes that have passed since the start.
  uint64_t passed(Direction direction) const;
  int links() const;

 private:
  // One direction of a link.
  struct Pipe {
    int from = -1;
    int to = -1;
    std::string pending;
    bool ended = false;
  };
  struct Link {
    Pipe up;
    Pipe down;
    bool broken = false;
  };

  void run();
  // Awaits that something can be done, and does it.
  void step();
  void accept_link();
  void read_more(Pipe* pipe);
  void pass_on(Link* link, Direction direction);
  uint64_t allowance(Direction direction, size_t pending) const;
  void forget_broken();
  void wake();

  int server_port_;
  int port_ = 0;
  int listener_ = -1;
  int wake_ = -1;
  mutable std::mutex mutex_;
  // Guarded by the mutex.
  std::list<Link> links_;
  bool stopping_ = false;
  bool held_ = false;
  bool hold_after_cut_ = false;
  uint64_t bytes_per_ms_ = 0;
  uint64_t slow_allowance_ = 0;
  std::chrono::steady_clock::time_point refilled_;
  uint64_t passed_[2] = {0, 0};
  uint64_t cut_at_[2] = {0, 0};  // 0: nowhere
  std::thread thread_;
};

}  // namespace tandem
