// Any messages at one member of three: what the fuzzer makes up, and what the members say to each
// other, changed in a byte. The member may be misled by whoever has the key, but its roster stays a
// sound one whose epoch and version never fall, and what it is to prepare, it answers.
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "krg/base/assert.h"
#include "krg/hotplug/core.h"

namespace {

using namespace krg;
using hotplug::Core;

cluster::Member member(std::uint32_t node) {
  return {NodeId{node}, Incarnation{1}, "h" + std::to_string(node), {}};
}

// Heartbeats go nowhere.
struct NoDatagrams final : detector::DatagramPort {
  void send(NodeId, wire::Bytes) noexcept override {}
};

class Node final : public hotplug::CoreSink {
 public:
  Node(std::uint32_t id, bool first) : core_(member(id), {}, datagrams_, *this, now_) {
    if (first) {
      cluster::View view{Epoch{1}, NodeId{0}, {member(0), member(1), member(2)}};
      KRG_ASSERT(core_.found(view, now_));
      if (id == 0) core_.stand(now_);
    } else {
      KRG_ASSERT(core_.join({member(1)}, now_));
    }
  }
  void receive(wire::Bytes message) {
    core_.on_message(message, now_);
    settle();
  }
  void pass(std::uint32_t ms) {
    now_ = now_ + std::chrono::milliseconds(ms);
    core_.on_timer(now_);
    settle();
  }
  Core& core() { return core_; }
  TimePoint now() const { return now_; }
  std::deque<std::vector<std::byte>>& sent() { return sent_; }

  void send(NodeId to, wire::Bytes message) override {
    KRG_ASSERT(to.value < cluster::kNodesMax);
    sent_.emplace_back(message.begin(), message.end());
    if (sent_.size() > 64) sent_.pop_front();
  }
  void reach(const cluster::Member& one) override {
    KRG_ASSERT(one.node.value < cluster::kNodesMax);
  }
  void prepare(std::uint64_t round, const cluster::View&, const cluster::View&,
               const cluster::NodeSet&, Duration) override {
    rounds_.push_back(round);
  }
  void abort(std::uint64_t) override {}
  void install(std::uint64_t, const cluster::View& before, const cluster::View& after,
               const cluster::NodeSet&) override {
    KRG_ASSERT(after.epoch >= before.epoch);
  }
  void over(Errc) override {}
  void leave_ended(const hotplug::Peer&, Errc) override {}
  std::uint64_t random() override { return random_ = random_ * 6364136223846793005u + 1; }

 private:
  void settle() {
    while (!rounds_.empty()) {
      const std::uint64_t round = rounds_.front();
      rounds_.pop_front();
      core_.prepared(round, {}, now_);
    }
    const hotplug::Roster& roster = core_.roster();
    KRG_ASSERT(hotplug::check(roster));
    KRG_ASSERT(roster.version >= version_ && roster.epoch >= epoch_);
    version_ = roster.version;
    epoch_ = roster.epoch;
    (void)core_.serving(now_);
  }

  TimePoint now_{std::chrono::hours(1)};
  std::uint64_t random_ = 1, version_ = 0;
  Epoch epoch_{0};
  std::deque<std::uint64_t> rounds_;
  std::deque<std::vector<std::byte>> sent_;
  NoDatagrams datagrams_;
  Core core_;
};

// The two others, as far as they are needed to say something sound.
class World {
 public:
  explicit World(bool first) : node_(0, first), others_{Node(1, true), Node(2, true)} {}

  void step(std::span<const std::uint8_t>& rest) {
    const auto take = [&]() -> std::uint8_t {
      if (rest.empty()) return 0;
      const std::uint8_t byte = rest.front();
      rest = rest.subspan(1);
      return byte;
    };
    const std::uint8_t what = take();
    Node& other = others_[what / 8 % 2];
    switch (what % 8) {
      case 0:
        return each([ms = take() * 8u](Node& node) { node.pass(ms); });
      case 1: {
        const std::size_t length = take();
        const auto part = rest.first(std::min(length, rest.size()));
        rest = rest.subspan(part.size());
        return node_.receive(std::as_bytes(part));
      }
      case 2:
        return deliver(other.sent(), node_, take(), take());
      case 3:
        return deliver(node_.sent(), other, 0, 0);
      case 4:
        return deliver(other.sent(), node_, 0, 0);
      case 5:
        return node_.core().leave({NodeId{take() % 4u}, Incarnation{1}}, node_.now());
      case 6:
        return node_.core().fabric_down({NodeId{take() % 4u}, Incarnation{1}}, node_.now());
      default:
        return node_.core().on_refused(NodeId{take() % 4u}, node_.now());
    }
  }

 private:
  template <class F>
  void each(F f) {
    f(node_);
    for (Node& other : others_) f(other);
  }
  static void deliver(std::deque<std::vector<std::byte>>& from, Node& to, std::uint8_t at,
                      std::uint8_t change) {
    if (from.empty()) return;
    std::vector<std::byte> message = std::move(from.front());
    from.pop_front();
    if (!message.empty()) message[at % message.size()] ^= std::byte{change};
    to.receive(message);
  }

  Node node_;
  Node others_[2];
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1 || size > 4096) return 0;
  World world(data[0] % 2 == 0);
  for (std::span<const std::uint8_t> rest(data + 1, size - 1); !rest.empty();) world.step(rest);
  return 0;
}
