#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/process.h"

namespace tandem {

// A client that writes in pipelines, from a thread of its own, and knows what must and what may be
// found when the server has died under it: single commands, transactions, functions that write
// several keys, and libraries that are loaded again in another version. Each of these is a unit: it
// is there as a whole or not at all, and only if all units before it are.
//
// One object follows a server through many lives: begin(), end() once the server was killed, and
// after its restart find().
class LoadClient {
 public:
  using Time = std::chrono::steady_clock::time_point;

  // The keys it writes belong to this number alone.
  LoadClient(int number, uint64_t seed);
  ~LoadClient();
  LoadClient(const LoadClient&) = delete;
  LoadClient& operator=(const LoadClient&) = delete;

  // Loads the functions that all clients call.
  static void prepare(const ServerProcess& server);

  // `pause`: between one pipeline and the next.
  void begin(const ServerProcess& server, std::chrono::milliseconds pause = {});
  // Awaits the end of the connection.
  void end();

  // Units of this life; a unit counts as acknowledged when all its replies have been read.
  size_t acknowledged() const { return acknowledged_; }
  size_t sent() const { return units_.size(); }  // after end()
  // How many had been acknowledged `age` before the last request that got an answer was sent: by
  // then the server had turned its loop for the last time that we know of. After end().
  size_t acknowledged_before_the_end(std::chrono::milliseconds age) const;

  // Looks at what the server holds now and returns how many units of the last life that is; the
  // next life goes on from there. Throws std::runtime_error, with all that is known, when it is no
  // state between `required` units and all that were sent.
  size_t find(const ServerProcess& server, size_t required);

  // When the unit was sent and acknowledged, of those of the life before the last find(). `never`
  // for one that was not.
  static constexpr Time kNever = Time::max();
  Time sent_at(size_t unit) const;
  Time acknowledged_at(size_t unit) const;

 private:
  enum class Kind : uint8_t { kCommand, kTransaction, kFunction, kPush, kLibrary };
  struct Unit {
    Kind kind;
    uint64_t number;
  };
  struct Batch {
    size_t end;  // units up to here
    Time sent;
    Time acknowledged = kNever;
  };
  static constexpr size_t kSlots = 16;
  static constexpr size_t kListLength = 8;
  // What the client's keys hold.
  struct State {
    std::string last;                // the number of the last unit that wrote keys
    std::string slots[kSlots] = {};  // of the last that wrote to this slot
    std::deque<std::string> list;    // the last ones of kind kPush
    std::string version;             // of the library

    bool operator==(const State&) const = default;
    std::string text() const;
  };

  void run(std::chrono::milliseconds pause);
  void run_batch();
  static int replies(const Unit& unit);
  std::string request(const Unit& unit) const;
  void apply(const Unit& unit, State* state) const;
  State read_state(const ServerProcess& server) const;
  const Batch* batch_of(size_t unit) const;
  std::string key(std::string_view name) const { return prefix_ + ":" + std::string(name); }
  std::string slot_key(uint64_t number) const;

  const std::string prefix_;
  std::mt19937_64 random_;
  uint64_t next_number_ = 1;
  State state_;  // at the beginning of this life
  std::vector<Unit> units_;
  std::vector<Batch> batches_;
  std::vector<Batch> earlier_batches_;  // of the life before
  std::atomic<size_t> acknowledged_ = 0;
  std::string surprise_;  // a reply that should not have come
  std::unique_ptr<RespClient> connection_;
  std::thread thread_;
};

}  // namespace tandem
