#include "tests/sim/sim_node.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cassert>
#include <utility>

namespace tandem {

namespace {

// A child runs to its end before anything is read, so the pipe has to hold all of it: a file in
// memory.
Result<TransferPipe> make_memory_pipe() {
  const int write_fd = memfd_create("transfer", MFD_CLOEXEC);
  const std::string path = "/proc/self/fd/" + std::to_string(write_fd);
  const int read_fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (write_fd < 0 || read_fd < 0) return make_error(ErrorKind::kIo, "memfd_create failed");
  return TransferPipe{read_fd, write_fd};
}

}  // namespace

struct SimNode::Process {
  Process(SimNode* node, uint64_t seed)
      : loop(&node->network_, node->host_),
        env(&node->world_, &node->disk_, node->host_,
            [this](std::function<void()> work) { loop.handle(std::move(work)); }),
        config("/"),
        configured(config.load_text(env, node->config_text_ + node->role_, node->host_ + ".conf")) {
    if (!configured.ok()) throw SimViolation{configured.error().to_string()};
    server.emplace(config, World{env, loop, node->clock_, seed, make_memory_pipe});
    loop.end_of_turn = [this] { server->end_of_turn(); };
    loop.died = [this] { return env.dead(); };
    server->on_shutdown = [this, node] {
      if (env.dead()) return;
      node->shut_down_ = true;
      node->on_shutdown();
      env.die();
    };
  }

  SimLoop loop;
  SimEnv env;
  Config config;
  Status configured;
  std::optional<Server> server;
};

SimNode::SimNode(SimWorld* world, SimNetwork* network, std::string host, int port,
                 std::string config)
    : world_(*world),
      network_(*network),
      host_(std::move(host)),
      port_(port),
      config_text_(std::move(config)),
      disk_(world->random().next()),
      clock_(world) {}

SimNode::~SimNode() {
  world_.drop_events(this);
  if (process_ != nullptr) process_->env.die();
}

Server& SimNode::server() {
  assert(up());
  return *process_->server;
}

bool SimNode::dying() const { return up() && process_->env.dead(); }

void SimNode::run(const std::function<void()>& work) {
  assert(up());
  process_->loop.run(work);
}

void SimNode::switch_aof(bool on) {
  world_.trace(host_, on ? "switches its AOF on" : "switches its AOF off");
  const std::vector<std::string_view> change = {"appendonly", on ? "yes" : "no"};
  run([&] { (void)process_->config.set(change, {}); });
}

void SimNode::stand_still(int64_t us) {
  assert(up());
  world_.trace(host_, "stands still", static_cast<uint64_t>(us));
  process_->loop.stand_still(us);
}

void SimNode::kill_child_after(int64_t operations) {
  assert(up());
  process_->env.kill_child_after(operations);
}

const Settings& SimNode::settings() const { return process_->config.settings(); }

void SimNode::start() {
  assert(!up());
  world_.trace(host_, "starts");
  process_ = std::make_unique<Process>(this, world_.random().next() + ++starts_);
  if (die_after_ >= 0) process_->env.die_after(std::exchange(die_after_, -1));
  process_->loop.on_death = [this] {
    const Crash how = std::exchange(shut_down_, false) ? Crash::kShutdown : crash_at_disk_;
    world_.schedule(this, 0, [this, how] { crash(how); });
  };
  const bool disk_fails = disk_.faults().failing();
  const Status started = process_->server->start();
  if (process_->env.dead()) return crash(crash_at_disk_);
  if (!started.ok()) {
    if (!disk_fails) {
      throw SimViolation{host_ + " does not start: " + started.error().to_string()};
    }
    world_.trace(host_, "cannot start");
    return crash(Crash::kProcess);
  }
  process_->loop.listen([this](Link* link) { return process_->server->accept(link); });
  // The turn that start() was part of.
  process_->loop.run([] {});
  on_start();
}

void SimNode::crash(Crash how) {
  constexpr int64_t kLongestSilenceUs = 3'000'000;
  if (!up()) return;
  world_.trace(host_, how == Crash::kProcess    ? "crashes"
                      : how == Crash::kShutdown ? "has shut down"
                                                : "loses power");
  process_->env.die();
  if (how == Crash::kMachine) {
    process_->loop.set_silence_us(world_.between(0, kLongestSilenceUs));
  }
  process_->server.reset();
  process_.reset();
  if (how == Crash::kProcess) {
    disk_.forget_given_up();
  } else {
    disk_.lose_power();
  }
  on_crash(how);
}

void SimNode::crash_at_disk(int64_t operations, Crash how, const std::string& only_in) {
  crash_at_disk_ = how;
  if (up()) {
    process_->env.die_after(operations, only_in);
  } else {
    die_after_ = operations;
  }
}

void SimNode::cancel_crash() {
  die_after_ = -1;
  if (!up()) return;
  process_->env.die_after(-1);
  process_->env.kill_child_after(-1);
}

}  // namespace tandem
