// One life of a node of the simulated cluster: its Kddm and what it stands on.
#pragma once

#include "../rpc_end.h"
#include "history.h"
#include "krg/kddm/kddm.h"

namespace krg::kddm_sim {

struct Node {
  Node(sim::World& world, NodeId node, Incarnation incarnation, LifeId life_id)
      : id(node),
        incarnation(incarnation),
        life(life_id),
        end(world, {.self = {node, incarnation}}),
        kddm(end.rpc(),
             {.self = node,
              .serving = [this] { return serves ? Status() : Status(Error(Errc::no_quorum)); },
              .stats = &stats}) {}
  // Requires  killed, or the world runs no more.
  ~Node() { end.reactor().cancel_all(); }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  reactor::Reactor& reactor() noexcept { return end.reactor(); }

  const NodeId id;
  const Incarnation incarnation;
  const LifeId life;
  bool serves = true;
  Duration stopped{0};  // How long it has been, in all.
  stats::Registry stats;
  cluster_test::RpcEnd end;
  kddm::Kddm kddm;
};

}  // namespace krg::kddm_sim
