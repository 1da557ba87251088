// Goal    services are taken through every change in their order: prepare, then commit or abort.
// Method  three nodes with a reactor each and one virtual clock; messages go by mailbox.
#include "krg/hotplug/membership.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "krg/reactor/event.h"
#include "krg/testing/drive.h"
#include "krg/testing/matchers.h"

namespace krg::hotplug {
namespace {

using std::chrono::seconds;

class Recorder final : public cluster::ViewListener {
 public:
  Recorder(const char* name, std::string& journal) : name_(name), journal_(journal) {}
  const char* name() const noexcept override { return name_; }
  Co<Status> prepare(const cluster::ViewChange& change, Deadline) override {
    note("prepare", change);
    if (refuses) co_return Error(Errc::limit_reached);
    // For ever, or until it is destroyed.
    if (hangs != nullptr && !change.leaving.empty()) {
      co_await hangs->wait(Deadline::never());
    }
    co_return Status();
  }
  void abort(const cluster::ViewChange& change) noexcept override { note("abort", change); }
  void commit(const cluster::ViewChange& change) noexcept override { note("commit", change); }
  bool refuses = false;
  reactor::Event* hangs = nullptr;  // Prepares of a leave, until it is set.

 private:
  void note(const char* what, const cluster::ViewChange& change) {
    if (change.joining.empty() && change.leaving.empty() && change.failed.empty()) return;
    journal_ += std::string(name_) + " " + what + "; ";
  }
  const char* name_;
  std::string& journal_;
};

struct Cluster;

struct TestNode final : MessagePort {
  TestNode(Cluster& owner, std::uint32_t id);
  void send(NodeId to, wire::Bytes bytes) noexcept override;
  void reach(const cluster::Member&) override {}

  Cluster& cluster;
  cluster::Member self;
  reactor::Reactor reactor;
  struct Datagrams final : detector::DatagramPort {
    explicit Datagrams(TestNode& node) : owner(node) {}
    void send(NodeId to, wire::Bytes bytes) noexcept override;
    TestNode& owner;
  } datagrams{*this};
  std::string journal;
  Recorder low{"low", journal}, high{"high", journal};
  std::vector<NodeEvent> events;
  std::optional<Membership> membership;
};

struct Cluster {
  reactor::VirtualClock clock;
  std::vector<std::unique_ptr<TestNode>> nodes;

  explicit Cluster(std::uint32_t founders, std::uint32_t all) {
    cluster::View first{Epoch{1}, NodeId{0}, {}};
    for (std::uint32_t i = 0; i < all; ++i) nodes.push_back(std::make_unique<TestNode>(*this, i));
    for (std::uint32_t i = 0; i < founders; ++i) first.members.push_back(nodes[i]->self);
    for (std::uint32_t i = 0; i < founders; ++i) {
      if (!nodes[i]->membership->found(first)) ADD_FAILURE() << "found";
    }
  }
  ~Cluster() {
    for (auto& node : nodes) node->reactor.cancel_all();
  }
  bool until(const testing::Condition& condition, Duration limit = seconds(10)) {
    std::vector<reactor::Reactor*> reactors;
    for (auto& node : nodes) reactors.push_back(&node->reactor);
    return testing::turn_until(clock, reactors, condition, limit);
  }
  bool ready(std::uint32_t count) {
    return until([&] {
      for (std::uint32_t i = 0; i < count; ++i) {
        Membership& m = *nodes[i]->membership;
        if (!m.serving() || m.view().members.size() != count || m.view().epoch.value < 2) {
          return false;
        }
      }
      return true;
    });
  }
};

TestNode::TestNode(Cluster& owner, std::uint32_t id) : cluster(owner), reactor(owner.clock) {
  self.node = NodeId{id};
  self.incarnation = Incarnation{1};
  self.host = "h" + std::to_string(id);
  membership.emplace(reactor, self, Options(), *this, datagrams, id + 1);
  membership->add_listener(low);
  membership->add_listener(high);
  membership->on_event([this](const NodeEvent& event) { events.push_back(event); });
}

void TestNode::send(NodeId to, wire::Bytes bytes) noexcept {
  TestNode& peer = *cluster.nodes[to.value];
  peer.reactor.mailbox().post(
      [&peer, copy = std::vector(bytes.begin(), bytes.end())] { peer.membership->receive(copy); });
}
void TestNode::Datagrams::send(NodeId to, wire::Bytes bytes) noexcept {
  TestNode& peer = *owner.cluster.nodes[to.value];
  peer.reactor.mailbox().post([&peer, copy = std::vector(bytes.begin(), bytes.end())] {
    peer.membership->on_datagram(copy);
  });
}

Co<void> keep(Co<Status> call, std::optional<Status>& into) { into = co_await std::move(call); }

TEST(Membership, AJoinPassesTheServicesFromBelowAndALeaveFromAbove) {
  Cluster cluster(3, 4);
  ASSERT_TRUE(cluster.ready(3));
  TestNode& first = *cluster.nodes[0];
  TestNode& fourth = *cluster.nodes[3];
  std::optional<Status> joined, left;
  fourth.reactor.spawn(
      keep(fourth.membership->join({first.self}, fourth.reactor.after(seconds(5))), joined));
  ASSERT_TRUE(cluster.until([&] { return joined.has_value(); }));
  ASSERT_OK(*joined);
  ASSERT_TRUE(cluster.ready(4));
  EXPECT_EQ(first.journal, "low prepare; high prepare; low commit; high commit; ");
  EXPECT_EQ(first.events.back().state, cluster::NodeState::online);

  first.journal.clear();
  fourth.reactor.spawn(
      keep(fourth.membership->leave({NodeId{3}, Incarnation{1}}, fourth.reactor.after(seconds(5))),
           left));
  ASSERT_TRUE(cluster.until([&] { return left.has_value(); }));
  ASSERT_OK(*left);
  ASSERT_TRUE(cluster.ready(3));
  EXPECT_EQ(first.journal, "high prepare; low prepare; high commit; low commit; ");
  EXPECT_EQ(first.events.back().state, cluster::NodeState::possible);
  EXPECT_ERROR(fourth.membership->serving(), Errc::stale);
}

TEST(Membership, AServiceThatRefusesUndoesTheJoinEverywhere) {
  Cluster cluster(3, 4);
  ASSERT_TRUE(cluster.ready(3));
  TestNode& first = *cluster.nodes[0];
  TestNode& fourth = *cluster.nodes[3];
  cluster.nodes[1]->high.refuses = true;
  std::optional<Status> joined;
  fourth.reactor.spawn(
      keep(fourth.membership->join({first.self}, fourth.reactor.after(seconds(9))), joined));
  ASSERT_TRUE(cluster.until([&] { return joined.has_value(); }));
  EXPECT_ERROR(*joined, Errc::cancelled);
  ASSERT_TRUE(cluster.ready(3));
  EXPECT_EQ(first.journal.find("commit"), std::string::npos);
  EXPECT_NE(first.journal.find("high abort; low abort; "), std::string::npos) << first.journal;
}

TEST(Membership, AFailureIsCommittedWhateverAServiceSays) {
  Cluster cluster(3, 3);
  ASSERT_TRUE(cluster.ready(3));
  cluster.nodes[0]->high.refuses = true;
  // Two witnesses that node 2 has ended.
  const bool follows = !cluster.nodes[2]->membership->is_coordinator();
  const std::size_t victim = follows ? 2 : 1;
  for (auto& node : cluster.nodes) {
    node->membership->peer_down({NodeId{static_cast<std::uint32_t>(victim)}, Incarnation{1}});
    node->membership->on_refused(NodeId{static_cast<std::uint32_t>(victim)});
  }
  ASSERT_TRUE(
      cluster.until([&] { return cluster.nodes[0]->membership->view().members.size() == 2; }));
  EXPECT_EQ(cluster.nodes[0]->journal, "high prepare; low prepare; high commit; low commit; ");
  EXPECT_EQ(cluster.nodes[0]->events.back().state, cluster::NodeState::failed);
}

// Goal    what a leaver waits for does not keep it out of a newer view.
// Method  its service never ends to prepare; meanwhile another node fails.
TEST(Membership, APrepareThatHasBecomeVainEndsAtOnce) {
  Cluster cluster(4, 4);
  ASSERT_TRUE(cluster.ready(4));
  std::vector<std::uint32_t> followers;
  for (std::uint32_t i = 0; i < 4; ++i) {
    if (!cluster.nodes[i]->membership->is_coordinator()) followers.push_back(i);
  }
  TestNode& leaver = *cluster.nodes[followers[0]];
  const std::uint32_t victim = followers[1];
  leaver.journal.clear();
  reactor::Event never(leaver.reactor);
  leaver.high.hangs = &never;
  std::optional<Status> left;
  const Deadline deadline = leaver.reactor.after(seconds(100));
  leaver.reactor.spawn(
      keep(leaver.membership->leave({NodeId{followers[0]}, Incarnation{1}}, deadline), left));
  ASSERT_TRUE(cluster.until([&] { return leaver.journal == "high prepare; "; }));
  for (auto& node : cluster.nodes) {
    node->membership->peer_down({NodeId{victim}, Incarnation{1}});
    node->membership->on_refused(NodeId{victim});
  }
  ASSERT_TRUE(cluster.until(
      [&] { return leaver.membership->view().find(NodeId{victim}) == nullptr; }, seconds(2)));
  EXPECT_EQ(leaver.journal.find("high prepare; high abort; high prepare; low prepare; "), 0u)
      << leaver.journal;
  leaver.high.hangs = nullptr;
  never.set();
  ASSERT_TRUE(cluster.until([&] { return left.has_value(); }, seconds(60)));
  EXPECT_OK(*left);
}

}  // namespace
}  // namespace krg::hotplug
