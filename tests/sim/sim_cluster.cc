#include "tests/sim/sim_cluster.h"

#include <algorithm>

#include "tests/sim/sim_model.h"

namespace tandem {

namespace {

constexpr int kFirstPort = 7000;

Replication& replication_of(const SimNode& node) {
  return const_cast<SimNode&>(node).server().replication();
}

}  // namespace

SimCluster::SimCluster(SimWorld* world, SimNetwork* network, const SimPlan& plan) : world_(*world) {
  for (int i = 0; i < plan.nodes; ++i) {
    const std::string host = "node" + std::to_string(i);
    nodes_.push_back(std::make_unique<SimNode>(world, network, host, kFirstPort + i,
                                               plan.config(*world, host, kFirstPort + i)));
  }
  followers_.resize(nodes_.size());
  primary_ = nodes_[0].get();
  for (size_t i = 1; i < nodes_.size(); ++i) {
    set_upstream(*nodes_[i], nodes_[plan.chained ? i - 1 : 0].get());
  }
}

SimCluster::~SimCluster() { world_.drop_events(this); }

size_t SimCluster::index_of(const SimNode& node) const {
  size_t i = 0;
  while (nodes_[i].get() != &node) ++i;
  return i;
}

SimNode& SimCluster::some_replica() {
  const size_t primary = index_of(*primary_);
  const size_t others = world_.random().below(nodes_.size() - 1) + 1;
  return *nodes_[(primary + others) % nodes_.size()];
}

int SimCluster::direct_replicas() const {
  return static_cast<int>(std::count_if(followers_.begin(), followers_.end(),
                                        [this](auto& one) { return one.upstream == primary_; }));
}

bool SimCluster::is_replica(const std::string& host) const {
  return std::any_of(nodes_.begin(), nodes_.end(), [&host](const auto& node) {
    return node->host() == host && node->up() && replication_of(*node).is_replica();
  });
}

int64_t SimCluster::in_line_since_us(const SimNode& node) const {
  return followers_[index_of(node)].in_line_since_us;
}

// Whether its link is up as both ends see it.
bool SimCluster::linked(const SimNode& node) const {
  const SimNode* upstream = this->upstream(node);
  if (!node.up() || upstream == nullptr || !upstream->up()) return false;
  if (!replication_of(node).info().link_up) return false;
  const std::vector<ReplicaInfo> replicas = replication_of(*upstream).info().replicas;
  return std::any_of(replicas.begin(), replicas.end(), [&](const ReplicaInfo& replica) {
    return replica.port == node.port() && replica.state == "online";
  });
}

bool SimCluster::in_sync() {
  for (const auto& node : nodes_) {
    const bool is_primary = node.get() == primary_;
    if (!node->up() || replication_of(*node).is_replica() == is_primary) return false;
    if (!is_primary && !linked(*node)) return false;
  }
  const uint64_t offset = replication_of(*primary_).info().offset;
  for (const auto& node : nodes_) {
    if (replication_of(*node).info().offset != offset) return false;
  }
  const Inspection here = inspect(primary_->server(), 0);
  return std::all_of(nodes_.begin(), nodes_.end(), [&](const auto& node) {
    return node.get() == primary_ || inspect(node->server(), 0) == here;
  });
}

void SimCluster::look(bool failing_over) {
  for (const auto& node : nodes_) {
    Follower& follower = followers_[index_of(*node)];
    if (!node->up()) continue;
    const SimNode* upstream = follower.upstream;
    const bool well_fed =
        upstream == primary_ || (upstream != nullptr && in_line_since_us(*upstream) != kNever);
    if (follower.in_line_since_us == kNever && well_fed && linked(*node)) {
      follower.in_line_since_us = world_.now_us();
    }
    if (failing_over || world_.now_us() < follower.told_at_us) continue;
    if (!knows_its_role(*node) || (refuses(*node) && force_empty_)) tell(*node);
  }
}

void SimCluster::node_restarted(const SimNode& node) {
  followers_[index_of(node)].in_line_since_us = kNever;
  if (&node != primary_) return;
  for (Follower& follower : followers_) follower.in_line_since_us = kNever;
}

bool SimCluster::leads_to(const SimNode& node, const SimNode& target) const {
  for (const SimNode* at = &node; at != nullptr; at = upstream(*at)) {
    if (at == &target) return true;
  }
  return false;
}

void SimCluster::set_upstream(SimNode& node, SimNode* upstream) {
  followers_[index_of(node)].upstream = upstream;
  node.set_role(upstream == nullptr ? ""
                                    : "replicaof " + upstream->host() + " " +
                                          std::to_string(upstream->port()) + "\n");
}

bool SimCluster::refuses(const SimNode& node) {
  return replication_of(node).info().link_state == ReplicationInfo::kRefusedEmptyPrimary;
}

bool SimCluster::knows_its_role(const SimNode& node) const {
  const SimNode* upstream = this->upstream(node);
  const ReplicationInfo info = replication_of(node).info();
  if (upstream == nullptr || !info.is_replica) return info.is_replica == (upstream != nullptr);
  return info.primary_host == upstream->host();
}

void SimCluster::tell(SimNode& node) {
  if (!node.up() || replication_of(node).failing_over()) return;
  node.run([&] {
    if (SimNode* upstream = this->upstream(node)) {
      replication_of(node).follow(upstream->host(), upstream->port(), refuses(node));
    } else {
      replication_of(node).promote();
    }
  });
}

void SimCluster::make_primary(SimNode& node) {
  constexpr int64_t kLatestUs = 300'000;
  SimNode& old = *primary_;
  primary_ = &node;
  set_upstream(node, nullptr);
  SimNode* follows = &node;
  for (const auto& other : nodes_) {
    if (leads_to(*other, node) && world_.one_in(2)) follows = other.get();
  }
  set_upstream(old, follows);
  for (const auto& other : nodes_) {
    const bool loose = other.get() != &node && other.get() != &old;
    if (loose && other.get() != follows && world_.one_in(3)) set_upstream(*other, &node);
  }
  for (Follower& follower : followers_) {
    follower.in_line_since_us = kNever;
    follower.told_at_us = world_.now_us() + world_.between(0, kLatestUs);
  }
  tell(node);
}

}  // namespace tandem
