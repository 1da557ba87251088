// A simulated cluster whose nodes wait for each other, with a set of 64 objects.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "kddm_cluster.h"
#include "krg/sync/sync.h"
#include "krg/testing/sanitized.h"

namespace krg::sync {

// A sanitizer takes ten times as long.
inline constexpr std::uint64_t kFewer = krg::testing::kSanitized ? 5 : 1;

class SyncCluster {
 public:
  SyncCluster(std::uint32_t nodes, std::uint64_t seed)
      : cluster_(nodes, false, seed), size_(nodes) {
    for (std::uint32_t i = 0; i < nodes; ++i) syncs_.push_back(make(i));
    members_ = cluster::NodeSet::first(nodes);
    kddm::SetOptions options;
    options.object_bytes = 64;
    options.object_count = 64;
    set_ = *cluster_.run(0, kddm().create(options, cluster_.soon()));
  }
  ~SyncCluster() {
    for (std::uint32_t i = 0; i < size_; ++i) kill(i);
  }

  sim::World& world() { return cluster_.world(); }
  kddm::KddmCluster& nodes() { return cluster_; }
  Sync& sync(std::uint32_t node) { return *syncs_[node]; }
  bool lives(std::uint32_t node) const { return syncs_[node] != nullptr; }
  std::uint32_t size() const { return size_; }
  reactor::Reactor& reactor(std::uint32_t node) { return cluster_.rpc(node).reactor(); }
  Key key(std::uint64_t object) const { return {set_, kddm::ObjectId{object}, 0}; }
  // One whose home is `node`.
  Key key_at(std::uint32_t node, std::uint32_t asker) {
    for (std::uint64_t i = 0; i < 64; ++i) {
      const auto home =
          cluster_.run(asker, cluster_.kddm(asker).home_of(set_, kddm::ObjectId{i}, soon()));
      if (home && *home == NodeId{node}) return key(i);
    }
    ADD_FAILURE() << "no object is at home there";
    return key(0);
  }
  Deadline soon() { return cluster_.soon(); }
  Deadline in(Duration time) { return Deadline(world().now() + time); }

  // The node does not run any more; a view without it comes by enter().
  void kill(std::uint32_t node) {
    if (!lives(node)) return;
    cluster_.kill(node);
    syncs_[node].reset();
    members_.erase(NodeId{node});
  }
  void restart(std::uint32_t node) {
    cluster_.restart(node);
    syncs_[node] = make(node);
    members_.insert(NodeId{node});
  }
  // At each node when its turn comes.
  void enter() {
    cluster_.begin_view();
    for (const NodeId node : members_) enter(node.value);
  }
  void enter(std::uint32_t node) {
    cluster_.enter(node, members_);
    syncs_[node]->look_at_view();
    world().wake(NodeId{node});
  }
  void begin_view() { cluster_.begin_view(); }

 private:
  kddm::Kddm& kddm() { return cluster_.kddm(0); }
  std::unique_ptr<Sync> make(std::uint32_t node) {
    auto made = std::make_unique<Sync>(cluster_.rpc(node), cluster_.kddm(node));
    made->look_at_view();
    return made;
  }

  kddm::KddmCluster cluster_;
  const std::uint32_t size_;
  std::vector<std::unique_ptr<Sync>> syncs_;
  cluster::NodeSet members_;
  kddm::SetId set_;
};

}  // namespace krg::sync
