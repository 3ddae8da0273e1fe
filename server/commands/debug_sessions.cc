#include "server/commands/debug_sessions.h"

#include <utility>

#include "server/base/blocking_socket.h"
#include "server/base/log.h"
#include "server/commands/services.h"

namespace tandem {

namespace {

constexpr int kSendTimeoutMs = 5000;

class SocketChannel final : public DebugChannel {
 public:
  explicit SocketChannel(int fd) : socket_(fd) {}

  bool receive(std::string* input) override { return !broken_ && socket_.receive(input); }
  void send(std::string_view bytes) override {
    broken_ = broken_ || !socket_.send(bytes, kSendTimeoutMs);
  }
  bool closed() override { return broken_ || socket_.at_end(); }

 private:
  BlockingSocket socket_;
  bool broken_ = false;
};

void run_session(DebugChannel& channel, ScriptDebugger::Target target,
                 const std::function<void(ScriptDebugger&)>& debugged) {
  ScriptDebugger debugger(channel, std::move(target));
  debugged(debugger);
  debugger.finish();
}

// In a child: nothing of what happens now may leave it.
void detach_from_world(Call& call) {
  call.executor.effects().suspend();
  call.keyspace.set_background([](const std::function<void()>& work) { work(); });
}

}  // namespace

DebugSessions::DebugSessions(Executor& executor, Env& env) : env_(env) {
  executor.add_client_observer(this);
}

bool DebugSessions::asked_for(const Call& call) {
  const DebugSessions* const sessions = call.services.debug_sessions;
  return sessions != nullptr && !sessions->modes_.empty() &&
         sessions->modes_.contains(call.client.id);
}

void DebugSessions::run(Call& call, ScriptDebugger::Target target,
                        const std::function<void(ScriptDebugger&)>& debugged) {
  Client& client = call.client;
  Link* const link = client.link();
  if (link == nullptr || link->fd() < 0) {
    call.reply.error("ERR this connection can't be debugged on");
    return;
  }
  SocketChannel channel(link->fd());
  if (modes_.at(client.id) == DebugMode::kSync) {
    log_notice("Synchronous debugging session started");
    run_session(channel, std::move(target), debugged);
    log_notice("Synchronous debugging session ended");
    client.close_after_reply();
    return;
  }
  target.disposable = true;
  const Result<ChildId> child = env_.fork_child_with_socket(link->fd(), [&] {
    log_notice("Forked for a debugging session");
    detach_from_world(call);
    run_session(channel, std::move(target), debugged);
    channel.send(link->output().view());
    log_notice("Debugging session ended");
    return 0;
  });
  if (!child.ok()) {
    call.reply.error("ERR Fork() failed: can't run EVAL in debugging mode: " +
                     child.error().message);
    return;
  }
  children_.push_back(child.value());
  // The connection is the child's now.
  client.close_now();
}

void DebugSessions::cron() {
  std::erase_if(children_, [this](ChildId child) { return env_.poll_child(child) != nullptr; });
}

void DebugSessions::end_children() {
  for (ChildId child : children_) {
    log_notice("Killing debugging session " + std::to_string(child));
    env_.kill_child(child);
  }
  children_.clear();
}

}  // namespace tandem
