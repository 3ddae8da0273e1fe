#pragma once

#include <cstdint>
#include <string>

#include "server/base/link.h"
#include "server/base/output_buffer.h"
#include "tests/sim/sim_network.h"

namespace tandem {

// One end of a connection. Does what a socket on the real loop does, in the same order.
class SimLink final : public Link {
 public:
  SimLink(SimNetwork* network, SimLoop* loop, uint64_t id, std::string peer_host, std::string peer,
          std::string local);
  ~SimLink() override;

  OutputBuffer& output() override { return output_; }
  void schedule_flush() override { flush_wanted_ = true; }
  void pause_input(bool paused) override;
  void close_after_flush() override;
  void close_now() override { begin_close("closed by this server"); }
  std::string peer_address() const override { return peer_; }
  std::string local_address() const override { return local_; }
  bool peer_is_loopback() const override { return true; }
  bool is_unix() const override { return false; }
  int fd() const override { return -1; }
  size_t input_buffered() const override { return input_.size(); }
  size_t input_capacity() const override { return input_.capacity(); }

  uint64_t id() const { return id_; }

 private:
  friend class SimNetwork;
  friend class SimLoop;

  uint64_t peer_id() const { return id_ ^ 1; }
  void start(LinkHandler* handler);
  void read();
  void flush();
  void writable();
  void taken_by_peer(size_t bytes);
  void begin_close(std::string reason);
  void finish_close();

  SimNetwork& network_;
  SimLoop& loop_;
  const uint64_t id_;
  const std::string peer_host_, peer_, local_;
  LinkHandler* handler_ = nullptr;
  OutputBuffer output_;
  std::string received_;  // arrived, but not read yet
  std::string input_;     // read, but not consumed by the handler yet
  size_t in_flight_ = 0;  // sent, but not read by the other end yet
  int64_t last_arrival_us_ = 0;
  bool flush_wanted_ = false;
  bool paused_ = false;
  bool blocked_on_write_ = false;
  bool owes_drained_ = false;
  bool close_after_flush_ = false;
  bool closing_ = false;
  bool reset_ = false;  // by the other end: nothing arrives any more
  std::string close_reason_;
};

}  // namespace tandem
