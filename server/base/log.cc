#include "server/base/log.h"

#include <fcntl.h>
#include <pthread.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <mutex>

namespace tandem {

namespace {

std::atomic<LogLevel> current_level{LogLevel::kNotice};
std::atomic<char> current_role{'M'};
// A plain array, because the crash handler reads it.
char log_file_path[4096] = "";

spdlog::level::level_enum spdlog_level(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kVerbose:
      return spdlog::level::info;
    case LogLevel::kNotice:
      return spdlog::level::warn;
    default:
      return spdlog::level::err;
  }
}

class RoleFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg&, const std::tm&, spdlog::memory_buf_t& out) override {
    out.push_back(current_role.load(std::memory_order_relaxed));
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<RoleFlag>();
  }
};

class LevelFlag final : public spdlog::custom_flag_formatter {
 public:
  void format(const spdlog::details::log_msg& message, const std::tm&,
              spdlog::memory_buf_t& out) override {
    static constexpr char kMarks[] = ".-*#";
    out.push_back(kMarks[message.level - spdlog::level::debug]);
  }
  std::unique_ptr<custom_flag_formatter> clone() const override {
    return std::make_unique<LevelFlag>();
  }
};

std::unique_ptr<spdlog::formatter> line_formatter() {
  auto formatter = std::make_unique<spdlog::pattern_formatter>();
  formatter->add_flag<RoleFlag>('*').add_flag<LevelFlag>('&');
  formatter->set_pattern("%P:%* %d %b %Y %H:%M:%S.%e %& %v");
  return formatter;
}

std::string escape_control_characters(std::string_view message) {
  std::string out;
  out.reserve(message.size());
  for (char c : message) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 32 && byte != 127) {
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\r') {
      out += "\\r";
    } else if (c == '\t') {
      out += "\\t";
    } else {
      char hex[5];
      std::snprintf(hex, sizeof hex, "\\x%02x", byte);
      out += hex;
    }
  }
  return out;
}

// The process's one log. Its mutex is held across fork(), so a child never inherits it locked by a
// thread that the child does not have.
class Log {
 public:
  Log() { use_sink(std::make_shared<spdlog::sinks::stdout_sink_st>()); }

  Status open(const std::string& path) {
    std::lock_guard guard(mutex_);
    if (path.size() >= sizeof log_file_path) {
      return make_error(ErrorKind::kInvalid, "Can't open the log file: path too long");
    }
    if (path.empty()) {
      use_sink(std::make_shared<spdlog::sinks::stdout_sink_st>());
    } else if (Status opened = open_file(path); !opened.ok()) {
      return opened;
    }
    path.copy(log_file_path, path.size());
    log_file_path[path.size()] = '\0';
    path_ = path;
    return {};
  }

  void write(LogLevel level, std::string_view message) {
    const std::string text = escape_control_characters(message);
    std::lock_guard guard(mutex_);
    // Log rotation moves the file away without telling us.
    if (!path_.empty() && file_was_replaced() && !open_file(path_).ok()) return;
    logger_->log(spdlog_level(level), spdlog::string_view_t(text.data(), text.size()));
  }

  std::mutex& mutex() { return mutex_; }

 private:
  void use_sink(std::shared_ptr<spdlog::sinks::sink> sink) {
    auto logger = std::make_unique<spdlog::logger>("tandem", std::move(sink));
    logger->set_formatter(line_formatter());
    logger->set_level(spdlog::level::trace);
    logger->flush_on(spdlog::level::trace);
    // A full disk must not end the server, and there is nowhere left to say so.
    logger->set_error_handler([](const std::string&) {});
    logger_ = std::move(logger);
  }

  Status open_file(const std::string& path) {
    // spdlog would create missing directories and try again for a while; we refuse, with a reason.
    const int fd = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
      return make_error(ErrorKind::kIo,
                        "Can't open the log file " + path + ": " + std::strerror(errno));
    }
    struct stat status {};
    ::fstat(fd, &status);
    ::close(fd);
    try {
      use_sink(std::make_shared<spdlog::sinks::basic_file_sink_st>(path));
    } catch (const spdlog::spdlog_ex& failure) {
      return make_error(ErrorKind::kIo, std::string("Can't open the log file: ") + failure.what());
    }
    device_ = status.st_dev;
    inode_ = status.st_ino;
    return {};
  }

  bool file_was_replaced() const {
    struct stat status {};
    return ::stat(path_.c_str(), &status) != 0 || status.st_dev != device_ ||
           status.st_ino != inode_;
  }

  std::mutex mutex_;
  std::unique_ptr<spdlog::logger> logger_;
  std::string path_;
  dev_t device_ = 0;
  ino_t inode_ = 0;
};

Log& the_log() {
  // Never destroyed: lines may come from threads and destructors that outlive main().
  static Log* const log = [] {
    auto* created = new Log;
    pthread_atfork([] { the_log().mutex().lock(); }, [] { the_log().mutex().unlock(); },
                   [] { the_log().mutex().unlock(); });
    return created;
  }();
  return *log;
}

}  // namespace

Status open_log(const std::string& path) { return the_log().open(path); }
const char* log_path() { return log_file_path; }
void set_log_level(LogLevel level) { current_level.store(level, std::memory_order_relaxed); }
LogLevel log_level() { return current_level.load(std::memory_order_relaxed); }
void set_log_role(char role) { current_role.store(role, std::memory_order_relaxed); }

void log_line(LogLevel level, std::string_view message) {
  if (level < log_level() || level == LogLevel::kNothing) return;
  the_log().write(level, message);
}

}  // namespace tandem
