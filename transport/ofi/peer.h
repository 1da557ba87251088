// One life of one peer: what is queued, under way and awaited.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include <deque>

#include "doorbell.h"
#include "krg/fabric/endpoint.h"
#include "krg/link/link.h"
#include "large.h"
#include "memory.h"
#include "packet.h"
#include "rail.h"
#include "wire.h"

namespace krg::ofi {

class FabricImpl;

// proven: the link is; the greeting is awaited. up: in use. closing: nothing new is accepted.
// ending: the link is gone; operations that the rail holds are awaited. down: told, may be
// destroyed.
enum class PeerState { proven, up, closing, ending, down };

class Peer final : public fabric::Endpoint, public ListNode<struct BusyTag> {
 public:
  // How the peer is reached.
  struct Path {
    Rail* rail = nullptr;
    fi_addr_t address = FI_ADDR_UNSPEC;
    std::unique_ptr<PeerBell> bell;
    bool direct = false;  // Each can read and write the other's memory by the rail.
  };

  Peer(FabricImpl& fabric, link::Link& link);
  ~Peer() override;

  // fabric::Endpoint.
  const fabric::Identity& peer() const noexcept override { return identity_; }
  Result<fabric::Sent> send(std::span<std::byte> message, fabric::Completion& done) override;
  Status send_large(std::span<std::byte> header, std::span<const std::span<const std::byte>> parts,
                    fabric::Completion& done) override;
  void cancel(fabric::Completion& operation) noexcept override;
  Result<std::unique_ptr<fabric::RemoteRegion>> attach(std::span<const std::byte> key) override;
  void close() noexcept override;

  // From the fabric.
  void greeted(Path path);
  void link_down(Error why, bool graceful) noexcept;
  void on_packet(const Header& header, std::span<const std::byte> content) noexcept;
  // Does what can be done now; true if anything was.
  bool work() noexcept;
  // Whether work() is to be called again though nothing arrives: after a full queue, for a limit.
  bool waits() const noexcept;
  PeerState state() const noexcept { return state_; }
  bool has_direct_ops() const noexcept { return direct_ops_ > 0; }
  bool has_in_flight() const noexcept { return in_flight_ > 0 || direct_ops_ > 0; }
  void drop_registrations() noexcept;
  void region_gone(std::uint64_t region) noexcept;
  void packet_done(Packet& packet, int error) noexcept;
  std::uint64_t receive_token() const noexcept { return receive_token_; }

  // From large messages and memory operations.
  bool connected() const noexcept {
    return state_ == PeerState::up || state_ == PeerState::closing;
  }
  bool accepting() const noexcept { return state_ == PeerState::up; }
  bool direct() const noexcept { return path_.direct; }
  RailKind rail_kind() const noexcept { return path_.rail->kind(); }
  // Queues a packet of one struct and bytes behind it.
  template <class Head>
  void post(Kind kind, const Head& head, std::span<const std::byte> bytes = {}) {
    post_bytes(kind, std::as_bytes(std::span(&head, 1)), bytes);
  }
  void finish(std::uint64_t id, Errc code) {
    post(Kind::finish, Transfer{id, 0, static_cast<std::uint64_t>(code)});
  }
  void start(DirectOp& op) noexcept;
  void add_stream(Stream stream);
  void forget_incoming(std::uint64_t id) noexcept { incoming_.erase(id); }
  MemoryOp& add_memory_op(fabric::Completion& done);
  void end_memory_op(std::uint64_t id, Status status) noexcept;
  void tell_later(fabric::Completion& done, Status status);

 private:
  struct Early {
    Header header;
    std::vector<std::byte> content;
  };

  // Sending.
  void write_header(std::byte* at, Kind kind) const noexcept;
  bool transmit_now(std::span<const std::byte> message) noexcept;
  void enqueue(Packet& packet) noexcept;
  void post_bytes(Kind kind, std::span<const std::byte> head, std::span<const std::byte> bytes);
  Rail::Post launch(Packet& packet) noexcept;
  bool pump() noexcept;
  bool next_chunk() noexcept;
  bool retry_direct() noexcept;
  bool has_room() const noexcept;
  bool rail_needs_peer() const noexcept;
  void path_failed(const char* what) noexcept;
  Packet& large_packet(std::uint64_t id, Outgoing& large, std::span<std::byte> header);

  // Receiving; false: the peer breaks the protocol.
  bool dispatch(const Header& header, std::span<const std::byte> content);
  bool take_large(const Header& header, std::span<const std::byte> content);
  bool take_transfer(Kind kind, std::span<const std::byte> content);
  bool take_pull(std::uint64_t id);
  bool take_finish(const Transfer& transfer);
  bool take_get_data(const Transfer& transfer, std::span<const std::byte> bytes);
  bool serve_memory(Kind kind, const MemoryHead& head, std::span<const std::byte> bytes);

  // Ending.
  void come_up() noexcept;
  void say_bye() noexcept;
  bool quiet() const noexcept;
  void begin_end() noexcept;
  bool tell_down() noexcept;
  bool tell_waiting() noexcept;
  void mark_busy() noexcept;

  FabricImpl& fabric_;
  link::Link* link_;
  const fabric::Identity identity_;
  const std::uint64_t send_token_, receive_token_;
  Path path_;
  PeerState state_ = PeerState::proven;
  bool greeted_ = false;
  std::vector<Early> early_;

  IntrusiveList<Packet, PacketTag> queue_;        // Waiting for the rail,
  IntrusiveList<Packet, PacketTag> outstanding_;  // and held by it.
  unsigned queued_ = 0, queued_user_ = 0, in_flight_ = 0, injected_ = 0;
  bool blocked_ = false;

  std::deque<Stream> streams_;
  std::unordered_map<std::uint64_t, Outgoing> outgoing_;
  std::unordered_map<std::uint64_t, std::unique_ptr<Incoming>> incoming_;
  std::unordered_map<std::uint64_t, std::unique_ptr<MemoryOp>> memory_ops_;
  IntrusiveList<DirectOp, DirectTag> waiting_direct_;
  unsigned direct_ops_ = 0;
  std::uint64_t next_id_ = 1;
  std::vector<std::pair<fabric::Completion*, Status>> told_;

  bool close_called_ = false, bye_sent_ = false, bye_received_ = false, end_begun_ = false;
  bool link_closed_ = false;
  Error why_;
  bool graceful_ = false;
  Deadline limit_ = Deadline::never();
};

}  // namespace krg::ofi
