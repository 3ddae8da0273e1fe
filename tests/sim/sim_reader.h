#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "server/resp/reply_reader.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/sim_model.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/sim_world.h"

namespace tandem {

// The keys that a client's function get reads, in their order.
inline constexpr const char* kReadNames[] = {"last", "x1", "x2", "x3", "x4", "a", "b"};
inline constexpr size_t kFirstTogether = 1, kLastTogether = 4;  // written together, to one value
inline constexpr size_t kDebit = 5, kCredit = 6;                // always sum up to nothing

Words read_request(int client);

// A client of a replica that only reads, and sees that what a function has written together is
// seen together, whatever the replica is going through.
class SimReader {
 public:
  SimReader(SimWorld* world, SimNetwork* network, int clients);

  // Asked for each connection: whom to read from.
  std::function<std::string()> choose_server;
  // Whether that server is a replica, and nobody is making it a primary.
  std::function<bool(const std::string& server)> is_replica;

  void start(int64_t pace_ms);
  void stop() { stopped_ = true; }
  void resume();
  uint64_t values_seen() const { return values_seen_; }

 private:
  enum class Asked : uint8_t { kRead, kWrite, kOther };

  void connect();
  void think();
  void ask();
  void check(const ReplyValue& reply);

  SimWorld& world_;
  const int clients_;
  SimConnection connection_;
  int64_t pace_ms_ = 50;
  bool stopped_ = false;
  bool waiting_ = false;
  bool asked_replica_ = false;
  Asked asked_ = Asked::kRead;
  uint64_t values_seen_ = 0;
};

}  // namespace tandem
