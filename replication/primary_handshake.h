#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tandem {

// A replica's side of the conversation that begins a link: PING, AUTH, REPLCONF, PSYNC. Knows no
// link: it is given the primary's lines and says what to send.
class PrimaryHandshake {
 public:
  struct Options {
    std::string user, password;  // no password: no AUTH
    int64_t listening_port = 0;
    std::string announce_ip;  // empty: as the primary sees it
    std::string history_id;   // of the data held
    int64_t next_offset = 1;  // the first that is missing
    bool take_over = false;   // asks the other server, a replica so far, to become the primary
  };
  enum class Kind : uint8_t {
    kGoOn,      // send what is in `send`, if anything
    kFullSync,  // a snapshot follows; `id` and `offset` are where it stands
    kContinue,  // the stream goes on; `id` is the primary's id if it told one
    kFailed,    // `message` says why; to be tried again
  };
  struct Outcome {
    Kind kind = Kind::kGoOn;
    std::string send = {};
    std::string id = {};
    uint64_t offset = 0;
    std::string message = {};
    bool refused = false;  // kFailed: it was PSYNC itself that the server answered so
  };

  explicit PrimaryHandshake(Options options) : options_(std::move(options)) {}

  // The first request.
  std::string begin() const;
  // A line without its line break. Empty lines keep the link alive.
  Outcome on_line(std::string_view line);

 private:
  enum class Phase : uint8_t { kPing, kOptions, kPsync };

  Outcome on_pong(std::string_view line);
  Outcome on_option_reply(std::string_view line);
  Outcome on_psync_reply(std::string_view line);
  std::string options_requests();
  std::string psync_request() const;
  static Outcome failed(std::string message);
  static Outcome refused(std::string message);

  const Options options_;
  bool took_over_before_ = false;  // the other server is a primary already
  Phase phase_ = Phase::kPing;
  std::vector<std::string> unanswered_;  // what the next replies are about, first one last
};

}  // namespace tandem
