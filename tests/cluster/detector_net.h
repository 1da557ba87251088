// A cluster of detectors in virtual time, over datagrams that are delayed, lost, or held back while
// their receiver is stopped, and over a fabric that tells of killed nodes. A seed decides all.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <queue>
#include <random>
#include <vector>

#include "krg/detector/aggregator.h"
#include "krg/detector/detector.h"

namespace krg::detector::testing {

struct Declared {
  TimePoint at;
  NodeId judge;
  Verdict verdict;
};

class DetectorNet {
 public:
  // Nodes 0 ... count-1, of which the first five (or all, if fewer) are judges.
  DetectorNet(std::uint32_t count, std::uint64_t seed, const Options& options = {},
              double loss = 0);
  ~DetectorNet();

  TimePoint now() const noexcept { return now_; }
  void run_for(Duration d);

  // The process is gone. `witness` has an open connection to it, which ends after 2 to 4 ms.
  void kill(NodeId node, NodeId witness);
  // The machine is gone, or the way to it, without a word from the fabric.
  void cut_off(NodeId node);
  // Runs no timer and takes no datagram for `d`; what arrives meanwhile waits in its socket.
  void stop(NodeId node, Duration d);

  // A node that runs and is not cut off, other than `but`.
  NodeId any_node(NodeId but = kNoNode);
  std::uint64_t random(std::uint64_t below) { return rng_() % below; }

  const Rings& rings() const noexcept { return rings_; }
  const std::vector<Declared>& declared() const noexcept { return declared_; }
  // How many judges that are not cut off or killed have declared `node` failed.
  std::size_t judges_against(NodeId node) const;
  std::size_t live_judges() const;
  // Whether any judge, wherever it is, has declared one that still runs and is not cut off.
  bool innocent_declared() const;
  std::uint64_t accusations() const noexcept { return accusations_; }
  // Datagrams handed to the network by a node.
  std::uint64_t sent(NodeId node) const;
  std::uint64_t sent_by_all() const;

 private:
  struct Node;
  enum class Kind : std::uint8_t { tick, datagram, fabric_error, thaw };
  struct Event {
    TimePoint at{};
    std::uint64_t order = 0;
    Kind kind = Kind::tick;
    NodeId node{};
    NodeId other{};
    std::uint16_t size = 0;
    std::array<std::byte, kDatagramMax> bytes{};
    bool operator<(const Event& b) const {  // The first to happen is the greatest.
      return at != b.at ? at > b.at : order > b.order;
    }
  };

  void push(Event event);
  void handle(const Event& event);
  void thaw(Node& node);
  Duration delay(Duration least, Duration most);

  std::mt19937_64 rng_;
  const Options options_;
  const double loss_;
  TimePoint now_{std::chrono::seconds(1)};
  std::uint64_t order_ = 0;
  Rings rings_;
  std::vector<NodeId> judges_;
  std::deque<Node> nodes_;
  std::priority_queue<Event> events_;
  std::vector<Declared> declared_;
  std::uint64_t accusations_ = 0;
};

}  // namespace krg::detector::testing
