#pragma once

#include <uv.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "server/base/link.h"
#include "server/base/link_counts.h"
#include "server/base/result.h"

namespace tandem {

class UvLink;

// The libuv loop: sockets, timers, pipes, and what other threads post. Everything but post()
// belongs to the thread that calls run().
class UvLoop final : public Loop {
 public:
  static constexpr size_t kSharedInput = 64 * 1024;

  UvLoop();
  ~UvLoop() override;

  // Runs until stop().
  void run();
  // One turn, without waiting, and what it made is sent. Not from inside a turn.
  void run_once();
  void stop();

  void connect(const std::string& host, int port, Connected connected) override;
  void attach(std::unique_ptr<Link> link, LinkHandler* handler) override;
  TimerId after(uint64_t delay_ms, std::function<void()> tick) override;
  void cancel(TimerId timer) override;
  PipeId read_pipe(int fd, std::function<void(std::string_view)> data) override;
  void pause_pipe(PipeId pipe, bool paused) override;

  // Runs `work` on the loop's next turn; any thread may call it.
  void post(std::function<void()> work);

  // What its links have done so far; lives as long as the loop.
  const LinkCounts& link_counts() const { return link_counts_; }

  // Calls `handler` on the loop when the process receives the signal.
  void on_signal(int number, std::function<void()> handler);

  // Opens a listening socket. Each accepted connection is shown to `accepted`, which returns the
  // link's handler, or null when it has refused the link (and asked it to close).
  using Accepted = std::function<LinkHandler*(Link*)>;
  Status listen_tcp(const std::string& address, int port, int backlog, Accepted accepted);
  Status listen_unix(const std::string& path, unsigned mode, int backlog, Accepted accepted);
  void close_tcp_listeners();
  void close_listeners();
  // Seconds between TCP keep-alive probes on accepted connections; 0: none.
  void set_tcp_keepalive(int seconds) { tcp_keepalive_ = seconds; }

  // Called once a turn, before replies are sent: what must be written first goes to disk here.
  void set_before_flush(std::function<void()> hook) { before_flush_ = std::move(hook); }
  // Reads, executes and answers what other clients have sent, without waiting. For use from inside
  // a request that runs for long: libuv cannot be entered again, so readiness is polled directly.
  void serve_while_busy();

  // For links.
  uv_loop_t* uv() { return &loop_; }
  char* shared_input() { return shared_input_.get(); }
  LinkCounts& mutable_link_counts() { return link_counts_; }
  void schedule_flush(UvLink* link) { to_flush_.push_back(link); }
  void schedule_close(UvLink* link);
  void schedule_redelivery(UvLink* link);

 private:
  struct Listener;
  struct Signal;
  struct Timer;
  struct Pipe;
  struct Connecting;

  void before_poll();
  void run_next_turn();
  void run_posted();
  void flush_links();
  void finish_closes();
  void accept_from(Listener& listener);
  void read_from(Pipe& pipe);
  Status add_listener(int fd, bool unix_socket, int backlog, Accepted accepted);
  void listen_on(Listener& listener);
  void rest_from_accepting(Listener& listener, int reason);
  void resolved(Connecting* attempt, int status);
  void try_next_address(Connecting* attempt);
  void connect_ended(Connecting* attempt);
  void finish_connect(Connecting* attempt, Result<std::unique_ptr<Link>> result);

  uv_loop_t loop_;
  uv_prepare_t prepare_;
  // Runs while something is scheduled for the next turn, so that the loop does not wait.
  uv_idle_t idle_;
  uv_async_t async_;
  std::unique_ptr<char[]> shared_input_;
  std::unordered_map<UvLink*, std::unique_ptr<UvLink>> links_;
  std::vector<UvLink*> to_flush_, to_close_, to_redeliver_;
  std::vector<UvLink*> flushing_;  // keeps its memory from turn to turn
  std::vector<TimerId> next_turn_;
  std::unordered_map<Connecting*, std::unique_ptr<Connecting>> connecting_;
  std::vector<std::unique_ptr<Listener>> listeners_;
  std::vector<std::unique_ptr<Signal>> signals_;
  std::unordered_map<TimerId, std::unique_ptr<Timer>> timers_;
  std::unordered_map<PipeId, std::unique_ptr<Pipe>> pipes_;
  TimerId next_timer_ = 1;
  PipeId next_pipe_ = 1;
  bool serving_while_busy_ = false;
  bool ending_ = false;
  int tcp_keepalive_ = 300;
  LinkCounts link_counts_;
  std::function<void()> before_flush_;
  std::mutex posted_mutex_;
  std::vector<std::function<void()>> posted_;
};

}  // namespace tandem
