#include "server/net/uv_link.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <utility>

#include "server/net/uv_loop.h"

namespace tandem {

namespace {
constexpr size_t kSmallestInput = 16 * 1024;
// Room is made at once for a bulk up to this long; for a longer one the buffer doubles as the bytes
// arrive, so that announcing them costs the sender something.
constexpr size_t kTrustedAnnouncement = 1024 * 1024;
constexpr size_t kDiscarded = 1024 * 1024;         // read at most, and dropped, before a close
constexpr size_t kLargestFlush = 4 * 1024 * 1024;  // sent in one turn, as others wait meanwhile
constexpr size_t kKeptInput = 64 * 1024;  // a larger input buffer is given back once it is empty
}  // namespace

UvLink::UvLink(UvLoop* loop, int fd, bool unix_socket, std::string peer, std::string local)
    : loop_(loop),
      poll_(new uv_poll_t),
      fd_(fd),
      unix_(unix_socket),
      peer_(std::move(peer)),
      local_(std::move(local)) {
  uv_poll_init(loop->uv(), poll_, fd);
  poll_->data = this;
}

UvLink::~UvLink() {
  if (poll_ != nullptr) {
    uv_close(reinterpret_cast<uv_handle_t*>(poll_),
             [](uv_handle_t* handle) { delete reinterpret_cast<uv_poll_t*>(handle); });
    close(fd_);
  }
  std::free(input_);
}

void UvLink::start(LinkHandler* handler) {
  handler_ = handler;
  update_events();
  if (!output_.empty()) schedule_flush();
}

bool UvLink::peer_is_loopback() const {
  return unix_ || peer_.starts_with("127.") || peer_.starts_with("[::1]") ||
         peer_.starts_with("::1:");
}

int UvLink::wanted_events() const {
  // An end that has stopped sending may still read what is on its way to it.
  const bool owes_output = close_after_flush_ || withheld_;
  return (reading() ? UV_READABLE : 0) | (blocked_on_write_ ? UV_WRITABLE : 0) |
         (owes_output ? 0 : UV_DISCONNECT);
}

// Telling the kernel costs system calls, and mostly replies are held and reading is paused for a
// moment in which nothing arrives. Should something arrive, on_ready() has the polling end.
void UvLink::update_events() {
  if (closing_) return;
  constexpr int kMayComeUnwanted = UV_READABLE | UV_DISCONNECT;
  const int wanted = wanted_events();
  if ((wanted & ~events_) != 0 || (events_ & ~wanted & ~kMayComeUnwanted) != 0) poll_for(wanted);
}

void UvLink::poll_for(int events) {
  events_ = events;
  if (events == 0) {
    uv_poll_stop(poll_);
    return;
  }
  uv_poll_start(poll_, events, [](uv_poll_t* handle, int status, int ready) {
    auto* link = static_cast<UvLink*>(handle->data);
    if (status < 0) {
      link->on_broken();
    } else {
      link->on_ready(ready);
    }
  });
}

bool UvLink::reading() const {
  return handler_ != nullptr && !closing_ && !paused_ && !close_after_flush_;
}

void UvLink::on_ready(int events) {
  if (closing_) return;
  if ((events & ~wanted_events()) != 0) poll_for(wanted_events());
  if ((events & events_ & UV_WRITABLE) != 0) write_on();
  if (closing_) return;
  if ((events & UV_READABLE) != 0 && reading()) {
    read_once(loop_->shared_input(), UvLoop::kSharedInput);
  } else if ((events & wanted_events() & UV_DISCONNECT) != 0 && !reading()) {
    // Nobody reads (a blocked client): learn of the other end's leaving all the same.
    begin_close("connection closed by peer");
  }
}

void UvLink::write_on() {
  blocked_on_write_ = false;
  flush();
}

// The connection was reset, and libuv has stopped polling: what was received before that is still
// there, and the last there is.
void UvLink::on_broken() {
  events_ = 0;
  while (reading() && read_once(loop_->shared_input(), UvLoop::kSharedInput)) {
  }
  begin_close("connection reset by peer");
}

void UvLink::serve_once() {
  if (blocked_on_write_) write_on();
  // The shared buffer may hold the request that runs now.
  if (reading() && !in_delivery_) read_once(nullptr, 0);
}

// The tail of the link's own buffer, with room for `needed` bytes and for what the handler waits
// for.
char* UvLink::own_room(size_t* room, size_t needed) {
  const size_t held = input_end_ - input_begin_;
  const size_t announced =
      std::min(handler_->input_wanted(), std::max(kTrustedAnnouncement, held * 2));
  const size_t wanted = std::max({held + kSmallestInput, held + needed, announced});
  if (input_capacity_ - input_begin_ < wanted) {
    if (input_capacity_ >= wanted) {
      std::memmove(input_, input_ + input_begin_, held);
    } else {
      const size_t capacity = wanted;
      char* bigger = static_cast<char*>(std::malloc(capacity));
      if (bigger == nullptr) throw std::bad_alloc();
      if (held > 0) std::memcpy(bigger, input_ + input_begin_, held);
      std::free(input_);
      input_ = bigger;
      input_capacity_ = capacity;
    }
    input_begin_ = 0;
    input_end_ = held;
  }
  *room = input_capacity_ - input_end_;
  return input_ + input_end_;
}

// Whether anything was received.
bool UvLink::read_once(char* shared, size_t shared_size) {
  const bool use_shared = shared != nullptr && input_begin_ == input_end_;
  size_t room = shared_size;
  char* into = use_shared ? shared : own_room(&room);
  const ssize_t received = recv(fd_, into, room, 0);
  if (received < 0) {
    if (errno != EAGAIN && errno != EINTR) begin_close(std::strerror(errno));
    return false;
  }
  if (received == 0) {
    // It sends nothing more, and may still wait for its replies.
    if (output_.empty()) {
      begin_close("connection closed by peer");
    } else {
      close_after_flush();
    }
    return false;
  }
  ++loop_->mutable_link_counts().reads;
  if (use_shared) {
    deliver({into, static_cast<size_t>(received)}, true);
  } else {
    input_end_ += static_cast<size_t>(received);
    deliver({input_ + input_begin_, input_end_ - input_begin_}, false);
  }
  return true;
}

void UvLink::deliver(std::string_view input, bool shared) {
  in_delivery_ = true;
  const size_t consumed = handler_->on_input(input);
  in_delivery_ = false;
  if (shared) {
    if (consumed < input.size()) keep(input.substr(consumed));
  } else {
    input_begin_ += consumed;
    if (input_begin_ == input_end_) give_back_input();
  }
  if (!output_.empty() || close_after_flush_) schedule_flush();
}

void UvLink::keep(std::string_view rest) {
  size_t room = 0;
  char* into = own_room(&room, rest.size());
  std::memcpy(into, rest.data(), rest.size());
  input_end_ += rest.size();
}

void UvLink::give_back_input() {
  input_begin_ = input_end_ = 0;
  if (input_capacity_ <= kKeptInput) return;
  std::free(input_);
  input_ = nullptr;
  input_capacity_ = 0;
}

void UvLink::pause_input(bool paused) {
  if (paused_ == paused) return;
  paused_ = paused;
  update_events();
  if (paused || redelivery_scheduled_) return;
  // From inside on_input(), what is left there is kept by deliver() and shown again later.
  if (input_begin_ == input_end_ && !in_delivery_) return;
  redelivery_scheduled_ = true;
  loop_->schedule_redelivery(this);
}

void UvLink::redeliver_pending() {
  redelivery_scheduled_ = false;
  if (!reading() || in_delivery_ || input_begin_ == input_end_) return;
  deliver({input_ + input_begin_, input_end_ - input_begin_}, false);
}

void UvLink::schedule_flush() {
  if (flush_scheduled_ || closing_) return;
  flush_scheduled_ = true;
  loop_->schedule_flush(this);
}

void UvLink::flush() {
  flush_scheduled_ = false;
  if (closing_ || blocked_on_write_) return;
  count_resizing();
  send_output();
  count_resizing();
  if (!closing_ && output_.empty() && std::exchange(owes_drained_, false) && handler_ != nullptr) {
    handler_->on_drained();
  }
  update_events();
}

// Whether the output's block is another than when this was called last. Its first one is no growth.
void UvLink::count_resizing() {
  const size_t before = std::exchange(output_capacity_, output_.capacity());
  if (before < output_capacity_ && before > 0) ++loop_->mutable_link_counts().buffers_grown;
  if (before > output_capacity_) ++loop_->mutable_link_counts().buffers_shrunk;
}

size_t UvLink::sendable() const {
  return handler_ == nullptr ? OutputBuffer::kAll : handler_->sendable_output();
}

void UvLink::send_output() {
  size_t flushed = 0;
  withheld_ = false;
  while (!output_.empty()) {
    if (flushed >= kLargestFlush) {
      blocked_on_write_ = owes_drained_ = true;
      return;
    }
    const std::string_view pending = output_.view(sendable());
    if (pending.empty()) {
      withheld_ = true;
      return;
    }
    const ssize_t sent = send(fd_, pending.data(), pending.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) return begin_close(std::strerror(errno));
      blocked_on_write_ = owes_drained_ = true;
      return;
    }
    ++loop_->mutable_link_counts().writes;
    output_.consume(static_cast<size_t>(sent));
    flushed += static_cast<size_t>(sent);
  }
  if (close_after_flush_) {
    discard_received();
    begin_close("closed by this server");
  }
}

// Closing with bytes unread would reset the connection, and the last replies might be lost on their
// way to the other end.
void UvLink::discard_received() {
  shutdown(fd_, SHUT_WR);
  char ignored[16 * 1024];
  for (size_t read = 0; read < kDiscarded;) {
    const ssize_t received = recv(fd_, ignored, sizeof ignored, 0);
    if (received <= 0) return;
    read += static_cast<size_t>(received);
  }
}

void UvLink::close_after_flush() {
  if (closing_ || close_after_flush_) return;
  close_after_flush_ = true;
  update_events();
  schedule_flush();
}

void UvLink::close_now() { begin_close("closed by this server"); }

void UvLink::begin_close(std::string reason) {
  if (closing_) return;
  closing_ = true;
  close_reason_ = std::move(reason);
  uv_poll_stop(poll_);
  loop_->schedule_close(this);
}

void UvLink::finish_close() {
  if (handler_ != nullptr) handler_->on_closed(close_reason_);
}

}  // namespace tandem
