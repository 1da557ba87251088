// The simulated network: packets, when they arrive, and the links between nodes.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "krg/reactor/clock.h"
#include "krg/sim/random.h"
#include "krg/sim/world.h"
#include "packet.h"
#include "region.h"
#include "side.h"
#include "sim_fabric.h"

namespace krg::sim {

class Network {
 public:
  explicit Network(const WorldOptions& options);
  ~Network();

  const WorldOptions& options() const noexcept { return options_; }
  Random& random() noexcept { return random_; }
  reactor::VirtualClock& clock() noexcept { return clock_; }

  // Packets and operations come from pools and go back to them.
  Packet& new_packet();
  void recycle(Packet& packet) noexcept;
  OpRef new_op(fabric::Completion& done);
  void release(Op& op) noexcept;

  // The packet arrives at its node after the link's latency, or at once.
  void send(Packet& packet);
  void send_now(Packet& packet) { schedule(packet, clock_.now()); }
  void schedule(Packet& packet, TimePoint at);
  // Behind all others that travel to the same side.
  void send_in_order(Packet& packet);
  void send_datagram(std::uint32_t from, std::uint32_t to, std::span<const std::byte> content);
  // Tells the sender of `packet` that there is no such connection.
  void refuse_packet(const Packet& packet);
  // Reads what `from` has lent of its messages to `to`, because the buffers are about to go.
  void read_lent(Side& to);

  // When the next packet arrives.
  std::optional<TimePoint> next() const noexcept;
  // Lets arrive what is due; nodes that got something are appended to `awake`.
  void deliver(std::vector<std::uint32_t>& awake);

  // Fabrics, sides and regions by number; nullptr if gone.
  void add(SimFabric& fabric);
  void remove(SimFabric& fabric) noexcept;
  SimFabric* fabric(std::uint32_t node) noexcept { return fabrics_[node]; }
  void add(Side& side);
  void remove(Side& side) noexcept;
  Side* side(std::uint64_t id) noexcept;
  std::uint64_t add(SimRegion& region);
  void remove(SimRegion& region) noexcept;
  std::uint64_t next_side_id() noexcept { return ++last_id_; }

  // The node is dead: of what it had sent a part arrives, then the news.
  void kill(std::uint32_t node);
  void cut(std::uint32_t a, std::uint32_t b);
  void mend(std::uint32_t a, std::uint32_t b);
  bool is_cut(std::uint32_t a, std::uint32_t b) const noexcept;
  void set_latency(std::uint32_t from, std::uint32_t to, const Latency& latency);

  std::uint64_t trace() const noexcept { return trace_; }
  void note(std::uint64_t word) noexcept { trace_ = (trace_ ^ word) * 0x100000001b3u; }
  std::uint64_t packets() const noexcept { return sequence_; }

 private:
  struct Arrival {
    TimePoint at;
    std::uint64_t sequence;
    Packet* packet;
    bool operator<(const Arrival& other) const noexcept {  // For a heap with the earliest on top.
      return at != other.at ? other.at < at : other.sequence < sequence;
    }
  };
  struct Cut {
    std::uint64_t number;
    PacketList waiting;
  };
  static std::uint64_t link(std::uint32_t a, std::uint32_t b) noexcept {
    return std::uint64_t{std::min(a, b)} << 32 | std::max(a, b);
  }

  Duration travel(std::uint32_t from, std::uint32_t to, std::size_t size);
  void arrive(Packet& packet, std::vector<std::uint32_t>& awake);
  void hand_over(Packet& packet, std::vector<std::uint32_t>& awake);
  void arrive_head(const Packet& token, std::vector<std::uint32_t>& awake);
  void arrive_data(Packet& packet);
  void arrive_at_memory(Packet& packet);
  void break_link(const Packet& packet);

  const WorldOptions options_;
  Random random_;
  reactor::VirtualClock clock_;
  std::vector<Arrival> arrivals_;
  std::uint64_t sequence_ = 0, last_id_ = 0;
  std::uint64_t trace_ = 0xcbf29ce484222325u;
  std::vector<SimFabric*> fabrics_;
  std::unordered_map<std::uint64_t, Side*> sides_;
  std::unordered_map<std::uint64_t, SimRegion*> regions_;
  std::map<std::uint64_t, Cut> cuts_;
  std::unordered_map<std::uint64_t, Latency> latencies_;
  std::deque<Packet> packet_pool_;
  std::deque<Op> op_pool_;
  PacketList free_packets_;
  OpList free_ops_;
};

}  // namespace krg::sim
