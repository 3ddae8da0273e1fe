#include "server/net/uv_loop.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "server/base/log.h"
#include "server/net/sockets.h"
#include "server/net/uv_link.h"

namespace tandem {

namespace {

// Connections taken from one listener in one turn, so that a flood of them does not starve the
// others.
constexpr int kAcceptsPerTurn = 100;
constexpr size_t kPipeRead = 64 * 1024;

template <typename Handle>
void close_and_delete(Handle* handle) {
  uv_close(reinterpret_cast<uv_handle_t*>(handle),
           [](uv_handle_t* closed) { delete reinterpret_cast<Handle*>(closed); });
}

}  // namespace

struct UvLoop::Listener {
  UvLoop* loop;
  int fd;
  bool unix_socket;
  Accepted accepted;
  uv_poll_t* poll = new uv_poll_t;

  ~Listener() {
    close_and_delete(poll);
    close(fd);
  }
};

struct UvLoop::Signal {
  std::function<void()> handler;
  uv_signal_t* handle = new uv_signal_t;

  ~Signal() { close_and_delete(handle); }
};

struct UvLoop::Timer {
  UvLoop* loop;
  TimerId id;
  std::function<void()> tick;
  uv_timer_t* handle = new uv_timer_t;

  ~Timer() { close_and_delete(handle); }
};

struct UvLoop::Pipe {
  UvLoop* loop;
  PipeId id;
  int fd;
  std::function<void(std::string_view)> data;
  uv_poll_t* poll = new uv_poll_t;

  ~Pipe() {
    close_and_delete(poll);
    close(fd);
  }
};

// A connection attempt: the name is resolved on a libuv thread, then the socket becomes writable.
struct UvLoop::Connecting {
  UvLoop* loop;
  Connected connected;
  std::string where;
  uv_getaddrinfo_t resolve;
  uv_poll_t* poll = nullptr;
  int fd = -1;
  std::shared_ptr<Connecting> self;  // alive until it ends
};

UvLoop::UvLoop() : shared_input_(std::make_unique<char[]>(kSharedInput)) {
  uv_loop_init(&loop_);
  uv_prepare_init(&loop_, &prepare_);
  prepare_.data = this;
  uv_prepare_start(&prepare_,
                   [](uv_prepare_t* handle) { static_cast<UvLoop*>(handle->data)->before_poll(); });
  uv_idle_init(&loop_, &idle_);
  uv_async_init(&loop_, &async_,
                [](uv_async_t* handle) { static_cast<UvLoop*>(handle->data)->run_posted(); });
  async_.data = this;
}

UvLoop::~UvLoop() {
  links_.clear();
  listeners_.clear();
  signals_.clear();
  timers_.clear();
  pipes_.clear();
  uv_close(reinterpret_cast<uv_handle_t*>(&prepare_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&idle_), nullptr);
  uv_close(reinterpret_cast<uv_handle_t*>(&async_), nullptr);
  uv_run(&loop_, UV_RUN_DEFAULT);
  uv_loop_close(&loop_);
}

void UvLoop::run() { uv_run(&loop_, UV_RUN_DEFAULT); }

void UvLoop::stop() { uv_stop(&loop_); }

void UvLoop::before_poll() {
  for (UvLink* link : std::exchange(to_redeliver_, {})) {
    if (links_.contains(link)) link->redeliver_pending();
  }
  if (before_flush_) before_flush_();
  flush_links();
  finish_closes();
  // What that has scheduled must not wait for the next event.
  const bool more = !to_flush_.empty() || !to_close_.empty() || !to_redeliver_.empty();
  if (more) {
    uv_idle_start(&idle_, [](uv_idle_t*) {});
  } else {
    uv_idle_stop(&idle_);
  }
}

void UvLoop::flush_links() {
  for (UvLink* link : std::exchange(to_flush_, {})) link->flush();
}

void UvLoop::finish_closes() {
  while (!to_close_.empty()) {
    for (UvLink* link : std::exchange(to_close_, {})) {
      // A request of this link is running right now (and lets others be served): its end must wait.
      if (link->in_delivery()) {
        to_close_.push_back(link);
        continue;
      }
      link->finish_close();
      std::erase(to_flush_, link);
      std::erase(to_redeliver_, link);
      links_.erase(link);
    }
    if (!to_close_.empty() && to_close_.front()->in_delivery()) return;
  }
}

void UvLoop::schedule_close(UvLink* link) { to_close_.push_back(link); }

void UvLoop::schedule_redelivery(UvLink* link) { to_redeliver_.push_back(link); }

void UvLoop::attach(std::unique_ptr<Link> link, LinkHandler* handler) {
  auto* raw = static_cast<UvLink*>(link.release());
  links_.emplace(raw, raw);
  raw->start(handler);
}

TimerId UvLoop::after(uint64_t delay_ms, std::function<void()> tick) {
  const TimerId id = next_timer_++;
  auto timer = std::make_unique<Timer>(this, id, std::move(tick));
  uv_timer_init(&loop_, timer->handle);
  timer->handle->data = timer.get();
  uv_update_time(&loop_);
  uv_timer_start(
      timer->handle,
      [](uv_timer_t* handle) {
        auto* fired = static_cast<Timer*>(handle->data);
        UvLoop* loop = fired->loop;
        const std::unique_ptr<Timer> owned = std::move(loop->timers_.extract(fired->id).mapped());
        owned->tick();
      },
      delay_ms, 0);
  timers_.emplace(id, std::move(timer));
  return id;
}

void UvLoop::cancel(TimerId timer) { timers_.erase(timer); }

PipeId UvLoop::read_pipe(int fd, std::function<void(std::string_view)> data) {
  const PipeId id = next_pipe_++;
  auto pipe = std::make_unique<Pipe>(this, id, fd, std::move(data));
  uv_poll_init(&loop_, pipe->poll, fd);
  pipe->poll->data = pipe.get();
  pipes_.emplace(id, std::move(pipe));
  pause_pipe(id, false);
  return id;
}

void UvLoop::pause_pipe(PipeId id, bool paused) {
  const auto found = pipes_.find(id);
  if (found == pipes_.end()) return;
  if (paused) {
    uv_poll_stop(found->second->poll);
    return;
  }
  uv_poll_start(found->second->poll, UV_READABLE, [](uv_poll_t* handle, int, int) {
    auto* source = static_cast<Pipe*>(handle->data);
    source->loop->read_from(*source);
  });
}

void UvLoop::read_from(Pipe& pipe) {
  char buffer[kPipeRead];
  const ssize_t received = read(pipe.fd, buffer, sizeof buffer);
  if (received < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (received > 0) {
    pipe.data({buffer, static_cast<size_t>(received)});
    return;
  }
  const std::unique_ptr<Pipe> owned = std::move(pipes_.extract(pipe.id).mapped());
  owned->data({});
}

void UvLoop::post(std::function<void()> work) {
  {
    const std::lock_guard lock(posted_mutex_);
    posted_.push_back(std::move(work));
  }
  uv_async_send(&async_);
}

void UvLoop::run_posted() {
  std::vector<std::function<void()>> work;
  {
    const std::lock_guard lock(posted_mutex_);
    work.swap(posted_);
  }
  for (const auto& job : work) job();
}

void UvLoop::on_signal(int number, std::function<void()> handler) {
  auto watched = std::make_unique<Signal>(std::move(handler));
  uv_signal_init(&loop_, watched->handle);
  watched->handle->data = watched.get();
  uv_signal_start(
      watched->handle,
      [](uv_signal_t* handle, int) { static_cast<Signal*>(handle->data)->handler(); }, number);
  signals_.push_back(std::move(watched));
}

Status UvLoop::listen_tcp(const std::string& address, int port, int backlog, Accepted accepted) {
  const Result<int> fd = bind_tcp(address, port);
  if (!fd.ok()) return fd.error();
  return add_listener(fd.value(), false, backlog, std::move(accepted));
}

Status UvLoop::listen_unix(const std::string& path, unsigned mode, int backlog, Accepted accepted) {
  const Result<int> fd = bind_unix(path, mode);
  if (!fd.ok()) return fd.error();
  return add_listener(fd.value(), true, backlog, std::move(accepted));
}

Status UvLoop::add_listener(int fd, bool unix_socket, int backlog, Accepted accepted) {
  if (listen(fd, backlog) != 0) {
    close(fd);
    return make_error(ErrorKind::kIo, std::string("listen: ") + std::strerror(errno));
  }
  auto listener = std::make_unique<Listener>(this, fd, unix_socket, std::move(accepted));
  uv_poll_init(&loop_, listener->poll, fd);
  listener->poll->data = listener.get();
  uv_poll_start(listener->poll, UV_READABLE, [](uv_poll_t* handle, int, int) {
    auto* ready = static_cast<Listener*>(handle->data);
    ready->loop->accept_from(*ready);
  });
  listeners_.push_back(std::move(listener));
  return {};
}

void UvLoop::close_listeners() { listeners_.clear(); }

void UvLoop::accept_from(Listener& listener) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    const int fd = accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        log_warning(std::string("Accepting client connection: ") + std::strerror(errno));
      }
      return;
    }
    if (!listener.unix_socket) tune_tcp(fd, tcp_keepalive_);
    auto link = std::make_unique<UvLink>(this, fd, listener.unix_socket, socket_peer_name(fd),
                                         socket_local_name(fd));
    UvLink* raw = link.get();
    LinkHandler* handler = listener.accepted(raw);
    links_.emplace(raw, std::move(link));
    raw->start(handler);
  }
}

void UvLoop::connect(const std::string& host, int port, Connected connected) {
  auto attempt = std::make_shared<Connecting>();
  attempt->loop = this;
  attempt->connected = std::move(connected);
  attempt->where = host + ":" + std::to_string(port);
  attempt->self = attempt;
  attempt->resolve.data = attempt.get();
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  const int code = uv_getaddrinfo(
      &loop_, &attempt->resolve,
      [](uv_getaddrinfo_t* request, int status, addrinfo* found) {
        const std::shared_ptr<Connecting> done = static_cast<Connecting*>(request->data)->self;
        if (status < 0) {
          done->loop->finish_connect(
              done,
              make_error(ErrorKind::kIo, "resolving " + done->where + ": " + uv_strerror(status)));
          return;
        }
        done->fd = socket(found->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        int failed = done->fd < 0 ? errno : 0;
        if (failed == 0 && ::connect(done->fd, found->ai_addr, found->ai_addrlen) != 0 &&
            errno != EINPROGRESS) {
          failed = errno;
        }
        uv_freeaddrinfo(found);
        if (failed != 0) {
          done->loop->finish_connect(
              done, make_error(ErrorKind::kIo,
                               "connecting to " + done->where + ": " + std::strerror(failed)));
          return;
        }
        done->loop->start_connect(done);
      },
      host.c_str(), std::to_string(port).c_str(), &hints);
  if (code == 0) return;
  after(0, [this, attempt, code] {
    finish_connect(attempt, make_error(ErrorKind::kIo,
                                       "resolving " + attempt->where + ": " + uv_strerror(code)));
  });
}

void UvLoop::start_connect(std::shared_ptr<Connecting> attempt) {
  attempt->poll = new uv_poll_t;
  uv_poll_init(&loop_, attempt->poll, attempt->fd);
  attempt->poll->data = attempt.get();
  uv_poll_start(attempt->poll, UV_WRITABLE, [](uv_poll_t* handle, int, int) {
    const std::shared_ptr<Connecting> ready = static_cast<Connecting*>(handle->data)->self;
    uv_poll_stop(ready->poll);
    close_and_delete(std::exchange(ready->poll, nullptr));
    int failed = 0;
    socklen_t length = sizeof failed;
    getsockopt(ready->fd, SOL_SOCKET, SO_ERROR, &failed, &length);
    if (failed != 0) {
      ready->loop->finish_connect(
          ready, make_error(ErrorKind::kIo,
                            "connecting to " + ready->where + ": " + std::strerror(failed)));
      return;
    }
    // The link polls the descriptor itself; the handle of the attempt lets go of it at the end of
    // this turn.
    ready->loop->after(0, [ready] {
      UvLoop* loop = ready->loop;
      tune_tcp(ready->fd, loop->tcp_keepalive_);
      auto link = std::make_unique<UvLink>(loop, ready->fd, false, socket_peer_name(ready->fd),
                                           socket_local_name(ready->fd));
      ready->fd = -1;
      loop->finish_connect(ready, Result<std::unique_ptr<Link>>(std::move(link)));
    });
  });
}

void UvLoop::finish_connect(const std::shared_ptr<Connecting>& attempt,
                            Result<std::unique_ptr<Link>> result) {
  if (attempt->fd >= 0) close(attempt->fd);
  attempt->fd = -1;
  attempt->self.reset();
  attempt->connected(std::move(result));
}

void UvLoop::serve_while_busy() {
  std::vector<pollfd> fds;
  for (const auto& listener : listeners_) fds.push_back({listener->fd, POLLIN, 0});
  std::vector<UvLink*> served;
  for (const auto& [link, owned] : links_) {
    fds.push_back({link->fd(), POLLIN, 0});
    served.push_back(link);
  }
  if (poll(fds.data(), fds.size(), 0) > 0) {
    const size_t listening = listeners_.size();
    for (size_t i = 0; i < fds.size(); ++i) {
      if (fds[i].revents == 0) continue;
      if (i < listening) {
        accept_from(*listeners_[i]);
      } else {
        served[i - listening]->serve_once();
      }
    }
  }
  flush_links();
  finish_closes();
}

}  // namespace tandem
