// The fabric over libfabric: rails, links and peers, and who is polled when.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "doorbell.h"
#include "krg/fabric/fabric.h"
#include "krg/link/address.h"
#include "krg/link/link.h"
#include "krg/reactor/reactor.h"
#include "packet.h"
#include "peer.h"
#include "rail.h"

namespace krg::ofi {

// How long a closing peer may take to receive what was sent to it.
inline constexpr std::chrono::seconds kCloseLimit{5};
// How long the last messages may take after the link's goodbye.
inline constexpr std::chrono::milliseconds kLingerLimit{500};
// How long the rail may take to give buffers back after a peer's death.
inline constexpr std::chrono::seconds kDrainLimit{5};

class FabricImpl final : public fabric::Fabric,
                         private RailSink,
                         private link::LinkSink,
                         private reactor::Timer {
 public:
  FabricImpl(reactor::Reactor& reactor, fabric::EventSink& sink, const fabric::Options& options);
  ~FabricImpl() override;
  Status open();

  // fabric::Fabric.
  std::string address() const override { return links_->address(); }
  std::vector<std::string> hosts() const override { return link::hosts_of(links_->address()); }
  const char* provider() const noexcept override { return "ofi"; }
  void connect(NodeId node, const std::string& address, Deadline deadline) override;
  Result<std::unique_ptr<fabric::Region>> register_memory(std::span<std::byte> memory) override;

  // reactor::Poller.
  bool poll() noexcept override;
  int event_fd() const noexcept override { return epoll_.get(); }
  bool arm() noexcept override;
  void disarm() noexcept override;

  // For peers and regions.
  fabric::EventSink& sink() noexcept { return sink_; }
  PacketPool& packets() noexcept { return packets_; }
  const std::vector<std::unique_ptr<Rail>>& rails() const noexcept { return rails_; }
  TimePoint now() const noexcept { return reactor_.now(); }
  Deadline after(Duration d) const noexcept { return reactor_.after(d); }
  void mark_busy(Peer& peer) noexcept {
    if (!peer.linked()) busy_.push_back(peer);
  }
  std::uint64_t add_region(RegionImpl& region);
  void remove_region(std::uint64_t id) noexcept;
  RegionImpl* region(std::uint64_t id) noexcept;

 private:
  // link::LinkSink.
  std::vector<std::byte> on_link_proven(link::Link& link) override;
  void on_link_up(link::Link& link, std::span<const std::byte> greeting) override;
  void on_link_message(link::Link& link, std::span<const std::byte> message) override;
  void on_link_down(link::Link& link, Error why, bool graceful) override;
  void on_connect_failed(NodeId node, Error why) override;
  // RailSink.
  void on_packet(std::span<const std::byte> packet) noexcept override;
  // reactor::Timer: only to wake the reactor.
  void on_timer() noexcept override {}

  Status open_rails();
  Status wait_on(int fd);
  Rail* rail(RailKind kind) noexcept;
  Result<Peer::Path> path_to(const link::Link& link, const Greeting& greeting);
  bool poll_rails() noexcept;
  bool work_on_busy() noexcept;
  void forget(Peer& peer) noexcept;
  void unknown_token() noexcept;

  reactor::Reactor& reactor_;
  fabric::EventSink& sink_;
  const fabric::Options options_;
  PacketPool packets_;  // Outlives the rails, which may hold packets.
  std::vector<std::unique_ptr<Rail>> rails_;
  std::unique_ptr<Doorbell> doorbell_;
  UniqueFd epoll_;
  std::unordered_map<std::uint64_t, RegionImpl*> regions_;
  std::uint64_t next_region_ = 1;
  std::unordered_map<std::uint64_t, std::unique_ptr<Peer>> peers_;  // By receive token.
  std::vector<std::unique_ptr<Peer>> graves_;  // Down, but libfabric holds buffers of theirs.
  IntrusiveList<Peer, BusyTag> busy_;
  std::unique_ptr<link::LinkSet> links_;
  Peer* last_ = nullptr;  // Whose packet came last.
  std::array<std::uint64_t, 64>
      ended_{};  // Tokens of sessions that are over, whose stragglers may come.
  std::size_t next_ended_ = 0;
  std::uint64_t strangers_ = 0;
  unsigned turns_ = 0;
  bool asleep_ = false;
};

}  // namespace krg::ofi
