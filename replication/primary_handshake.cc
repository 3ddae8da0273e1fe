#include "replication/primary_handshake.h"

#include <algorithm>

#include "replication/request.h"
#include "server/base/log.h"
#include "server/base/numbers.h"

namespace tandem {

namespace {

constexpr size_t kIdLength = 40;
// What a replica says it is. A primary chooses the snapshot's format by it: this one reads all that
// Valkey 7.2 to 8 write.
// What a Valkey primary takes for a server that reads RDB version 80.
constexpr std::string_view kAnnouncedVersion = "9.0.0";
constexpr std::string_view kAuth = "AUTH";

}  // namespace

PrimaryHandshake::Outcome PrimaryHandshake::failed(std::string message) {
  Outcome outcome;
  outcome.kind = Kind::kFailed;
  outcome.message = std::move(message);
  return outcome;
}

PrimaryHandshake::Outcome PrimaryHandshake::refused(std::string message) {
  Outcome outcome = failed(std::move(message));
  outcome.refused = true;
  return outcome;
}

std::string PrimaryHandshake::begin() const { return encode_request({"PING"}); }

PrimaryHandshake::Outcome PrimaryHandshake::on_line(std::string_view line) {
  if (line.empty()) return {};
  switch (phase_) {
    case Phase::kPing:
      return on_pong(line);
    case Phase::kOptions:
      return on_option_reply(line);
    case Phase::kPsync:
      return on_psync_reply(line);
  }
  return {};
}

PrimaryHandshake::Outcome PrimaryHandshake::on_pong(std::string_view line) {
  // A primary that wants a password first, or hides PING from this user, is there all the same.
  const bool alive = line.starts_with("+") || line.starts_with("-NOAUTH") ||
                     line.starts_with("-NOPERM") ||
                     line.starts_with("-ERR operation not permitted");
  if (!alive) return failed("Error reply to PING from master: '" + std::string(line) + "'");
  log_notice("Master replied to PING, replication can continue...");
  phase_ = Phase::kOptions;
  Outcome outcome;
  outcome.send = options_requests();
  return outcome;
}

std::string PrimaryHandshake::options_requests() {
  std::string send;
  if (!options_.password.empty()) {
    send += options_.user.empty() ? encode_request({kAuth, options_.password})
                                  : encode_request({kAuth, options_.user, options_.password});
    unanswered_.emplace_back(kAuth);
  }
  send += encode_request({"REPLCONF", "listening-port", std::to_string(options_.listening_port)});
  unanswered_.emplace_back("REPLCONF listening-port");
  if (!options_.announce_ip.empty()) {
    send += encode_request({"REPLCONF", "ip-address", options_.announce_ip});
    unanswered_.emplace_back("REPLCONF ip-address");
  }
  send += encode_request({"REPLCONF", "capa", "eof", "capa", "psync2", "capa", "lz4"});
  unanswered_.emplace_back("REPLCONF capa");
  send += encode_request({"REPLCONF", "version", kAnnouncedVersion});
  unanswered_.emplace_back("REPLCONF version");
  std::reverse(unanswered_.begin(), unanswered_.end());
  return send;
}

PrimaryHandshake::Outcome PrimaryHandshake::on_option_reply(std::string_view line) {
  const std::string request = unanswered_.back();
  unanswered_.pop_back();
  if (line.starts_with("-")) {
    if (request == kAuth) {
      return failed("Unable to AUTH to MASTER: " + std::string(line));
    }
    if (line.starts_with("-NOAUTH") || line.starts_with("-NOPERM")) {
      return failed("The primary refused " + request + ": " + std::string(line));
    }
    // An older primary does not know every option.
    log_notice("(Non critical) Master does not understand " + request + ": " + std::string(line));
  }
  if (!unanswered_.empty()) return {};
  phase_ = Phase::kPsync;
  log_notice("Trying a partial resynchronization (request " + options_.history_id + ":" +
             std::to_string(options_.next_offset) + ").");
  Outcome outcome;
  outcome.send = psync_request();
  return outcome;
}

std::string PrimaryHandshake::psync_request() const {
  const std::string offset = std::to_string(options_.next_offset);
  return options_.take_over && !took_over_before_
             ? encode_request({"PSYNC", options_.history_id, offset, "FAILOVER"})
             : encode_request({"PSYNC", options_.history_id, offset});
}

PrimaryHandshake::Outcome PrimaryHandshake::on_psync_reply(std::string_view line) {
  constexpr std::string_view kFull = "+FULLRESYNC ";
  constexpr std::string_view kGoOnFrom = "+CONTINUE";
  constexpr std::string_view kIsPrimary = "-ERR PSYNC FAILOVER can't be sent to a master";
  Outcome outcome;
  if (options_.take_over && !took_over_before_ && line.starts_with(kIsPrimary)) {
    // The link may have broken after the other server took over and before its answer came. Then
    // it goes on with this server's history; two primaries would be left if it were not followed.
    took_over_before_ = true;
    outcome.send = psync_request();
    return outcome;
  }
  if (took_over_before_ && !line.starts_with(kGoOnFrom)) {
    return refused("The server that was to take over is a primary with another history: " +
                   std::string(line));
  }
  if (line.starts_with(kFull)) {
    const std::string_view rest = line.substr(kFull.size());
    const std::string_view id = rest.substr(0, rest.find(' '));
    const auto offset =
        parse_uint64(rest.size() > id.size() ? rest.substr(id.size() + 1) : std::string_view());
    if (id.size() != kIdLength || !offset) {
      return refused("Master replied with wrong +FULLRESYNC syntax.");
    }
    log_notice("Full resync from master: " + std::string(rest));
    outcome.kind = Kind::kFullSync;
    outcome.id = id;
    outcome.offset = *offset;
    return outcome;
  }
  if (line.starts_with(kGoOnFrom)) {
    log_notice("Successful partial resynchronization with master.");
    outcome.kind = Kind::kContinue;
    const std::string_view id = line.substr(kGoOnFrom.size());
    if (id.size() == kIdLength + 1 && id.front() == ' ') outcome.id = id.substr(1);
    return outcome;
  }
  if (line.starts_with("-NOMASTERLINK") || line.starts_with("-LOADING")) {
    return refused("Master is currently unable to PSYNC but should be in the future: " +
                   std::string(line));
  }
  return refused("Unexpected reply to PSYNC from master: " + std::string(line));
}

}  // namespace tandem
