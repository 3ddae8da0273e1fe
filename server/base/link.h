#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "server/base/output_buffer.h"
#include "server/base/result.h"

namespace tandem {

// The two ends of a byte-stream connection, so that clients, replicas and primaries do not know
// libuv: the real one is a TCP or unix socket on the loop, the simulated one a queue with faults.

// What a connection's owner does with what arrives. All calls come on the loop thread and never
// from inside a call the owner makes on the link.
class LinkHandler {
 public:
  virtual ~LinkHandler() = default;
  // `input` is everything received and not consumed yet; the views stay valid during the call.
  // Returns how many bytes from its front are done with; the rest is shown again, in front of what
  // comes next.
  virtual size_t on_input(std::string_view input) = 0;
  // How many bytes the handler needs in front of it before another on_input() can get further (for
  // a bulk whose length is known); lets the link size its buffer once. 0: unknown.
  virtual size_t input_wanted() const { return 0; }
  // How many of the output's own bytes may go out now; the others stay, and whoever lets them go
  // later schedules a flush. Asked before each piece that is sent.
  virtual size_t sendable_output() { return OutputBuffer::kAll; }
  // The output has drained completely after having been blocked.
  virtual void on_drained() {}
  // The connection is gone (end of stream, error, or close()); the last call. The link is destroyed
  // after it returns.
  virtual void on_closed(std::string_view reason) = 0;
};

class Link {
 public:
  virtual ~Link() = default;
  // Bytes appended here go out at the end of the loop turn.
  virtual OutputBuffer& output() = 0;
  // Output was appended from outside on_input(): makes sure that it is sent.
  virtual void schedule_flush() = 0;
  // While paused nothing is read and on_input() is not called; resuming shows pending input again
  // on the next turn.
  virtual void pause_input(bool paused) = 0;
  // Closes after the output is sent. on_closed() follows later, never from inside this call.
  virtual void close_after_flush() = 0;
  // Closes without sending what is left; on_closed() follows later.
  virtual void close_now() = 0;

  virtual std::string peer_address() const = 0;  // "127.0.0.1:52114", "/path:0" for a unix socket
  virtual std::string local_address() const = 0;
  virtual bool peer_is_loopback() const = 0;  // loopback or unix socket (protected-mode)
  virtual bool is_unix() const = 0;
  virtual int fd() const = 0;                 // for CLIENT LIST; -1 when simulated
  virtual size_t input_buffered() const = 0;  // bytes received and not consumed
  virtual size_t input_capacity() const = 0;
};

using TimerId = uint64_t;
using PipeId = uint64_t;

// The loop as the engines see it.
class Loop {
 public:
  virtual ~Loop() = default;
  // Starts a connection attempt. `connected` gets the link, or an error (kNotFound when the host
  // has no address), on a later turn; it then sets the handler.
  using Connected = std::function<void(Result<std::unique_ptr<Link>>)>;
  virtual void connect(const std::string& host, int port, Connected connected) = 0;
  // Takes over a link from connect() and delivers its events to `handler`, which outlives
  // on_closed().
  virtual void attach(std::unique_ptr<Link> link, LinkHandler* handler) = 0;
  // Calls `tick` once after `delay_ms`; 0 means on the next turn.
  virtual TimerId after(uint64_t delay_ms, std::function<void()> tick) = 0;
  virtual void cancel(TimerId timer) = 0;
  // Delivers what a child process writes to `fd` (a pipe) until it ends: `data` with each piece,
  // then with an empty one at the end of the stream. The loop closes the fd.
  virtual PipeId read_pipe(int fd, std::function<void(std::string_view)> data) = 0;
  // While paused nothing is read from the pipe, so that its writer has to wait. A pipe that has
  // ended is left alone.
  virtual void pause_pipe(PipeId pipe, bool paused) = 0;
};

}  // namespace tandem
