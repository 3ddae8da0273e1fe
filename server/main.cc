// tandem-server: reads the configuration, opens the machine's world, and runs a Server on it.

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <vector>

#include "server/base/config.h"
#include "server/base/crash.h"
#include "server/base/digest.h"
#include "server/base/hash.h"
#include "server/base/log.h"
#include "server/base/memory.h"
#include "server/base/posix_env.h"
#include "server/base/random.h"
#include "server/base/strings.h"
#include "server/base/version.h"
#include "server/crash_context.h"
#include "server/net/uv_loop.h"
#include "server/second_signal.h"
#include "server/server.h"
#include "server/store/keyspace.h"

namespace tandem {
namespace {

constexpr std::string_view kUsage =
    "Usage: tandem-server [CONFIG-FILE] [-] [--OPTION VALUE...]...\n"
    "       tandem-server --version | --help\n"
    "\n"
    "CONFIG-FILE is a valkey.conf or redis.conf; a single - reads more of it from standard input;\n"
    "options override both. Examples:\n"
    "       tandem-server --port 6380 --replicaof 127.0.0.1 6379\n"
    "       tandem-server /etc/valkey/valkey.conf --appendonly yes\n"
    "       tandem-server --dbfilename functions.rdb\n";

constexpr rlim_t kOwnFiles = 32;  // descriptors that are not clients

int fail(const std::string& message) {
  // Who starts the server at a terminal does not look into a log file first.
  if (*log_path() != '\0') log_warning(message);
  std::cerr << "tandem-server: " << message << "\n";
  return 1;
}

std::string working_directory() {
  char* path = getcwd(nullptr, 0);
  const std::string result = path != nullptr ? path : "/";
  std::free(path);
  return result;
}

Status load_configuration(Config& config, Env& env, int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  Result<StartArguments> start = parse_start_arguments(arguments);
  if (!start.ok()) return start.error();
  if (!start.value().config_file.empty()) {
    if (Status loaded = config.load_file(env, start.value().config_file); !loaded.ok())
      return loaded;
  }
  if (start.value().from_stdin) {
    const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
    if (Status loaded = config.load_text(env, text, "(stdin)"); !loaded.ok()) return loaded;
  }
  return config.load_options(env, start.value());
}

// Enough descriptors for maxclients and the files; fewer clients when the system does not give
// them.
void raise_file_limit(Config& config) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = static_cast<rlim_t>(config.settings().maxclients) + kOwnFiles;
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = std::min(wanted, limit.rlim_max);
  setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= wanted) return;
  config.mutable_settings().maxclients = static_cast<int64_t>(limit.rlim_cur - kOwnFiles);
  log_warning("The system allows " + std::to_string(limit.rlim_cur) +
              " open files: maxclients has been reduced to " +
              std::to_string(config.settings().maxclients));
}

// CONFIG SET maxclients: refused when the system does not give as many descriptors.
Status check_file_limit(const Config& config) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return {};
  const rlim_t wanted = static_cast<rlim_t>(config.settings().maxclients) + kOwnFiles;
  if (limit.rlim_cur >= wanted) return {};
  limit.rlim_cur = wanted;
  if (limit.rlim_cur <= limit.rlim_max && setrlimit(RLIMIT_NOFILE, &limit) == 0) return {};
  return make_error(
      ErrorKind::kLimit,
      "The operating system is not able to handle the specified number of clients, try with " +
          std::to_string(limit.rlim_max - kOwnFiles));
}

UvLoop::Accepted accepting(Server& server) {
  return [&server](Link* link) -> LinkHandler* { return server.accept(link); };
}

Status listen_tcp_everywhere(const Settings& settings, UvLoop& loop, Server& server) {
  bool listening = false;
  for (const std::string& address : settings.bind) {
    if (settings.port == 0) break;
    const bool optional = address.starts_with('-');
    const Status opened =
        loop.listen_tcp(optional ? address.substr(1) : address, static_cast<int>(settings.port),
                        static_cast<int>(settings.tcp_backlog), accepting(server));
    if (!opened.ok() && !optional) return opened;
    listening |= opened.ok();
  }
  if (settings.port != 0 && !listening) {
    return make_error(ErrorKind::kIo, "no address of the bind option could be listened on, port " +
                                          std::to_string(settings.port));
  }
  return {};
}

Status listen_everywhere(const Settings& settings, UvLoop& loop, Server& server) {
  Status listening = listen_tcp_everywhere(settings, loop, server);
  if (!listening.ok() || settings.unixsocket.empty()) return listening;
  return loop.listen_unix(settings.unixsocket, static_cast<unsigned>(settings.unixsocketperm),
                          static_cast<int>(settings.tcp_backlog), accepting(server));
}

// CONFIG SET port and bind. The old sockets go first, as the new ones may want their addresses;
// when that fails this runs again with the old values. Connections that there are stay.
void follow_changed_addresses(Config& config, UvLoop& loop, Server& server) {
  const auto follow = [&](std::string_view directive, std::string_view refusal) {
    config.on_change({directive}, [&config, &loop, &server, refusal]() -> Status {
      loop.close_tcp_listeners();
      const Status listening = listen_tcp_everywhere(config.settings(), loop, server);
      if (listening.ok()) return {};
      log_warning("Could not listen: " + listening.error().to_string());
      return make_error(ErrorKind::kIo, std::string(refusal));
    });
  };
  follow("port", "Unable to listen on this port. Check server logs.");
  follow("bind", "Failed to bind to specified addresses.");
}

Server::ShutdownOptions signal_shutdown(unsigned flags) {
  return {.save = (flags & kShutdownSave) != 0,
          .no_save = (flags & kShutdownNosave) != 0,
          .now = (flags & kShutdownNow) != 0,
          .force = (flags & kShutdownForce) != 0};
}

void handle_signals(const Config& config, UvLoop& loop, Server& server) {
  signal(SIGPIPE, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
  for (const int number : {SIGTERM, SIGINT}) {
    loop.on_signal(number, [&config, &server, number] {
      log_warning(number == SIGINT ? "Received SIGINT scheduling shutdown..."
                                   : "Received SIGTERM scheduling shutdown...");
      const Settings& settings = config.settings();
      const unsigned flags =
          number == SIGINT ? settings.shutdown_on_sigint : settings.shutdown_on_sigterm;
      // What goes wrong is logged.
      (void)server.shutdown(signal_shutdown(flags), nullptr);
    });
  }
  end_at_second_sigint();
  server.on_shutdown_cancelled = forget_first_signal;
}

void write_pid_file(const std::string& path, Env& env) {
  if (path.empty()) return;
  const Status written = write_file_atomically(env, path, std::to_string(getpid()) + "\n");
  if (!written.ok()) log_warning("Writing the pid file: " + written.error().to_string());
}

Status daemonize_if_asked(const Settings& settings) {
  if (!settings.daemonize) return {};
  if (daemon(1, 0) != 0) return make_error(ErrorKind::kIo, "daemonize: fork failed");
  return {};
}

// Keeps the dataset from being freed key by key, which takes seconds for a large one: the end of
// the process frees it at once. Who looks for leaks could not tell it from one.
void abandon_dataset([[maybe_unused]] Keyspace& keyspace) {
#if !defined(__SANITIZE_ADDRESS__)
  static auto* const abandoned = new Keyspace(keyspace.database_count());
  keyspace.swap_contents(*abandoned);
#endif
}

// Takes back what tells others that the server is there.
void say_goodbye(const Settings& settings, UvLoop& loop, Env& env) {
  loop.close_listeners();
  if (!settings.pidfile.empty()) (void)env.remove(settings.pidfile);
  if (!settings.unixsocket.empty()) (void)env.remove(settings.unixsocket);
  log_warning("Tandem is now ready to exit, bye bye...");
}

int run(int argc, char** argv) {
  Config config(working_directory());
  UvLoop loop;
  const std::unique_ptr<Env> env =
      make_posix_env([&loop](std::function<void()> work) { loop.post(std::move(work)); });
  if (Status loaded = load_configuration(config, *env, argc, argv); !loaded.ok()) {
    return fail(loaded.error().to_string());
  }
  const Settings& settings = config.settings();
  if (chdir(settings.dir.c_str()) != 0) {
    return fail("Can't chdir to '" + settings.dir + "': " + std::strerror(errno));
  }
  if (Status opened = open_log(settings.logfile); !opened.ok())
    return fail(opened.error().to_string());
  set_log_level(settings.loglevel);
  if (Status forked = daemonize_if_asked(settings); !forked.ok())
    return fail(forked.error().to_string());
  if (settings.crash_log_enabled) install_crash_handler();
  log_notice("tandem " + std::string(kTandemVersion) + " is starting, process id " +
             std::to_string(getpid()));
  set_hash_seed(random_seed());
  raise_file_limit(config);

  set_allocator_background_thread(settings.jemalloc_bg_thread);
  config.on_change({"jemalloc-bg-thread"}, [&settings]() -> Status {
    set_allocator_background_thread(settings.jemalloc_bg_thread);
    return {};
  });
  config.on_change({"dir"}, [&settings]() -> Status {
    if (chdir(settings.dir.c_str()) == 0) return {};
    return make_error(ErrorKind::kIo, std::string("Changing directory: ") + std::strerror(errno));
  });
  config.on_change({"maxclients"}, [&config]() -> Status { return check_file_limit(config); });
  config.on_change({"tcp-keepalive"}, [&loop, &settings]() -> Status {
    loop.set_tcp_keepalive(static_cast<int>(settings.tcp_keepalive));
    return {};
  });
  Server server(config, World{.env = *env,
                              .loop = loop,
                              .clock = system_clock(),
                              .random_seed = random_seed(),
                              .link_counts = &loop.link_counts()});
  server.on_shutdown = [&] {
    loop.stop();
    const DispatchState& state = server.executor().state();
    if (state.busy.empty() && !state.loading) return;
    // The function that is running may never give the loop back, the loading not soon.
    say_goodbye(settings, loop, *env);
    std::_Exit(0);
  };
  set_crash_context_provider(describe_running_command, &server.executor());
  server.executor().serve_while_busy = [&loop] { loop.serve_while_busy(); };
  server.serve_while_loading = [&loop] { loop.run_once(); };
  loop.set_tcp_keepalive(static_cast<int>(settings.tcp_keepalive));
  loop.set_before_flush([&server] { server.end_of_turn(); });
  handle_signals(config, loop, server);
  follow_changed_addresses(config, loop, server);
  bool listened = false;
  const auto listen = [&]() -> Status {
    Status listening = listen_everywhere(settings, loop, server);
    listened = listening.ok();
    if (listened) return listening;
    return make_error(listening.error().kind, "Could not listen: " + listening.error().to_string());
  };
  if (Status started = server.start(listen); !started.ok()) {
    if (listened && !settings.unixsocket.empty()) (void)env->remove(settings.unixsocket);
    return fail(started.error().to_string());
  }
  write_pid_file(settings.pidfile, *env);
  log_notice("Ready to accept connections tcp");
  loop.run();
  set_crash_context_provider(nullptr, nullptr);
  say_goodbye(settings, loop, *env);
  abandon_dataset(server.keyspace());
  return 0;
}

}  // namespace
}  // namespace tandem

int main(int argc, char** argv) {
  const std::string_view first = argc == 2 ? argv[1] : "";
  if (first == "--help" || first == "-h") {
    std::cout << tandem::kUsage;
    return 0;
  }
  if (first == "--version" || first == "-v") {
    std::cout << "Tandem server v=" << tandem::kTandemVersion
              << " redis_version=" << tandem::kRedisVersion << "\n";
    return 0;
  }
  return tandem::run(argc, argv);
}
