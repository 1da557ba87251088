// Many detectors and one coordinator's verdicts in virtual time: a queue of events, nothing else.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <queue>
#include <vector>

#include "krg/detector/detector.h"
#include "krg/detector/rings.h"
#include "krg/detector/verdicts.h"
#include "krg/sim/random.h"

namespace krg::testing {

class DetectorWorld {
 public:
  DetectorWorld(std::uint32_t nodes, std::uint64_t seed);
  ~DetectorWorld();

  TimePoint now() const noexcept { return now_; }
  sim::Random& random() noexcept { return random_; }
  void run_for(Duration time);

  // The process ends, its machine lives: its port is refused, and of the nodes connected to it
  // `witnesses`, chosen by chance, learn of it from the fabric 2 to 4 ms later.
  void kill(std::uint32_t node, unsigned witnesses);
  // Neither sends nor receives any more, without a word.
  void cut_off(std::uint32_t node) { nodes_[node].cut = true; }
  void stop(std::uint32_t node) { nodes_[node].stopped = true; }
  void resume(std::uint32_t node);
  void set_loss(unsigned per_mille) noexcept { loss_per_mille_ = per_mille; }
  // `node` hears nobody, but is heard.
  void deafen(std::uint32_t node) { nodes_[node].deaf = true; }

  // When the coordinator, node 0, had its verdict.
  std::optional<TimePoint> known(std::uint32_t node) const { return nodes_[node].known; }
  unsigned verdicts() const noexcept { return verdict_count_; }
  std::uint64_t sent(std::uint32_t node) const;
  std::uint64_t received(std::uint32_t node) const { return nodes_[node].received; }

 private:
  enum class Kind : std::uint8_t { datagram, refused, timer, accusation, probe, decide };
  struct Event {
    TimePoint at;
    std::uint64_t number = 0;
    std::uint32_t to = 0, from = 0;
    Kind kind = Kind::timer;
    std::uint8_t size = 0;
    detector::Evidence evidence{};
    detector::Peer peer;
    std::array<std::byte, 40> bytes;
    bool operator<(const Event& other) const noexcept {  // The earliest on top of the queue.
      return at != other.at ? other.at < at : other.number < number;
    }
  };
  class Node;
  struct Slot {
    std::unique_ptr<Node> node;
    bool dead = false, cut = false, stopped = false, deaf = false;
    std::vector<Event> waiting;  // What arrived while it was stopped.
    std::optional<TimePoint> known;
    std::uint64_t received = 0;
  };

  void post(Event event, Duration after);
  Duration latency() { return std::chrono::microseconds(random_.between(20, 300)); }
  void handle(const Event& event);
  void to_coordinator(const Event& event);
  void decide();

  sim::Random random_;
  TimePoint now_{};
  std::uint64_t number_ = 0;
  unsigned loss_per_mille_ = 0, verdict_count_ = 0;
  std::priority_queue<Event> events_;
  std::shared_ptr<const detector::Rings> rings_;
  detector::Verdicts verdicts_;
  std::vector<Slot> nodes_;
};

}  // namespace krg::testing
