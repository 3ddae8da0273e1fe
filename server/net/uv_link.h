#pragma once

#include <uv.h>

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "server/base/link.h"

namespace tandem {

class UvLoop;

// A connected socket on the loop. Readiness comes from libuv; bytes move by recv() and send()
// straight between the socket and the buffers, because uv_stream would want output that does not
// move until it is written.
class UvLink final : public Link {
 public:
  // Takes the descriptor over: connected, non-blocking.
  UvLink(UvLoop* loop, int fd, bool unix_socket, std::string peer, std::string local);
  ~UvLink() override;

  // Begins to read, delivering to `handler`.
  void start(LinkHandler* handler);

  OutputBuffer& output() override { return output_; }
  void schedule_flush() override;
  void pause_input(bool paused) override;
  void close_after_flush() override;
  void close_now() override;
  std::string peer_address() const override { return peer_; }
  std::string local_address() const override { return local_; }
  bool peer_is_loopback() const override;
  bool is_unix() const override { return unix_; }
  int fd() const override { return fd_; }
  size_t input_buffered() const override { return input_end_ - input_begin_; }
  size_t input_capacity() const override { return input_capacity_; }

  // For the loop: the socket is readable or writable; it is broken; output is to be sent; the end
  // has come.
  void on_ready(int events);
  void on_broken();
  void flush();
  void finish_close();
  // While a function runs too long: writes, and reads once unless this link's own request is what
  // runs.
  void serve_once();
  void redeliver_pending();
  bool in_delivery() const { return in_delivery_; }
  bool blocked_on_write() const { return blocked_on_write_; }

 private:
  void write_on();
  bool read_once(char* shared, size_t shared_size);
  void deliver(std::string_view input, bool shared);
  void keep(std::string_view rest);
  bool reading() const;
  char* own_room(size_t* room, size_t needed = 0);
  size_t sendable() const;
  void send_output();
  void count_resizing();
  void discard_received();
  void give_back_input();
  void begin_close(std::string reason);
  int wanted_events() const;
  void update_events();
  void poll_for(int events);

  UvLoop* loop_;
  LinkHandler* handler_ = nullptr;
  uv_poll_t* poll_;  // freed by its close callback
  int fd_;
  int events_ = 0;  // that are polled for
  bool unix_;
  bool in_delivery_ = false;
  bool flush_scheduled_ = false;
  bool redelivery_scheduled_ = false;
  bool withheld_ = false;  // the handler keeps back what is left of the output
  bool paused_ = false;
  bool blocked_on_write_ = false;
  bool owes_drained_ = false;  // was blocked, and has not drained since
  bool close_after_flush_ = false;
  bool closing_ = false;
  std::string close_reason_;
  std::string peer_, local_;
  OutputBuffer output_;
  size_t output_capacity_ = 0;  // when it was looked at last
  // What was received and not consumed, when it outlives the read.
  char* input_ = nullptr;
  size_t input_begin_ = 0, input_end_ = 0, input_capacity_ = 0;
};

}  // namespace tandem
