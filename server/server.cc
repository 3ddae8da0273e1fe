#include "server/server.h"

#include <utility>

#include "server/base/log.h"
#include "server/base/memory.h"
#include "server/commands/families.h"

namespace tandem {

namespace {

// One expiry step on the loop stays below this, so that no request waits longer for it.
constexpr int64_t kExpireStepUs = 1000;
constexpr size_t kExpireSamples = 20;
// Above this share of expired keys among those looked at, another step follows soon.
constexpr size_t kExpireMoreOneIn = 10;

}  // namespace

Server::Server(Config& config, World world)
    : config_(config),
      world_(world),
      keyspace_(static_cast<int>(config.settings().databases), world.random_seed),
      executor_(keyspace_, config, world.clock, services_),
      functions_(executor_),
      persistence_(config, world.env, world.clock, executor_),
      run_id_(Random(world.random_seed ^ 0x5DEECE66DULL).hex(40)),
      started_ms_(world.clock.wall_ms()) {
  services_.config = &config_;
  services_.env = &world_.env;
  services_.loop = &world_.loop;
  services_.clock = &world_.clock;
  services_.keyspace = &keyspace_;
  services_.executor = &executor_;
  services_.functions = &functions_;
  services_.persistence = &persistence_;
  services_.control = this;
  register_all_commands(executor_.commands());
  keyspace_.set_background([this](std::function<void()> work) {
    world_.env.run_in_background(
        [work = std::move(work)] {
          register_memory_thread();
          work();
        },
        [] {});
  });
  wire_engines();
  watch_configuration();
}

Server::~Server() = default;

void Server::wire_engines() {
  PersistenceHooks& hooks = persistence_.hooks();
  hooks.library_sources = [this] {
    std::vector<std::string> sources;
    functions_.for_each_library(
        [&](std::string_view, std::string_view source) { sources.emplace_back(source); });
    return sources;
  };
  hooks.load_libraries = [this](const std::vector<std::string>& sources) -> Status {
    FunctionSet libraries;
    for (const std::string& source : sources) {
      const Result<std::string> loaded = functions_.load_into(libraries, source, false);
      if (!loaded.ok()) return loaded.error();
    }
    functions_.replace_all(std::move(libraries));
    return {};
  };
}

void Server::watch_configuration() {
  config_.on_change({"loglevel"}, [this]() -> Status {
    set_log_level(config_.settings().loglevel);
    return {};
  });
  config_.on_change({"appendonly"},
                    [this] { return persistence_.set_aof_enabled(config_.settings().appendonly); });
}

Status Server::start() {
  for (std::string_view name : config_.unused_directives_given()) {
    log_notice("The option '" + std::string(name) + "' is accepted and has no effect in Tandem");
  }
  if (Status loaded = persistence_.load(); !loaded.ok()) return loaded;
  world_.loop.after(1, [this] { cron(); });
  return {};
}

void Server::cron() {
  world_.loop.after(static_cast<uint64_t>(1000 / std::max<int64_t>(1, config_.settings().hz)),
                    [this] { cron(); });
  executor_.refresh_time();
  update_memory_peak();
  persistence_.cron();
  close_idle_clients();
  DispatchState& state = executor_.state();
  if (state.paused_until_ms != 0 && world_.clock.monotonic_ms() >= state.paused_until_ms) {
    state.paused_until_ms = 0;
    executor_.resume_paused_clients();
  }
  expire_keys();
}

void Server::expire_keys() {
  expire_step_scheduled_ = false;
  executor_.refresh_time();
  const int64_t deadline_us = world_.clock.monotonic_us() + kExpireStepUs;
  bool more = false;
  for (int i = 0; i < keyspace_.database_count(); ++i) {
    Database& database = keyspace_.database(i);
    size_t looked_at = 0, expired = 0;
    do {
      looked_at = 0;
      expired = database.expire_some(kExpireSamples, &looked_at);
      if (world_.clock.monotonic_us() >= deadline_us) break;
    } while (expired * kExpireMoreOneIn > looked_at);
    more |= expired * kExpireMoreOneIn > looked_at;
  }
  if (!more || expire_step_scheduled_) return;
  // Requests come first: the next step waits for the next turn of the loop.
  expire_step_scheduled_ = true;
  world_.loop.after(1, [this] { expire_keys(); });
}

void Server::close_idle_clients() {
  const int64_t timeout_ms = config_.settings().timeout * 1000;
  if (timeout_ms <= 0) return;
  for (const auto& [id, client] : executor_.clients()) {
    if (client->kind != ClientKind::kNormal || client->blocked()) continue;
    if (keyspace_.now_ms() - client->last_interaction_ms > timeout_ms) client->close_now();
  }
}

}  // namespace tandem
