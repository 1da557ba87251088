// Any datagrams, refusals and instants at one detector of a small cluster, and any reports at the
// coordinator's verdicts. Nobody who is not watched or probed is accused, nothing is sent that is
// too long, and nobody is condemned without a report.
#include <cstdint>
#include <set>
#include <span>
#include <vector>

#include "krg/base/assert.h"
#include "krg/detector/detector.h"
#include "krg/detector/verdicts.h"

namespace {

using namespace krg;
using detector::Evidence;
using detector::Peer;

constexpr std::uint32_t kNodes = 5;

class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}
  bool empty() const { return bytes_.empty(); }
  std::uint8_t take() {
    if (bytes_.empty()) return 0;
    const std::uint8_t first = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return first;
  }
  wire::Bytes take(std::size_t count) {
    const auto part = bytes_.first(std::min(count, bytes_.size()));
    bytes_ = bytes_.subspan(part.size());
    return std::as_bytes(part);
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

Peer peer(std::uint32_t node) { return {NodeId{node}, Incarnation{1}}; }

class World final : public detector::DatagramPort, public detector::AccusationSink {
 public:
  World() : detector_(peer(0), {}, *this, *this, 7, now_) {
    std::vector<Peer> others;
    for (std::uint32_t i = 1; i < kNodes; ++i) others.push_back(peer(i));
    detector_.watch(others, others, now_);
    std::vector<NodeId> members;
    std::vector<Peer> lives;
    for (std::uint32_t i = 0; i < kNodes; ++i) {
      members.push_back(NodeId{i});
      lives.push_back(peer(i));
    }
    verdicts_.set_view(lives, std::make_shared<const detector::Rings>(members));
  }

  void step(Input& input) {
    switch (input.take() % 6) {
      case 0:
        return detector_.on_datagram(input.take(input.take() % 80), now_);
      case 1:
        return datagram(input);
      case 2:
        return detector_.on_refused(NodeId{input.take()});
      case 3:
        return detector_.probe(known({NodeId{input.take()}, Incarnation{input.take()}}), now_);
      case 4:
        now_ = now_ + std::chrono::milliseconds(input.take() * 4);
        detector_.on_timer(now_);
        KRG_ASSERT(detector_.next() > now_);
        return;
      default:
        return report(input);
    }
  }

  void send(NodeId to, wire::Bytes bytes) noexcept override {
    KRG_ASSERT(bytes.size() <= detector::kDatagramMax);
    KRG_ASSERT(to != NodeId{0});
  }
  void accuse(const Peer& subject, Evidence) noexcept override {
    KRG_ASSERT(subject.node != NodeId{0});
    KRG_ASSERT(known_.count(subject) != 0 ||
               (subject.node.value < kNodes && subject == peer(subject.node.value)));
  }

 private:
  const Peer& known(const Peer& one) { return *known_.insert(one).first; }

  // A sound one, with fields of the fuzzer's choice.
  void datagram(Input& input) {
    std::array<std::byte, detector::kDatagramMax> bytes;
    wire::Encoder out{bytes};
    wire::put(out, input.take());
    wire::put(out, Peer{NodeId{input.take() % 8u}, Incarnation{input.take() % 3u}});
    wire::put(out, peer(input.take() % 2));
    wire::put(out, std::uint64_t{input.take()});
    detector_.on_datagram(wire::Bytes(bytes).first(out.size()), now_);
  }

  void report(Input& input) {
    const NodeId from{input.take() % 8u};
    const Peer subject{NodeId{input.take() % 8u}, Incarnation{input.take() % 3u}};
    const auto evidence = static_cast<Evidence>(input.take() % 3);
    (void)verdicts_.report(from, subject, evidence, now_);
    if (evidence != Evidence::well) reported_.insert(subject);
    for (const detector::Verdict& verdict : verdicts_.decide(now_)) {
      KRG_ASSERT(reported_.count(verdict.subject) != 0);
    }
  }

  TimePoint now_{std::chrono::hours(1)};
  std::set<Peer> known_, reported_;
  detector::Detector detector_;
  detector::Verdicts verdicts_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 4096) return 0;
  World world;
  for (Input input({data, size}); !input.empty();) world.step(input);
  return 0;
}
