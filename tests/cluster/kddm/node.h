// One life of a node of the simulated cluster: its Kddm and what it stands on.
#pragma once

#include <functional>

#include "../rpc_end.h"
#include "history.h"
#include "krg/kddm/kddm.h"
#include "members.h"
#include "sites.h"

namespace krg::kddm_sim {

struct Node {
  Node(sim::World& world, NodeId node, Incarnation incarnation, LifeId life_id, std::uint64_t room)
      : id(node),
        incarnation(incarnation),
        life(life_id),
        end(world, {.self = {node, incarnation}}),
        sites(world.size()),
        kddm(end.rpc(), {.self = node,
                         .serving = [this] { return serving(); },
                         .stats = &stats,
                         .limit_bytes = room}) {
    kddm.add_linker(sites);
  }
  // Requires  killed, or the world runs no more.
  ~Node() { end.reactor().cancel_all(); }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  reactor::Reactor& reactor() noexcept { return end.reactor(); }
  // Whether it may serve shared objects now: as its membership says, if it has one.
  Status serving() const {
    if (members != nullptr) return members->membership().serving();
    return excluded ? Status(Error(Errc::no_quorum)) : Status();
  }

  const NodeId id;
  const Incarnation incarnation;
  const LifeId life;
  bool excluded = false;  // By the oracle.
  bool served = false;    // Once at least: until then operations wait.
  bool over = false;      // It knows that its life has ended.
  Duration stopped{0};    // How long it has been, in all.
  stats::Registry stats;
  cluster_test::RpcEnd end;
  Sites sites;
  kddm::Kddm kddm;
  // Without an oracle:
  std::unique_ptr<cluster::ViewListener> witness;
  std::unique_ptr<Members> members;
  bool populated = false;
};

}  // namespace krg::kddm_sim
