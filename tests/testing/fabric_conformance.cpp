#include "krg/testing/fabric_conformance.h"

#include <algorithm>

namespace krg::testing {

Bytes message_of(std::span<const std::byte> content) {
  Bytes message(fabric::kHeadroom + content.size());
  std::ranges::copy(content, message.begin() + fabric::kHeadroom);
  return message;
}

FabricConformance::FabricConformance() : stage_(GetParam().make_stage()) {}

FabricConformance::~FabricConformance() {
  for (LocalNode& node : nodes_) node.fabric.reset();
  for (const Pending& pending : pending_) {
    EXPECT_LE(pending.done.count(), 1u) << "a completion was told twice";
  }
}

fabric::Options FabricConformance::options(NodeId node, Incarnation incarnation) const {
  fabric::Options options;
  options.self = {node, incarnation};
  options.key.fill(std::byte{7});
  options.listen = "127.0.0.1";
  return options;
}

LocalNode& FabricConformance::open(std::uint32_t node, Incarnation incarnation) {
  return open(options(NodeId{node}, incarnation));
}

LocalNode& FabricConformance::open(const fabric::Options& options) {
  LocalNode& node = nodes_.emplace_back();
  node.id = options.self.node;
  auto fabric = stage_->open(stage_->reactor(node.id), node.sink, options);
  EXPECT_OK(fabric);
  if (fabric) node.fabric = std::move(*fabric);
  return node;
}

std::unique_ptr<RemoteNode> FabricConformance::start(PeerRole role, std::uint32_t node,
                                                     Incarnation incarnation) {
  auto remote = stage_->start(role, options(NodeId{node}, incarnation));
  EXPECT_NE(remote, nullptr) << "the remote node did not start";
  return remote;
}

bool FabricConformance::until(const std::function<bool()>& condition, Duration limit) {
  const TimePoint end = stage_->now() + limit;
  while (!condition()) {
    if (stage_->now() >= end) return false;
    stage_->turn();
  }
  return true;
}

void FabricConformance::pass(Duration time) {
  until([] { return false; }, time);
}

void FabricConformance::connect(LocalNode& from, NodeId to, const std::string& address) {
  from.fabric->connect(to, address, in(std::chrono::seconds(5)));
}

bool FabricConformance::join(LocalNode& a, LocalNode& b) {
  connect(a, b.id, b.fabric->address());
  return until([&] { return a.sink.link(b.id) != nullptr && b.sink.link(a.id) != nullptr; });
}

bool FabricConformance::join(LocalNode& a, NodeId b, const RemoteNode& remote) {
  connect(a, b, remote.address());
  return until([&] { return a.sink.link(b) != nullptr; });
}

bool FabricConformance::retry(LocalNode& from, NodeId to,
                              const std::function<Status(fabric::Endpoint&)>& attempt) {
  while (Link* link = from.sink.link(to)) {
    const unsigned before = link->writable;
    const Status status = attempt(*link->endpoint);
    if (status) return true;
    if (!(status.error() == Errc::would_block)) return false;
    if (!until([&] { return link->down || link->writable != before; })) return false;
  }
  return false;
}

bool FabricConformance::send(LocalNode& from, NodeId to, std::span<const std::byte> content) {
  while (!pending_.empty() && pending_.front().done.once()) pending_.pop_front();
  pending_.emplace_back();
  Pending& pending = pending_.back();
  pending.buffer = message_of(content);
  auto sent = fabric::Sent::done;
  const bool accepted = retry(from, to, [&](fabric::Endpoint& endpoint) -> Status {
    KRG_TRY_ASSIGN(sent, endpoint.send(pending.buffer, pending.done));
    return {};
  });
  if (!accepted || sent == fabric::Sent::done) pending_.pop_back();
  return accepted;
}

bool FabricConformance::send_large(LocalNode& from, NodeId to, std::span<const std::byte> header,
                                   std::span<const std::span<const std::byte>> parts, Told& done) {
  Bytes front = message_of(header);
  return retry(from, to,
               [&](fabric::Endpoint& endpoint) { return endpoint.send_large(front, parts, done); });
}

bool FabricConformance::all_sent() {
  return until([&] {
    return std::ranges::all_of(pending_, [](const Pending& one) { return one.done.once(); });
  });
}

INSTANTIATE_TEST_SUITE_P(Provider, FabricConformance, ::testing::ValuesIn(providers_under_test()),
                         [](const auto& info) { return info.param.name; });

}  // namespace krg::testing
