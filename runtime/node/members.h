// What a node of several has that a lone one does not: its membership and the ways of its messages.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>

#include "krg/detector/udp_port.h"
#include "krg/error/result.h"
#include "krg/fabric/fabric.h"
#include "krg/hotplug/membership.h"
#include "krg/rpc/rpc.h"

namespace krg::node {

class Members final : private hotplug::MessagePort {
 public:
  // Opens the port for heartbeats. `rpc` and `reactor` outlive this.
  // Errors  no_device  the fabric has no address of IP; those of UdpPort::open().
  static Result<std::unique_ptr<Members>> open(reactor::Reactor& reactor, rpc::Rpc& rpc,
                                               const fabric::Fabric& fabric,
                                               const fabric::Key& key);
  ~Members() override;

  // For the Member that others get.
  const std::string& datagrams() const noexcept { return datagrams_; }
  // Makes the membership; messages wait until it listens.
  hotplug::Membership& begin(const cluster::Member& self, const hotplug::Options& options);
  void listen() { rpc_.enable(hotplug::MembershipMessage::kId); }
  // Requires  begin().
  hotplug::Membership& membership() noexcept { return *membership_; }
  const hotplug::Membership& membership() const noexcept { return *membership_; }

  void connected(const fabric::Identity& peer) { lives_[peer.node] = peer.incarnation; }
  void connection_lost(NodeId node);

 private:
  Members(reactor::Reactor& reactor, rpc::Rpc& rpc, std::unique_ptr<detector::UdpPort> port,
          std::string datagrams);
  void send(NodeId to, wire::Bytes message) override;
  void reach(const cluster::Member& member) override;

  reactor::Reactor& reactor_;
  rpc::Rpc& rpc_;
  const std::unique_ptr<detector::UdpPort> port_;
  const std::string datagrams_;
  std::unordered_map<NodeId, Incarnation> lives_;  // That a connection was up to last.
  std::unique_ptr<hotplug::Membership> membership_;
};

}  // namespace krg::node
