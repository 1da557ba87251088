#include "krg/jobs/desk.h"

#include <chrono>

#include "krg/hotplug/membership.h"

namespace krg::jobs {
namespace {

constexpr std::size_t kUnreadMax = 1 << 20;

std::uint64_t unix_us() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(now).count());
}

}  // namespace

Desk::Desk(node::Node& node, control::Connection& client, Add add)
    : node_(node), client_(client), add_(std::move(add)) {}

Desk::~Desk() = default;

bool Desk::takes(std::uint16_t type) noexcept {
  return type == AskEvents::kFrame || type == AddNodes::kFrame || type == RemoveNode::kFrame;
}

bool Desk::on_frame(std::uint16_t type, wire::Bytes body) {
  if (type == AskEvents::kFrame) {
    tell_events();
    return true;
  }
  if (type == AddNodes::kFrame) {
    auto wish = wire::decode<AddNodes>(body);
    if (wish) node_.reactor().spawn(add(std::move(wish->hosts), alive_));
    return wish.has_value();
  }
  const auto wish = wire::decode<RemoveNode>(body);
  if (wish) node_.reactor().spawn(remove(*wish, alive_));
  return wish.has_value();
}

void Desk::tell_events() {
  const hotplug::Roster roster = node_.roster();
  for (const hotplug::Record& record : roster.records) {
    client_.send(NodeChanged{false, roster.epoch, record.member.node, record.member.incarnation,
                             record.member.host, record.member.state, record.why, 0});
  }
  client_.send(AllTold{});
  events_ = node_.on_event([this](const hotplug::NodeEvent& event) {
    if (client_.queued() > kUnreadMax) return;
    client_.send(NodeChanged{true, event.epoch, event.peer.node, event.peer.incarnation, event.host,
                             event.state, event.why, unix_us()});
  });
}

Co<void> Desk::add(std::vector<std::string> hosts, std::weak_ptr<char> alive) {
  const NodesAdded answer = co_await add_(std::move(hosts));
  if (!alive.expired()) client_.send(answer);
}

Co<void> Desk::remove(RemoveNode wish, std::weak_ptr<char> alive) {
  const auto answer = [&](std::string why) {
    if (!alive.expired()) client_.send(NodeRemoved{std::move(why)});
  };
  const cluster::Member* const member = node_.view().find(wish.node);
  hotplug::Membership* const membership = node_.membership();
  if (member == nullptr) co_return answer("there is no such node in the cluster");
  if (membership == nullptr || node_.view().members.size() == 1) {
    co_return answer("it is the last one: end the cluster with 'krgadm cluster stop'");
  }
  const hotplug::Peer peer{member->node, member->incarnation};
  const Status left = co_await membership->leave(
      peer, node_.reactor().after(std::chrono::milliseconds(wish.patience_ms)));
  if (left) co_return answer("");
  if (left.error() == Errc::cancelled) {
    co_return answer("it has tasks that do not end, or is needed by others, and stays");
  }
  if (left.error() == Errc::timed_out) co_return answer("it has not left yet, but will");
  answer(left.error().message());
}

}  // namespace krg::jobs
