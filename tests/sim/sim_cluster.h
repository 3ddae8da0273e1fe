#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/sim_network.h"
#include "tests/sim/sim_node.h"
#include "tests/sim/sim_plan.h"
#include "tests/sim/sim_world.h"

namespace tandem {

// The machines of a simulation and who is to follow whom: what an operator, or a Sentinel, wants
// and sees to.
class SimCluster {
 public:
  SimCluster(SimWorld* world, SimNetwork* network, const SimPlan& plan);
  ~SimCluster();

  SimNode& primary() { return *primary_; }
  const SimNode& primary() const { return *primary_; }
  const std::vector<std::unique_ptr<SimNode>>& nodes() const { return nodes_; }
  // Any replica, by chance.
  SimNode& some_replica();
  // Null for the primary.
  SimNode* upstream(const SimNode& node) const { return followers_.at(index_of(node)).upstream; }
  int direct_replicas() const;
  // Whether the server of that host is up and sees itself so.
  bool is_replica(const std::string& host) const;

  // Every node is up, linked and at the primary's offset, and their datasets are the same.
  bool in_sync();

  // Since when the replica has held, without a break, what the present primary has sent it, as far
  // as it has acknowledged that; kNever when it does not.
  static constexpr int64_t kNever = INT64_MAX;
  int64_t in_line_since_us(const SimNode& node) const;

  // Looks at everybody's role and link, from time to time. While `failing_over` nobody is told what
  // to be.
  void look(bool failing_over);
  // Whether a replica that has refused an empty primary is then told to take its sync.
  void force_empty(bool force) { force_empty_ = force; }
  void node_restarted(const SimNode& node);

  // The node takes over, from now on: who followed the primary comes to follow it, directly or not.
  // It must be up. The others are told after a while.
  void make_primary(SimNode& node);

 private:
  struct Follower {
    SimNode* upstream = nullptr;
    int64_t in_line_since_us = kNever;
    int64_t told_at_us = 0;  // until then it may not know
  };

  size_t index_of(const SimNode& node) const;
  bool linked(const SimNode& node) const;
  bool leads_to(const SimNode& node, const SimNode& target) const;
  void set_upstream(SimNode& node, SimNode* upstream);
  static bool refuses(const SimNode& node);
  bool knows_its_role(const SimNode& node) const;
  void tell(SimNode& node);

  SimWorld& world_;
  std::vector<std::unique_ptr<SimNode>> nodes_;
  std::vector<Follower> followers_;  // by node
  SimNode* primary_;
  bool force_empty_ = true;
};

}  // namespace tandem
