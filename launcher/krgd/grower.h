// grower.h: starts krgds that join a cluster which runs already.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "krg/boot/starter.h"
#include "krg/jobs/members.h"
#include "krg/node/node.h"
#include "krg/proc/supervisor.h"
#include "krg/reactor/event.h"

namespace krg::krgd {

// Which node a host is to be: asked of the coordinator, so that no two are given one number.
struct NumberNode {
  static constexpr ServiceId kId{0x25};
  static constexpr const char* kName = "node.number";
  struct Request {
    std::string host;
    bool several = false;  // It may have more than one node: inside a machine.
    static void wire_fields(auto& m, auto&& visit) { visit(m.host, m.several); }
  };
  struct Reply {
    NodeId node;
    Incarnation incarnation;
    // Online or leaving: the host has this node already, and is to have no other.
    cluster::NodeState state = cluster::NodeState::possible;
    static void wire_fields(auto& m, auto&& visit) { visit(m.node, m.incarnation, m.state); }
  };
};

// A host that was in the cluster before gets its old number and a later life. Those that are
// started hang on this krgd by their channels. What a krgd has started ends with it, so those that
// join a standing cluster are planned here and started by whoever asks.
class Grower final : private boot::Upward {
 public:
  // `open_network` is called before the first node is added.
  Grower(node::Node& node, proc::Supervisor& supervisor, const boot::Init& init, Duration patience,
         std::vector<std::string> environment, std::function<Status()> open_network);

  Co<jobs::NodesAdded> add(std::vector<std::string> hosts);
  // Whether no krgd depends on this one.
  bool empty() const noexcept { return !starter_.any_running(); }
  Co<bool> shutdown(Deadline deadline) { return starter_.shutdown(deadline); }

 private:
  struct Attempt {
    bool ready = false;
    std::string failed;  // Why; "" = not.
  };

  NumberNode::Reply number(const NumberNode::Request& wish);
  boot::Init plan(const std::string& host, const NumberNode::Reply& number) const;
  Co<void> add_one(jobs::NodesAdded::One& one);
  Co<void> start_one(jobs::NodesAdded::One& one);

  void on_hello(const boot::Hello&) override {}
  void on_ready(const boot::Ready& ready) override;
  void on_failed(const boot::Failed& failed) override;
  void on_client_frame(std::uint16_t, wire::Bytes) override {}

  node::Node& node_;
  const boot::Init& init_;
  const Duration patience_;
  const std::function<Status()> open_network_;
  boot::Starter starter_;
  reactor::Event changed_;
  std::map<std::uint32_t, Attempt> attempts_;  // By node, while it is started.
  struct Given {
    Incarnation incarnation;
    TimePoint at;
  };
  std::map<NodeId, Given> given_;  // Numbers, as the coordinator.
};

}  // namespace krg::krgd
