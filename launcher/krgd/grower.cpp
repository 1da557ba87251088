#include "grower.h"

#include <fmt/format.h>

#include <algorithm>

#include "krg/log/log.h"
#include "krg/node/machine.h"

namespace krg::krgd {
namespace {

constexpr Duration kNumberTime = std::chrono::seconds(5);
constexpr std::size_t kContactsMax = 8;
constexpr std::size_t kHostsMax = 256;  // In one wish.

}  // namespace

Grower::Grower(node::Node& node, proc::Supervisor& supervisor, const boot::Init& init,
               Duration patience, std::vector<std::string> environment,
               std::function<Status()> open_network)
    : node_(node),
      init_(init),
      patience_(patience),
      open_network_(std::move(open_network)),
      starter_(node.reactor(), supervisor, *this, std::move(environment)),
      changed_(node.reactor()) {
  node_.rpc().serve<NumberNode>(
      [this](rpc::Incoming&, NumberNode::Request& request) -> Result<NumberNode::Reply> {
        return number(request);
      });
}

// A life that was given away lately, and of which nothing is known, may still come to join.
NumberNode::Reply Grower::number(const NumberNode::Request& wish) {
  const TimePoint now = node_.reactor().now();
  const auto is_free = [&](const hotplug::Record& record) {
    const auto given = given_.find(record.member.node);
    return !record.is_member() && record.member.state != cluster::NodeState::present &&
           (given == given_.end() || now > given->second.at + 2 * patience_ ||
            record.member.incarnation >= given->second.incarnation);
  };
  const hotplug::Roster roster = node_.roster();
  for (const hotplug::Record& record : roster.records) {
    const cluster::Member& member = record.member;
    if (wish.several || member.host != wish.host || !record.is_member()) continue;
    return {member.node, member.incarnation, member.state};
  }
  std::uint32_t next = 0;
  for (const hotplug::Record& record : roster.records) {
    next = std::max(next, record.member.node.value + 1);
    if (record.member.host != wish.host || !is_free(record)) continue;
    Given& given = given_[record.member.node];
    const std::uint32_t life =
        std::max(record.member.incarnation.value, given.incarnation.value) + 1;
    given = {Incarnation{life}, now};
    return {record.member.node, given.incarnation, cluster::NodeState::possible};
  }
  if (!given_.empty()) next = std::max(next, given_.rbegin()->first.value + 1);
  given_[NodeId{next}] = {Incarnation{1}, now};
  return {NodeId{next}, Incarnation{1}, cluster::NodeState::possible};
}

boot::Init Grower::plan(const std::string& host, const NumberNode::Reply& number) const {
  boot::Init plan;
  plan.version = init_.version;
  plan.cluster = init_.cluster;
  plan.key = init_.key;
  plan.incarnation = number.incarnation.value;
  // Node 0 that comes back is one of several too, and needs the network.
  std::uint32_t last = number.node.value;
  for (const cluster::Member& member : node_.view().members) {
    last = std::max(last, member.node.value);
  }
  plan.nodes = last + 1;
  plan.first = number.node.value;
  plan.hosts = {host};
  const bool here = host == "localhost" || host == node::host_name();
  plan.embedded = init_.embedded && here;
  plan.alone = init_.alone && !init_.embedded;
  plan.standing = init_.standing;
  plan.want_topology = true;
  plan.agent = init_.agent;
  plan.program = init_.program;
  plan.settings = init_.settings;
  plan.pmi = boot::Init::Pmi::later;
  plan.finalize_breaker = init_.finalize_breaker;
  // The coordinator first; any will do.
  const cluster::View& view = node_.view();
  for (const cluster::Member& member : view.members) {
    const bool first = member.node == view.coordinator;
    if (first || plan.contacts.size() < kContactsMax) {
      plan.contacts.insert(first ? plan.contacts.begin() : plan.contacts.end(), member);
    }
  }
  return plan;
}

Co<void> Grower::add_one(jobs::NodesAdded::One& one) {
  const std::string here = node::host_name();
  const std::string& host = one.host == "localhost" ? here : one.host;
  const NumberNode::Request request{host, init_.embedded && host == here};
  const auto number = co_await node_.rpc().call<NumberNode>(
      node_.view().coordinator, request, {.deadline = node_.reactor().after(kNumberTime)});
  if (!number) {
    one.why = "the coordinator gave it no number: " + number.error().message();
    co_return;
  }
  one.node = number->node;
  one.already = number->state == cluster::NodeState::online;
  if (number->state == cluster::NodeState::leaving) {
    one.why = fmt::format("its node {} is leaving; add it when that has left", one.node.value);
  }
  if (one.already || !one.why.empty()) co_return;
  one.plan.push_back(plan(request.host, *number));
  if (init_.standing) co_return;
  co_await start_one(one);
  one.plan.clear();
}

Co<void> Grower::start_one(jobs::NodesAdded::One& one) {
  Attempt& attempt = attempts_[one.node.value];
  attempt = {};
  starter_.start(one.plan.front(), 0);
  const Deadline deadline = node_.reactor().after(patience_);
  while (!attempt.ready && attempt.failed.empty()) {
    changed_.clear();
    const Status changed = co_await changed_.wait(deadline);
    if (!changed) attempt.failed = "it was not let in, or did not answer, in time";
  }
  one.why = attempt.failed;
  attempts_.erase(one.node.value);
}

Co<jobs::NodesAdded> Grower::add(std::vector<std::string> hosts) {
  jobs::NodesAdded added;
  if (hosts.size() > kHostsMax) hosts.resize(kHostsMax);
  for (std::string& host : hosts) {
    // Said twice is meant once, but inside a machine: there each is one more.
    const bool said = std::any_of(added.nodes.begin(), added.nodes.end(),
                                  [&](const auto& one) { return one.host == host; });
    if (said && !init_.embedded) continue;
    added.nodes.push_back({std::move(host), kNoNode, "", {}});
  }
  if (const Status open = open_network_(); !open) {
    for (auto& one : added.nodes)
      one.why = "the network can not be opened: " + open.error().message();
    co_return added;
  }
  reactor::WaitGroup all(node_.reactor());
  const auto one = [](Grower& self, jobs::NodesAdded::One& what,
                      reactor::WaitGroup& done) -> Co<void> {
    co_await self.add_one(what);
    done.done();
  };
  for (auto& wanted : added.nodes) {
    all.add();
    node_.reactor().spawn(one(*this, wanted, all));
  }
  // Each has its own deadline.
  (void)co_await all.wait(Deadline::never());
  co_return added;
}

void Grower::on_ready(const boot::Ready& ready) {
  const auto at = attempts_.find(ready.node);
  if (at != attempts_.end()) at->second.ready = true;
  changed_.set();
}

// One that was ready and has ended is a loss like any other, which the members notice.
void Grower::on_failed(const boot::Failed& failed) {
  const auto at = attempts_.find(failed.node);
  if (at != attempts_.end() && at->second.failed.empty()) at->second.failed = failed.text;
  changed_.set();
}

}  // namespace krg::krgd
