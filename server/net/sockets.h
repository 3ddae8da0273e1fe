#pragma once

#include <sys/socket.h>

#include <string>

#include "server/base/result.h"

namespace tandem {

// "127.0.0.1:6379", "[::1]:6379" for IPv6, "/path:0" for a unix socket.
std::string socket_peer_name(int fd);
std::string socket_local_name(int fd);

// Non-blocking listening sockets (bound, not yet listening). The caller closes them.
Result<int> bind_tcp(const std::string& address, int port);
Result<int> bind_unix(const std::string& path, unsigned mode);

// Prepares an accepted or connected TCP socket: no delay, keep-alive probes after
// `keepalive_seconds` (0: none).
void tune_tcp(int fd, int keepalive_seconds);

}  // namespace tandem
