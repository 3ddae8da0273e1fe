#include "tools/cli/in_process_server.h"

#include <cstdlib>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "server/base/clock.h"
#include "server/base/config.h"
#include "server/base/env.h"
#include "server/base/link.h"
#include "server/base/log.h"
#include "server/exec/client.h"
#include "server/exec/executor.h"

namespace tandem::cli {

namespace {

constexpr uint64_t kRandomSeed = 1;
constexpr std::string_view kConfiguration = "save \"\"\n";

class StandingClock final : public Clock {
 public:
  int64_t wall_us() override { return InProcessServer::kStart_ms * 1000 + moved_us_; }
  int64_t monotonic_us() override { return system_clock().monotonic_us() + ahead_us_; }
  void advance_us(int64_t by_us) {
    moved_us_ += by_us;
    if (by_us > 0) ahead_us_ += by_us;
  }

 private:
  int64_t moved_us_ = 0;
  int64_t ahead_us_ = 0;
};

// Timers run when the standing clock has passed them; there are no connections.
class TimerLoop final : public Loop {
 public:
  explicit TimerLoop(Clock& clock) : clock_(clock) {}

  void connect(const std::string&, int, Connected connected) override {
    after(0, [connected = std::move(connected)] { connected(unsupported()); });
  }
  void attach(std::unique_ptr<Link>, LinkHandler* handler) override {
    handler->on_closed(unsupported().message);
  }
  TimerId after(uint64_t delay_ms, std::function<void()> tick) override {
    const TimerId id = ++last_id_;
    timers_.emplace(std::pair(clock_.wall_ms() + static_cast<int64_t>(delay_ms), id),
                    std::move(tick));
    return id;
  }
  void cancel(TimerId timer) override {
    std::erase_if(timers_, [timer](const auto& entry) { return entry.first.second == timer; });
  }
  PipeId read_pipe(int, std::function<void(std::string_view)>) override { return 0; }
  void pause_pipe(PipeId, bool) override {}

  void run_due() {
    while (!timers_.empty() && timers_.begin()->first.first <= clock_.wall_ms()) {
      const auto tick = std::move(timers_.begin()->second);
      timers_.erase(timers_.begin());
      tick();
    }
  }

 private:
  static Error unsupported() {
    return make_error(ErrorKind::kUnsupported, "there is no network in this server");
  }

  Clock& clock_;
  TimerId last_id_ = 0;
  std::map<std::pair<int64_t, TimerId>, std::function<void()>> timers_;
};

// No files and no processes; work for other threads is done at once.
class EmptyEnv final : public Env {
 public:
  explicit EmptyEnv(TimerLoop& loop) : loop_(loop) {}

  Result<std::unique_ptr<WritableFile>> open_append(const std::string& path) override {
    return unsupported(path);
  }
  Result<std::unique_ptr<WritableFile>> create(const std::string& path) override {
    return unsupported(path);
  }
  Result<std::unique_ptr<ReadableFile>> open_read(const std::string& path) override {
    return unsupported(path);
  }
  bool exists(const std::string&) override { return false; }
  Result<uint64_t> file_size(const std::string& path) override { return unsupported(path); }
  Status rename(const std::string& from, const std::string&) override { return unsupported(from); }
  Status remove(const std::string& path) override { return unsupported(path); }
  Status create_directory(const std::string& path) override { return unsupported(path); }
  Result<std::vector<std::string>> list(const std::string&) override {
    return std::vector<std::string>();
  }
  Status sync_directory(const std::string& path) override { return unsupported(path); }
  Result<std::unique_ptr<FileLock>> lock(const std::string& path) override {
    return unsupported(path);
  }
  Result<ChildId> fork_child(std::function<int()>) override {
    return make_error(ErrorKind::kUnsupported, "this server starts no processes");
  }
  std::unique_ptr<ChildExit> poll_child(ChildId) override { return nullptr; }
  void kill_child(ChildId) override {}
  void run_in_background(std::function<void()> work, std::function<void()> done) override {
    work();
    if (done) loop_.after(0, std::move(done));
  }
  void run_in_lane(size_t, int64_t, std::function<void()> work,
                   std::function<void()> done) override {
    run_in_background(std::move(work), std::move(done));
  }

 private:
  static Error unsupported(const std::string& path) {
    return make_error(ErrorKind::kUnsupported, path + ": this server has no files");
  }

  TimerLoop& loop_;
};

// The client's end of the connection keeps what is sent to it.
class ReplyLink final : public Link {
 public:
  OutputBuffer& output() override { return output_; }
  void schedule_flush() override {}
  void pause_input(bool) override {}
  void close_after_flush() override { closed_ = true; }
  void close_now() override { closed_ = true; }
  bool closed() const { return closed_; }
  std::string peer_address() const override { return "127.0.0.1:0"; }
  std::string local_address() const override { return "127.0.0.1:0"; }
  bool peer_is_loopback() const override { return true; }
  bool is_unix() const override { return false; }
  int fd() const override { return -1; }
  size_t input_buffered() const override { return 0; }
  size_t input_capacity() const override { return 0; }

 private:
  OutputBuffer output_;
  bool closed_ = false;
};

}  // namespace

struct InProcessServer::World {
  World() {
    // Neither has anything to read that could fail.
    const bool configured = config.load_text(env, kConfiguration, "(in process)").ok();
    server.emplace(config, tandem::World{env, loop, clock, kRandomSeed});
    if (!configured || !server->start().ok()) std::abort();
    connect();
  }

  void connect() {
    link = std::make_unique<ReplyLink>();
    client = server->executor().adopt_link(link.get(), ClientKind::kNormal);
  }

  void end_turn() {
    server->end_of_turn();
    loop.run_due();
  }

  StandingClock clock;
  TimerLoop loop{clock};
  EmptyEnv env{loop};
  Config config{"/"};
  std::unique_ptr<ReplyLink> link;  // outlives its client, which the server owns
  std::optional<Server> server;
  Client* client = nullptr;
};

void log_to_standard_error() {
  if (!open_log("/dev/stderr").ok()) set_log_level(LogLevel::kNothing);
}

InProcessServer::InProcessServer() : world_(std::make_unique<World>()) {}
InProcessServer::~InProcessServer() = default;

Server& InProcessServer::server() { return *world_->server; }

ReplyValue InProcessServer::run(const std::vector<std::string_view>& words) {
  Client& client = *world_->client;
  world_->server->executor().execute(client, words);
  world_->end_turn();
  if (client.blocked() && client.blocker() != nullptr) client.blocker()->unblock(client, {});
  ReplyReader reader;
  reader.feed(world_->link->output().view());
  const auto reply = reader.next();
  world_->link->output().consume(world_->link->output().size());
  if (client.blocked() || client.closing() || world_->link->closed()) {
    // QUIT, CLIENT KILL, CLIENT PAUSE: what follows has a connection of its own.
    client.on_closed("the connection ended");
    world_->connect();
  }
  if (!reply.ok() || !reply.value()) return {};
  return std::move(*reply.value());
}

int64_t InProcessServer::now_us() const { return world_->clock.wall_us(); }

void InProcessServer::advance_us(int64_t by_us) {
  world_->clock.advance_us(by_us);
  world_->server->executor().refresh_time();
  world_->end_turn();
}

}  // namespace tandem::cli
