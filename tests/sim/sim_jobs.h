#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "server/resp/reply_reader.h"
#include "tests/sim/sim_client.h"
#include "tests/sim/sim_model.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/sim_world.h"

namespace tandem {

// A queue between two clients: one pushes the numbers 1, 2, … into a list, and one pops them, most
// of the time waiting for the next push. Nothing is handed over twice, out of order, or to nobody;
// what was pushed and not popped is in the list.
class SimJobs {
 public:
  SimJobs(SimWorld* world, SimNetwork* network, const std::string& server);
  ~SimJobs();

  // As of SimClient.
  std::function<std::optional<Inspection>()> inspect_primary;
  void start(int64_t pace_ms);
  void stop() { stopped_ = true; }
  void resume();
  bool idle() const { return !push_sent_ && !pop_sent_; }
  void connect_anew(const std::string& server);
  // Numbers that a pop has waited for.
  uint64_t handed_over() const { return handed_over_; }

  // As of ClientModel.
  void resolve(const Inspection& dataset, const Promise& promise, int64_t now_us);
  void moved(int64_t now_us);
  void settled();
  void flushed();
  static bool owns(const std::string& key);

 private:
  // Of the numbers up to this one it is known that they were pushed, or popped.
  struct Step {
    uint64_t number;
    int64_t known_us;
    bool acknowledged;
  };
  // What has happened to the numbers in one direction.
  struct Side {
    uint64_t last = 0;
    uint64_t durable = 0;  // cannot be lost any more
    std::vector<Step> steps;

    void take(uint64_t number, int64_t now_us, bool acknowledged);
    uint64_t promised(const Promise& promise) const;
    void adopt(uint64_t number, int64_t now_us);
  };

  void think_of_push();
  void think_of_pop();
  void push();
  void pop();
  void pushed(const ReplyValue& reply);
  void popped(const ReplyValue& reply);
  void check_that_nothing_came() const;
  void connect();
  void lost(const SimConnection& connection);
  void begin_anew();
  void find_out();

  SimWorld& world_;
  SimConnection producer_, consumer_;
  std::set<const SimConnection*> dialling_;
  int64_t pace_ms_ = 20;
  bool stopped_ = false;
  bool finding_out_ = false;
  Side pushes_, pops_;
  std::set<uint64_t> kept_;  // numbers that a pop has moved to another list
  bool push_sent_ = false, pop_sent_ = false;
  bool pop_keeps_ = false;  // the one that was sent
  int64_t pop_sent_us_ = 0;
  int64_t pop_waits_until_us_ = 0;  // at least
  size_t push_replies_ = 0;         // to the transaction that was sent
  uint64_t handed_over_ = 0;
};

}  // namespace tandem
