#include "members.h"

#include <random>

#include "krg/log/log.h"

namespace krg::node {

Members::Members(reactor::Reactor& reactor, rpc::Rpc& rpc, std::unique_ptr<detector::UdpPort> port,
                 std::string datagrams)
    : reactor_(reactor), rpc_(rpc), port_(std::move(port)), datagrams_(std::move(datagrams)) {
  // What comes before listen() waits.
  rpc_.serve<hotplug::MembershipMessage>(
      [this](rpc::Incoming&, hotplug::MembershipMessage::Request& request) -> Result<wire::Empty> {
        membership_->receive(request.bytes);
        return wire::Empty{};
      },
      false);
}

Members::~Members() = default;

Result<std::unique_ptr<Members>> Members::open(reactor::Reactor& reactor, rpc::Rpc& rpc,
                                               const fabric::Fabric& fabric,
                                               const fabric::Key& key) {
  KRG_TRY_ASSIGN(const detector::DatagramKey datagram_key, detector::datagram_key(key));
  KRG_TRY_ASSIGN(auto port, detector::UdpPort::open(reactor, datagram_key));
  std::string datagrams = port->at(fabric.hosts());
  if (datagrams.empty()) return Error(Errc::no_device, "no address of IP for heartbeats");
  return std::unique_ptr<Members>(new Members(reactor, rpc, std::move(port), std::move(datagrams)));
}

hotplug::Membership& Members::begin(const cluster::Member& self, const hotplug::Options& options) {
  std::random_device seed;
  hotplug::MessagePort& messages = *this;
  membership_ = std::make_unique<hotplug::Membership>(reactor_, self, options, messages, *port_,
                                                      std::uint64_t{seed()} << 32 | seed());
  port_->set_sink(*membership_);
  return *membership_;
}

void Members::connection_lost(NodeId node) {
  const auto life = lives_.find(node);
  if (membership_ != nullptr && life != lives_.end()) {
    membership_->peer_down({node, life->second});
  }
}

void Members::send(NodeId to, wire::Bytes message) {
  const hotplug::MembershipMessage::Request request{message};
  // Lost, if it can not be sent: membership asks again.
  (void)rpc_.notify<hotplug::MembershipMessage>(to, request, rpc::Priority::control);
}

// One that has failed is not called any more; while it calls us it is answered.
void Members::reach(const cluster::Member& member) {
  const bool gone = member.state == cluster::NodeState::failed;
  const auto* const address = reinterpret_cast<const char*>(member.address.data());
  rpc_.set_address(member.node, gone ? std::string() : std::string(address, member.address.size()));
  if (const Status known = port_->set_peer(member.node, gone ? "" : member.datagrams); !known) {
    KRG_WARN("node {} has no usable address for heartbeats: {}", member.node.value,
             known.error().message());
  }
}

}  // namespace krg::node
