#include "server/server.h"

#include <algorithm>
#include <utility>

#include "server/base/log.h"
#include "server/base/memory.h"
#include "server/commands/families.h"
#include "server/exec/blocked_clients.h"
#include "server/exec/client_memory.h"
#include "server/exec/eviction.h"
#include "server/function_preload.h"
#include "server/info.h"

namespace tandem {

namespace {

LinkCounts since(const LinkCounts& then, const LinkCounts& now) {
  return {.reads = now.reads - then.reads,
          .writes = now.writes - then.writes,
          .buffers_grown = now.buffers_grown - then.buffers_grown,
          .buffers_shrunk = now.buffers_shrunk - then.buffers_shrunk};
}

}  // namespace

Server::Server(Config& config, World world)
    : config_(config),
      world_(world),
      keyspace_(static_cast<int>(config.settings().databases), world.random_seed),
      executor_(keyspace_, config, world.clock, services_),
      expire_cycle_(executor_, world.clock),
      functions_(executor_),
      scripts_(executor_),
      debug_sessions_(executor_, world.env),
      persistence_(config, world.env, world.clock, executor_),
      replication_(Replication::World{config, world.env, world.loop, world.clock, executor_,
                                      persistence_, world.random_seed + 1, world.make_pipe}),
      outgoing_(world.loop, executor_),
      shutdown_(Shutdown::Parts{config, world.clock, executor_, replication_,
                                [this](const ShutdownOptions& options) { return leave(options); },
                                [this] { on_shutdown_cancelled(); }}),
      run_id_(Random(world.random_seed ^ 0x5DEECE66DULL).hex(40)),
      started_ms_(world.clock.wall_ms()) {
  services_.config = &config_;
  services_.env = &world_.env;
  services_.loop = &world_.loop;
  services_.clock = &world_.clock;
  services_.keyspace = &keyspace_;
  services_.executor = &executor_;
  services_.functions = &functions_;
  services_.scripts = &scripts_;
  services_.debug_sessions = &debug_sessions_;
  services_.persistence = &persistence_;
  services_.replication = &replication_;
  services_.outgoing = &outgoing_;
  services_.control = this;
  register_all_commands(executor_.commands());
  keyspace_.set_background(
      [this](std::function<void()> work) { world_.env.run_at_leisure(std::move(work)); });
  wire_engines();
  watch_configuration();
}

Server::~Server() {
  world_.loop.cancel(cron_timer_);
  world_.loop.cancel(expire_timer_);
  world_.loop.cancel(blocked_timer_);
  world_.loop.cancel(eviction_timer_);
}

void Server::wire_engines() {
  executor_.blocked().on_earlier_deadline = [this] { await_blocked_deadline(); };
  executor_.eviction().uncounted_bytes = [this] {
    return replication_.output_bytes() + persistence_.aof_buffer_memory();
  };
  executor_.eviction().on_unfinished = [this] {
    if (eviction_timer_ == 0) eviction_timer_ = world_.loop.after(0, [this] { make_room(); });
  };
  replication_.on_demotion = [this](std::string_view error) { shutdown_.refuse_clients(error); };
  PersistenceHooks& hooks = persistence_.hooks();
  hooks.library_sources = [this] {
    std::vector<std::string> sources;
    functions_.for_each_library(
        [&](std::string_view, std::string_view source) { sources.emplace_back(source); });
    return sources;
  };
  hooks.serve_while_loading = [this] {
    executor_.refresh_time();
    serve_while_loading();
  };
  const auto compile = [this](const std::vector<std::string>& sources) -> Result<FunctionSet> {
    FunctionSet libraries;
    for (const std::string& source : sources) {
      const Result<std::string> loaded = functions_.load_into(libraries, source, false);
      if (!loaded.ok()) return loaded.error();
    }
    return libraries;
  };
  hooks.load_libraries = [this, compile](const std::vector<std::string>& sources) -> Status {
    Result<FunctionSet> libraries = compile(sources);
    if (!libraries.ok()) return libraries.error();
    functions_.replace_all(std::move(libraries).value());
    return {};
  };
  hooks.add_libraries = [this, compile](const std::vector<std::string>& sources,
                                        bool replace) -> Status {
    Result<FunctionSet> libraries = compile(sources);
    if (!libraries.ok()) return libraries.error();
    return functions_.merge(std::move(libraries).value(),
                            replace ? RestorePolicy::kReplace : RestorePolicy::kAppend);
  };
}

void Server::watch_configuration() {
  config_.on_change({"loglevel"}, [this]() -> Status {
    set_log_level(config_.settings().loglevel);
    return {};
  });
}

Status Server::start(const std::function<Status()>& listen) {
  std::string unused;
  for (std::string_view name : config_.unused_directives_given()) {
    unused.append(unused.empty() ? "" : ", ").append(name);
  }
  if (!unused.empty()) {
    log_notice("These options are accepted and have no effect in Tandem: " + unused);
  }
  for (const auto& [from, to] : config_.settings().renamed_commands) {
    if (Status renamed = executor_.commands().rename(from, to); !renamed.ok()) return renamed;
  }
  // What is wrong with the files is found before anything on disk may change.
  Result<FunctionSet> preloaded = read_preloaded(
      world_.env, functions_, config_.settings().functions_preload, persistence_.read_options());
  if (!preloaded.ok()) return preloaded.error();
  if (Status locked = persistence_.lock_directory(); !locked.ok()) return locked;
  if (listen) {
    if (Status listening = listen(); !listening.ok()) return listening;
  }
  if (Status loaded = persistence_.load(); !loaded.ok()) return loaded;
  if (Status installed = install_preloaded(std::move(preloaded).value()); !installed.ok()) {
    return installed;
  }
  replication_.start();
  startup_memory_ = memory_used();
  cron_timer_ = world_.loop.after(1, [this] { cron(); });
  return {};
}

Status Server::install_preloaded(FunctionSet libraries) {
  if (config_.settings().functions_preload.empty()) return {};
  if (executor_.state().is_replica) {
    log_notice("functions-preload has no effect on a replica: it has its primary's libraries");
    return {};
  }
  return tandem::install_preloaded(executor_, functions_, std::move(libraries));
}

void Server::cron() {
  const int64_t hz = std::max<int64_t>(1, config_.settings().hz);
  cron_timer_ = world_.loop.after(static_cast<uint64_t>(1000 / hz), [this] { cron(); });
  executor_.refresh_time();
  update_memory_peak();
  traffic_.sample(world_.clock.monotonic_us(), traffic_totals());
  persistence_.cron();
  debug_sessions_.cron();
  close_clients_past_limits();
  DispatchState& state = executor_.state();
  if (state.paused_until_ms != 0 && world_.clock.monotonic_ms() >= state.paused_until_ms) {
    state.paused_until_ms = 0;
    executor_.resume_paused_clients();
  }
  // A step that is scheduled already goes on by itself.
  if (expire_timer_ == 0) expire_keys();
}

void Server::end_of_turn() {
  // Keys may have changed in other ways than by requests: by expiry, by a primary's stream.
  executor_.blocked().serve();
  Tracking& tracking = executor_.tracking();
  if (tracking.flushed()) tracking.tell_flushed();
  tracking.broadcast();
  executor_.client_memory().evict();
  persistence_.end_of_turn();
  shutdown_.check();
}

void Server::make_room() {
  eviction_timer_ = 0;
  executor_.refresh_time();
  executor_.make_room();
}

void Server::await_blocked_deadline() {
  world_.loop.cancel(blocked_timer_);
  blocked_timer_ = 0;
  const int64_t deadline_ms = executor_.blocked().next_deadline_ms();
  if (deadline_ms == 0) return;
  const int64_t delay_ms = std::max<int64_t>(0, deadline_ms - world_.clock.monotonic_ms());
  blocked_timer_ = world_.loop.after(static_cast<uint64_t>(delay_ms), [this] {
    blocked_timer_ = 0;
    executor_.refresh_time();
    executor_.blocked().time_out();
    await_blocked_deadline();
  });
}

TrafficTotals Server::traffic_totals() const {
  const ExecutorStats& stats = const_cast<Executor&>(executor_).stats();
  const ReplicationInfo replication = replication_.info();
  return {.commands = stats.commands_processed,
          .bytes_in = stats.bytes_in,
          .bytes_out = stats.bytes_out,
          .replication_bytes_in = replication.bytes_in,
          .replication_bytes_out = replication.bytes_out};
}

void Server::expire_keys() {
  expire_timer_ = 0;
  if (!executor_.state().active_expire || executor_.paused()) return;
  executor_.refresh_time();
  // Requests come first: the next step waits for the next turn of the loop.
  if (expire_cycle_.step()) expire_timer_ = world_.loop.after(1, [this] { expire_keys(); });
}

// Clients that have been idle for too long, and those whose output stays above the soft limit
// without another request that would notice it.
void Server::close_clients_past_limits() {
  const int64_t timeout_ms = config_.settings().timeout * 1000;
  for (const auto& [id, client] : executor_.clients()) {
    if (client->closing() || client->link() == nullptr) continue;
    executor_.check_output_limit(*client);
    executor_.client_memory().update(*client);
    if (timeout_ms <= 0 || client->kind != ClientKind::kNormal || client->blocked()) continue;
    if (client->subscriptions != nullptr || client->monitor) continue;
    if (keyspace_.now_ms() - client->last_interaction_ms > timeout_ms) client->close_now();
  }
}

std::string Server::info(std::span<const std::string_view> sections) {
  update_memory_peak();
  return build_info(InfoSources{.executor = executor_,
                                .run_id = run_id_,
                                .started_ms = started_ms_,
                                .startup_memory = startup_memory_,
                                .rates = traffic_.rates(),
                                .links = since(links_at_reset_, link_counts()),
                                .expire_cycle = expire_cycle_.stats(),
                                .persistence = persistence_.info(),
                                .replication = replication_.info(),
                                .function_set = &functions_.functions(),
                                .function_lua_bytes = functions_.memory_bytes(),
                                .scripts = scripts_.cache().size(),
                                .script_source_bytes = scripts_.cache().source_bytes(),
                                .script_lua_bytes = scripts_.memory_bytes(),
                                .evicted_scripts = scripts_.evicted(),
                                .idle_outgoing_connections = outgoing_.idle_connections(),
                                .shutdown_in_ms = shutdown_.left_ms()},
                    sections);
}

Status Server::leave(const ShutdownOptions& options) {
  if (executor_.state().loading) {
    // The files are whole, and what is in memory is not.
    on_shutdown();
    return {};
  }
  const bool save = options.save || (!options.no_save && persistence_.has_save_points());
  const Status saved = persistence_.shut_down(save);
  if (!saved.ok() && !options.force) return saved;
  debug_sessions_.end_children();
  on_shutdown();
  return {};
}

void Server::reset_stats() {
  executor_.stats() = ExecutorStats{};
  executor_.eviction().reset_stats();
  keyspace_.stats() = KeyspaceStats{};
  executor_.commands().reset_stats();
  functions_.reset_stats();
  persistence_.reset_stats();
  replication_.reset_stats();
  traffic_.reset();
  expire_cycle_.reset_stats();
  links_at_reset_ = link_counts();
}

}  // namespace tandem
