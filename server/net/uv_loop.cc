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
// After the system had no descriptor or memory for a connection.
constexpr uint64_t kAcceptRest_ms = 100;

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
  TimerId retry = 0;
  bool starved = false;  // the last attempt failed for want of descriptors or memory

  ~Listener() {
    loop->cancel(retry);
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
  uv_timer_t* handle = nullptr;  // none for the next turn

  ~Timer() {
    if (handle != nullptr) close_and_delete(handle);
  }
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

// A connection attempt: the name is resolved on a libuv thread, then its addresses are tried one
// after the other until a socket becomes writable.
struct UvLoop::Connecting {
  UvLoop* loop;
  Connected connected;
  std::string where;
  uv_getaddrinfo_t resolve{};
  bool resolving = false;  // the request is libuv's
  addrinfo* addresses = nullptr;
  const addrinfo* next = nullptr;
  uv_poll_t* poll = nullptr;
  int fd = -1;
  std::string failure = "no address";

  ~Connecting() {
    drop_socket();
    if (addresses != nullptr) uv_freeaddrinfo(addresses);
  }
  void stop_polling() {
    if (poll != nullptr) close_and_delete(std::exchange(poll, nullptr));
  }
  void drop_socket() {
    stop_polling();
    if (fd >= 0) close(std::exchange(fd, -1));
  }
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
  ending_ = true;
  // libuv still holds the attempts that are being resolved; they end below, and tell nobody.
  std::erase_if(connecting_, [](const auto& attempt) { return !attempt.second->resolving; });
  for (const auto& [attempt, owned] : connecting_) {
    uv_cancel(reinterpret_cast<uv_req_t*>(&attempt->resolve));
  }
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

void UvLoop::run_once() {
  uv_run(&loop_, UV_RUN_NOWAIT);
  before_poll();
}

void UvLoop::stop() { uv_stop(&loop_); }

void UvLoop::before_poll() {
  run_next_turn();
  for (UvLink* link : std::exchange(to_redeliver_, {})) {
    if (links_.contains(link)) link->redeliver_pending();
  }
  if (before_flush_) before_flush_();
  flush_links();
  finish_closes();
  // What that has scheduled must not wait for the next event.
  const bool more =
      !to_flush_.empty() || !to_close_.empty() || !to_redeliver_.empty() || !next_turn_.empty();
  if (more) {
    uv_idle_start(&idle_, [](uv_idle_t*) {});
  } else {
    uv_idle_stop(&idle_);
  }
}

void UvLoop::run_next_turn() {
  for (TimerId id : std::exchange(next_turn_, {})) {
    if (auto timer = timers_.extract(id)) timer.mapped()->tick();
  }
}

void UvLoop::flush_links() {
  flushing_.swap(to_flush_);
  for (UvLink* link : flushing_) link->flush();
  flushing_.clear();
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
  if (delay_ms == 0) {
    // libuv would run it within this turn, and a chain of them before any socket.
    timers_.emplace(id, std::move(timer));
    next_turn_.push_back(id);
    return id;
  }
  timer->handle = new uv_timer_t;
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
  listen_on(*listener);
  listeners_.push_back(std::move(listener));
  return {};
}

void UvLoop::listen_on(Listener& listener) {
  uv_poll_start(listener.poll, UV_READABLE, [](uv_poll_t* handle, int, int) {
    auto* ready = static_cast<Listener*>(handle->data);
    ready->loop->accept_from(*ready);
  });
}

// The connection that cannot be accepted stays in the queue: polling on would spin.
void UvLoop::rest_from_accepting(Listener& listener, int reason) {
  if (!std::exchange(listener.starved, true)) {
    log_warning(std::string("Accepting client connection: ") + std::strerror(reason) +
                "; trying again every " + std::to_string(kAcceptRest_ms) + " ms");
  }
  if (listener.retry != 0) return;
  uv_poll_stop(listener.poll);
  listener.retry = after(kAcceptRest_ms, [this, &listener] {
    listener.retry = 0;
    listen_on(listener);
  });
}

void UvLoop::close_tcp_listeners() {
  std::erase_if(listeners_, [](const auto& listener) { return !listener->unix_socket; });
}

void UvLoop::close_listeners() { listeners_.clear(); }

void UvLoop::accept_from(Listener& listener) {
  for (int i = 0; i < kAcceptsPerTurn; ++i) {
    const int fd = accept4(listener.fd, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN) return;
      // The connection ended while it waited, or the network's error is passed on: the next one
      // may be well.
      if (errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM) continue;
      rest_from_accepting(listener, errno);
      return;
    }
    listener.starved = false;
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
  auto owned =
      std::make_unique<Connecting>(this, std::move(connected), host + ":" + std::to_string(port));
  Connecting* attempt = owned.get();
  connecting_.emplace(attempt, std::move(owned));
  attempt->resolve.data = attempt;
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  const int code = uv_getaddrinfo(
      &loop_, &attempt->resolve,
      [](uv_getaddrinfo_t* request, int status, addrinfo* found) {
        auto* done = static_cast<Connecting*>(request->data);
        done->resolving = false;
        done->addresses = found;
        done->loop->resolved(done, status);
      },
      host.c_str(), std::to_string(port).c_str(), &hints);
  attempt->resolving = code == 0;
  if (code != 0) after(0, [this, attempt, code] { resolved(attempt, code); });
}

void UvLoop::resolved(Connecting* attempt, int status) {
  if (ending_) {
    connecting_.erase(attempt);
    return;
  }
  if (status < 0) {
    finish_connect(attempt, make_error(ErrorKind::kNotFound,
                                       "resolving " + attempt->where + ": " + uv_strerror(status)));
    return;
  }
  attempt->next = attempt->addresses;
  try_next_address(attempt);
}

void UvLoop::try_next_address(Connecting* attempt) {
  while (attempt->next != nullptr) {
    const addrinfo* address = std::exchange(attempt->next, attempt->next->ai_next);
    attempt->drop_socket();
    attempt->fd = socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (attempt->fd < 0 || (::connect(attempt->fd, address->ai_addr, address->ai_addrlen) != 0 &&
                            errno != EINPROGRESS)) {
      attempt->failure = std::strerror(errno);
      continue;
    }
    attempt->poll = new uv_poll_t;
    uv_poll_init(&loop_, attempt->poll, attempt->fd);
    attempt->poll->data = attempt;
    uv_poll_start(attempt->poll, UV_WRITABLE, [](uv_poll_t* handle, int, int) {
      auto* ended = static_cast<Connecting*>(handle->data);
      ended->loop->connect_ended(ended);
    });
    return;
  }
  finish_connect(attempt, make_error(ErrorKind::kIo,
                                     "connecting to " + attempt->where + ": " + attempt->failure));
}

void UvLoop::connect_ended(Connecting* attempt) {
  int failed = 0;
  socklen_t length = sizeof failed;
  getsockopt(attempt->fd, SOL_SOCKET, SO_ERROR, &failed, &length);
  if (failed != 0) {
    attempt->failure = std::strerror(failed);
    try_next_address(attempt);
    return;
  }
  // The link polls the descriptor itself.
  attempt->stop_polling();
  const int fd = std::exchange(attempt->fd, -1);
  tune_tcp(fd, tcp_keepalive_);
  std::unique_ptr<Link> link =
      std::make_unique<UvLink>(this, fd, false, socket_peer_name(fd), socket_local_name(fd));
  finish_connect(attempt, std::move(link));
}

void UvLoop::finish_connect(Connecting* attempt, Result<std::unique_ptr<Link>> result) {
  const auto ended = connecting_.extract(attempt);
  attempt->connected(std::move(result));
}

void UvLoop::serve_while_busy() {
  // What is served now must not serve others in turn.
  if (serving_while_busy_) return;
  serving_while_busy_ = true;
  std::vector<pollfd> fds;
  for (const auto& listener : listeners_) fds.push_back({listener->fd, POLLIN, 0});
  std::vector<UvLink*> served;
  for (const auto& [link, owned] : links_) {
    const int write = link->blocked_on_write() ? POLLOUT : 0;
    fds.push_back({link->fd(), static_cast<short>(POLLIN | write), 0});
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
  if (before_flush_) before_flush_();
  flush_links();
  finish_closes();
  serving_while_busy_ = false;
}

}  // namespace tandem
