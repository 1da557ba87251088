#include "nodes.h"

#include <string>
#include <utility>

#include "baton_watch.h"
#include "open_fabric.h"

namespace krg::bench {
namespace {

cluster::View view_of(unsigned count) {
  cluster::View view{Epoch{1}, NodeId{0}, {}};
  for (unsigned i = 0; i < count; ++i) {
    cluster::Member member;
    member.node = NodeId{i};
    member.incarnation = Incarnation{1};
    view.members.push_back(std::move(member));
  }
  return view;
}

}  // namespace

Nodes::~Nodes() {
  reactor_.cancel_all();
  for (const auto& node : nodes_) {
    reactor_.remove_poller(node->rpc);
    node->fabric.reset();
  }
}

Status Nodes::open(harness::Side side, harness::Meeting& meeting) {
  const bool client = side == harness::Side::client;
  for (unsigned i = client ? 0 : 1; i < (client ? 1 : count_); ++i) {
    nodes_.push_back(std::make_unique<Node>(reactor_, NodeId{i}));
    Node& node = *nodes_.back();
    KRG_TRY_ASSIGN(node.fabric, open_fabric(settings_, reactor_, node.rpc, node.self));
    node.rpc.attach(*node.fabric);
    reactor_.add_poller(node.rpc);
  }
  std::vector<std::string> addresses(count_);
  for (unsigned i = 1; i < count_; ++i) {
    const Node& node = *nodes_[client ? 0 : i - 1];
    const std::string theirs = meeting.exchange(node.fabric->address());
    addresses[client ? i : 0] = theirs;
    addresses[client ? 0 : i] = node.fabric->address();
  }
  for (const auto& node : nodes_) {
    for (unsigned i = 0; i < count_; ++i) {
      if (NodeId{i} != node->self) node->rpc.set_address(NodeId{i}, addresses[i]);
    }
  }
  return {};
}

void Nodes::enter() {
  if (std::exchange(entered_, true)) return;
  for (const auto& node : nodes_) node->kddm.enter(view_of(count_));
}

void Nodes::serve(const harness::Baton& baton) {
  enter();
  const BatonWatch watch(reactor_, baton);
  reactor_.run();
}

Co<void> Nodes::keep(Co<Status> work) {
  const Status ended = co_await std::move(work);
  if (!ended) status_ = ended;
  if (--running_ == 0) reactor_.stop();
}

Status Nodes::run(Co<Status> work) {
  std::vector<Co<Status>> works;
  works.push_back(std::move(work));
  return run(std::move(works));
}

Status Nodes::run(std::vector<Co<Status>> works) {
  enter();
  status_ = {};
  running_ = works.size();
  for (Co<Status>& work : works) reactor_.spawn(keep(std::move(work)));
  if (!works.empty()) reactor_.run();
  return status_;
}

}  // namespace krg::bench
