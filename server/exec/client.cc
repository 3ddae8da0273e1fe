#include "server/exec/client.h"

#include <utility>

#include "server/base/log.h"
#include "server/exec/client_memory.h"
#include "server/exec/executor.h"

namespace tandem {

namespace {
constexpr RequestLimits kUnauthenticatedLimits = RequestLimits::unauthenticated();
}  // namespace

Client::Client(Executor* executor, uint64_t id_in, ClientKind kind_in)
    : id(id_in), kind(kind_in), executor_(executor) {}

Client::~Client() = default;

void Client::attach(Link* link) {
  link_ = link;
  encoder_ = std::make_unique<RespEncoder>(&link->output());
  encoder_->set_error_listener(executor_);
  encoder_->set_protocol(protocol_);
  update_reply_sink();
}

void Client::set_protocol(int version) {
  protocol_ = version;
  if (encoder_ != nullptr) encoder_->set_protocol(version);
}

void Client::set_reply_mode(ReplyMode mode) {
  reply_mode_ = mode;
  // CLIENT REPLY SKIP itself is not answered either.
  replies_to_skip_ = mode == ReplyMode::kSkipNext ? 2 : 0;
  update_reply_sink();
}

void Client::update_reply_sink() {
  const bool silent = encoder_ == nullptr || reply_mode_ != ReplyMode::kOn ||
                      kind == ClientKind::kPrimary || kind == ClientKind::kReplica;
  reply_ = silent ? static_cast<Reply*>(&null_reply_) : encoder_.get();
}

void Client::set_kind(ClientKind new_kind) {
  kind = new_kind;
  update_reply_sink();
}

size_t Client::input_wanted() const {
  return redirected_ != nullptr ? redirected_->input_wanted() : parser_.wanted();
}

size_t Client::on_input(std::string_view input) {
  executor_->begin_batch();
  harmless_output_ = executor_->harmless_output(output_class());
  size_t consumed = 0;
  bool more = true;
  bool parsed = false;  // `outcome` is what stands at `consumed`
  RequestParser::Outcome outcome{};
  Command* ahead = nullptr;  // what that request's name was found to mean
  while (more && consumed < input.size() && !blocked_ && !closing_) {
    if (redirected_ != nullptr) {
      parser_.forget();
      return count_input(consumed) + redirected_->on_input(input.substr(consumed));
    }
    if (!parsed) outcome = parse(input.substr(consumed));
    parsed = false;
    switch (outcome) {
      case RequestParser::Outcome::kRequest: {
        const size_t length = parser_.consumed();
        const std::string_view rest = input.substr(consumed + length);
        // A request held back by CLIENT PAUSE stays in the input and is parsed again.
        bool done;
        Command* const command = std::exchange(ahead, nullptr);
        if (can_look_ahead(input[consumed], rest)) {
          // While this request's key is on its way into the cache, the next one is parsed.
          parser_.swap_args(args_);
          executor_->prefetch_entry(*this);
          outcome = parse(rest);
          if (outcome == RequestParser::Outcome::kRequest) {
            ahead = executor_->prefetch_bucket(*this, parser_.args());
          }
          done = handle_request(args_, command, length);
          parsed = done;
          if (!done) parser_.forget();
        } else {
          done = handle_request(parser_.args(), command, length);
        }
        if (done) consumed += length;
        break;
      }
      case RequestParser::Outcome::kEmpty:
        consumed += parser_.consumed();
        break;
      case RequestParser::Outcome::kNeedMore:
        more = false;
        break;
      case RequestParser::Outcome::kError:
        refuse_input();
        break;
    }
  }
  if (parsed && outcome == RequestParser::Outcome::kError) parser_.forget();
  if (!closing_ && !input_within_limit(input.size() - consumed)) close_now();
  executor_->client_memory().update(*this);
  return count_input(consumed);
}

RequestParser::Outcome Client::parse(std::string_view input) {
  return parser_.parse(input, authenticated ? executor_->request_limits() : kUnauthenticatedLimits);
}

// Inline requests share one buffer in the parser, and before AUTH the limits may change between two
// requests.
bool Client::can_look_ahead(char first, std::string_view rest) const {
  return first == '*' && authenticated && !rest.empty() && rest[0] == '*';
}

void Client::refuse_input() {
  log_verbose("Protocol error (" + parser_.error() + ") from client: " + link_->peer_address());
  reply().error("ERR " + parser_.error());
  close_after_reply();
}

// client-query-buffer-limit: what has been received of one request, and what a transaction has
// queued.
bool Client::input_within_limit(size_t pending) {
  const auto limit = static_cast<size_t>(executor_->config().settings().client_query_buffer_limit);
  if (pending + transaction.queued_bytes <= limit || kind == ClientKind::kPrimary) return true;
  log_warning("Closing client that reached max query buffer length: id=" + std::to_string(id) +
              " addr=" + link_->peer_address() + " qbuf=" + std::to_string(pending) +
              " multi-mem=" + std::to_string(transaction.queued_bytes));
  ++executor_->stats().client_query_limit_disconnections;
  return false;
}

size_t Client::memory_usage() const {
  size_t bytes = sizeof(Client) + transaction.queued_bytes + name.size() + library_name.size() +
                 library_version.size() + watched.capacity() * sizeof(watched[0]);
  if (link_ != nullptr) bytes += link_->input_capacity() + link_->output().capacity();
  return bytes;
}

size_t Client::count_input(size_t consumed) {
  bytes_in += consumed;
  executor_->stats().bytes_in += consumed;
  return consumed;
}

// False when the request has to wait and be presented again.
bool Client::handle_request(Args args, Command* found, size_t request_bytes) {
  const OutputMark before = mark_output();
  const uint64_t ran_before = executor_->stats().commands_processed;
  const bool done = executor_->execute_in_batch(*this, args, found);
  if (blocked_) return done;
  const size_t reply_bytes = replied(before);
  CallWatch& watch = executor_->watch();
  if (watch.is_large(request_bytes, reply_bytes) &&
      executor_->stats().commands_processed != ran_before) {
    watch.add_large(*this, *last_command, args, request_bytes, reply_bytes);
  }
  return done;
}

Client::OutputMark Client::mark_output() const {
  return {output_size(), executor_->stats().total_error_replies};
}

// A request has had its reply, if it gets one at all. Returns the reply's size.
size_t Client::replied(const OutputMark& before) {
  const size_t output = mark_output().bytes;
  // Less than before when others were served, and this output sent, while the request ran.
  const size_t reply_bytes = output > before.bytes ? output - before.bytes : 0;
  bytes_out += reply_bytes;
  executor_->stats().bytes_out += reply_bytes;
  if (replies_to_skip_ > 0 && --replies_to_skip_ == 0) set_reply_mode(ReplyMode::kOn);
  if (!closing_ && (output > harmless_output_ || soft_limit_since_ms != 0)) {
    executor_->check_output_limit(*this);
  }
  return reply_bytes;
}

void Client::end_blocked_request(const OutputMark& before) {
  executor_->count_blocked_call(*this, executor_->stats().total_error_replies != before.errors);
  replied(before);
  resume();
}

bool Client::run_again(Args args) {
  blocked_ = false;
  blocker_ = nullptr;
  harmless_output_ = executor_->harmless_output(output_class());
  running_again_ = true;
  handle_request(args, nullptr, request_size(args));
  running_again_ = false;
  if (blocked_) return false;
  go_on();
  return true;
}

size_t Client::sendable_output() { return executor_->sendable_output(*this); }

void Client::on_drained() {
  soft_limit_since_ms = 0;
  if (redirected_ != nullptr) redirected_->on_drained();
}

void Client::on_closed(std::string_view reason) {
  LinkHandler* redirected = std::exchange(redirected_, nullptr);
  if (redirected != nullptr) redirected->on_closed(reason);
  link_ = nullptr;
  executor_->remove_client(*this);
}

void Client::block(Blocker* blocker) {
  blocked_ = true;
  blocker_ = blocker;
  if (link_ != nullptr) link_->pause_input(true);
}

void Client::resume() {
  if (!blocked_) return;
  blocked_ = false;
  blocker_ = nullptr;
  go_on();
}

void Client::go_on() {
  if (link_ == nullptr) return;
  link_->schedule_flush();
  link_->pause_input(false);
}

ClientClass Client::output_class() const {
  if (kind == ClientKind::kReplica) return ClientClass::kReplica;
  return subscriptions != nullptr ? ClientClass::kPubsub : ClientClass::kNormal;
}

void Client::push(std::string_view head, std::string_view tail) {
  if (link_ == nullptr || closing_) return;
  if (executor_->serving() == this) {
    pending_pushes_.append(head).append(tail);
    return;
  }
  OutputBuffer& output = link_->output();
  output.append(head);
  output.append(tail);
  link_->schedule_flush();
  const size_t length = head.size() + tail.size();
  bytes_out += length;
  executor_->stats().bytes_out += length;
  executor_->check_output_limit(*this);
  executor_->client_memory().update(*this);
}

void Client::flush_pushes() {
  if (link_ != nullptr && !closing_) link_->output().append(pending_pushes_);
  pending_pushes_.clear();
}

void Client::close_after_reply() {
  closing_ = true;
  if (link_ != nullptr) link_->close_after_flush();
}

void Client::close_now() {
  closing_ = true;
  if (link_ != nullptr) link_->close_now();
}

}  // namespace tandem
