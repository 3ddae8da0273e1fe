#include "tests/support/process.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>
#include <stdexcept>
#include <system_error>

#include "tests/support/await.h"

namespace tandem {
namespace {

[[noreturn]] void fail(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

void redirect(int target, const std::string& path, int flags) {
  const int fd = open(path.c_str(), flags, 0644);
  if (fd < 0 || dup2(fd, target) < 0) _exit(126);
  if (fd != target) ::close(fd);
}

// In the child: becomes the program, or exits with 127.
[[noreturn]] void become(const std::vector<std::string>& command, const Process::Files& files) {
  // A test that is killed leaves nothing running.
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  redirect(STDIN_FILENO, files.stdin_path, O_RDONLY);
  redirect(STDOUT_FILENO, files.stdout_path, O_WRONLY | O_CREAT | O_APPEND);
  if (files.stderr_path.empty()) {
    dup2(STDOUT_FILENO, STDERR_FILENO);
  } else {
    redirect(STDERR_FILENO, files.stderr_path, O_WRONLY | O_CREAT | O_APPEND);
  }
  if (!files.directory.empty() && chdir(files.directory.c_str()) != 0) _exit(126);
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  execvp(argv[0], argv.data());
  _exit(127);
}

bool can_bind(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) fail("socket");
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool bound = bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  ::close(fd);
  return bound;
}

std::string program_path(const char* variable, const char* built) {
  const char* other = std::getenv(variable);
  return other != nullptr ? other : std::string(TANDEM_BINARY_DIR "/") + built;
}

}  // namespace

Process::Process(const std::vector<std::string>& command, const Files& files) {
  pid_ = fork();
  if (pid_ < 0) fail("fork");
  if (pid_ == 0) become(command, files);
}

Process::~Process() {
  if (exit_) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

bool Process::running() {
  if (exit_) return false;
  int status = 0;
  const pid_t ended = waitpid(pid_, &status, WNOHANG);
  if (ended < 0) fail("waitpid");
  if (ended == 0) return true;
  exit_ = WIFEXITED(status) ? ExitStatus{.code = WEXITSTATUS(status)}
                            : ExitStatus{.signal = WTERMSIG(status)};
  return false;
}

void Process::signal(int number) {
  if (running() && kill(pid_, number) != 0) fail("kill");
}

ExitStatus Process::wait() {
  if (!eventually([this] { return !running(); })) throw std::runtime_error("it does not end");
  return *exit_;
}

Output run_program(const std::vector<std::string>& command, std::string_view input) {
  const TempDir dir;
  write_whole(dir.file("in"), input);
  Process process(command, {.stdin_path = dir.file("in"),
                            .stdout_path = dir.file("out"),
                            .stderr_path = dir.file("err")});
  const ExitStatus status = process.wait();
  return {status.code, read_whole(dir.file("out")), read_whole(dir.file("err"))};
}

PortLease::PortLease() {
  constexpr int kFirst = 20000;
  constexpr int kLast = 31999;
  // One file for all tests of a user; a port's lock is the byte at its number.
  const auto path = std::filesystem::temp_directory_path() /
                    ("tandem-test-ports-" + std::to_string(getuid()) + ".lock");
  lock_fd_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666);
  if (lock_fd_ < 0) fail(path);
  std::mt19937 random(std::random_device{}());
  std::uniform_int_distribution<int> any(kFirst, kLast);
  for (int attempt = 0; attempt < 1000; ++attempt) {
    port_ = any(random);
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = port_;
    lock.l_len = 1;
    if (fcntl(lock_fd_, F_OFD_SETLK, &lock) != 0) continue;
    if (can_bind(port_)) return;
  }
  throw std::runtime_error("no free port");
}

PortLease::~PortLease() { ::close(lock_fd_); }

std::string tandem_server_path() { return program_path("TANDEM_SERVER", "tandem-server"); }
std::string tandem_cli_path() { return program_path("TANDEM_CLI", "tandem-cli"); }

ServerProcess::ServerProcess(Options options, std::string program, bool start)
    : options_(std::move(options)), program_(std::move(program)) {
  if (start) this->start();
}

ServerProcess::~ServerProcess() {
  if (!::testing::Test::HasFailure() && std::uncaught_exceptions() == 0) return;
  constexpr size_t kTail = 3000;
  const std::string text = log();
  std::cerr << "--- log of " << program_ << " on port " << port() << "\n"
            << text.substr(text.size() > kTail ? text.size() - kTail : 0) << "---\n";
}

std::vector<std::string> ServerProcess::command() const {
  std::vector<std::string> words = {program_,    "--port",
                                    port_text(), "--dir",
                                    dir(),       "--bind",
                                    "127.0.0.1", "--save",
                                    "",          "--appendonly",
                                    "no",        "--enable-debug-command",
                                    "yes",       "--repl-diskless-sync-delay",
                                    "0"};
  words.insert(words.end(), options_.begin(), options_.end());
  return words;
}

void ServerProcess::launch() {
  if (running()) throw std::runtime_error("it runs already");
  // A child that a killed server has just made may not have closed its copy yet.
  if (!eventually([this] { return can_bind(port()); })) {
    throw std::runtime_error("the port is still taken");
  }
  process_.emplace(command(),
                   Process::Files{.stdout_path = log_dir_.file("log"), .directory = dir()});
}

void ServerProcess::start(const Options& more) {
  options_.insert(options_.end(), more.begin(), more.end());
  launch();
  await_ready();
}

void ServerProcess::await_ready() {
  const bool ready = eventually([this] {
    if (!running()) throw std::runtime_error("the server ended at its start:\n" + log());
    try {
      const ReplyValue pong = connect().call("PING");
      return !pong.text.starts_with("LOADING");
    } catch (const std::exception&) {
      return false;
    }
  });
  if (!ready) throw std::runtime_error("the server does not answer:\n" + log());
}

Output ServerProcess::start_that_fails() {
  TempDir output;
  process_.emplace(command(), Process::Files{.stdout_path = output.file("out"),
                                             .stderr_path = output.file("err"),
                                             .directory = dir()});
  const ExitStatus status = process_->wait();
  return {status.code, read_whole(output.file("out")), read_whole(output.file("err"))};
}

std::string ServerProcess::info(std::string_view field) const {
  const std::string all = text("INFO", "everything");
  const std::string start = "\n" + std::string(field) + ":";
  const size_t found = all.find(start);
  if (found == std::string::npos) return {};
  const size_t value = found + start.size();
  return all.substr(value, all.find_first_of("\r\n", value) - value);
}

ExitStatus ServerProcess::terminate() {
  process_->signal(SIGTERM);
  return process_->wait();
}

void ServerProcess::kill() {
  process_->signal(SIGKILL);
  process_->wait();
}

std::string ServerProcess::log() const {
  return std::filesystem::exists(log_dir_.file("log")) ? read_whole(log_dir_.file("log")) : "";
}

}  // namespace tandem
