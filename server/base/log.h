#pragma once

#include <string>
#include <string_view>

#include "server/base/result.h"

namespace tandem {

// Levels as `loglevel` names them. kRaw-free: every line carries the prefix
// `pid:role day month year time.ms level message`, role X (sentinel), C (child), S (replica) or M
// (primary), level one of . - * #.
enum class LogLevel : unsigned char { kDebug, kVerbose, kNotice, kWarning, kNothing };

// Sends log lines to `path`, or to standard output when it is empty.
Status open_log(const std::string& path);
// The path given to the last open_log() that succeeded; empty for standard output. Safe to read in
// a signal handler.
const char* log_path();
void set_log_level(LogLevel level);
LogLevel log_level();
// 'M', 'S' or 'C', shown behind the process id.
void set_log_role(char role);

// Writes one line. Thread-safe. Control characters in the message are escaped.
void log_line(LogLevel level, std::string_view message);

inline void log_debug(std::string_view message) { log_line(LogLevel::kDebug, message); }
inline void log_verbose(std::string_view message) { log_line(LogLevel::kVerbose, message); }
inline void log_notice(std::string_view message) { log_line(LogLevel::kNotice, message); }
inline void log_warning(std::string_view message) { log_line(LogLevel::kWarning, message); }

}  // namespace tandem
