// One end of a simulated connection.
#pragma once

#include <list>
#include <memory>

#include "krg/fabric/endpoint.h"
#include "krg/fabric/event_sink.h"
#include "packet.h"

namespace krg::sim {

class SimFabric;
class Network;

// What a sender may have under way on one connection.
inline constexpr std::size_t kWindowBytes = 64 * 1024;
inline constexpr std::size_t kWindowLarges = 64;
// Room is told in pieces of this size, and on_writable when that much is free.
inline constexpr std::size_t kCreditBytes = kWindowBytes / 8;
// What each message takes of the window besides its bytes, which bounds their number.
inline constexpr std::size_t kMessageCost = 64;

class Side final : public fabric::Endpoint {
 public:
  enum class State { connecting, up, closing, down };

  Side(SimFabric& fabric, std::uint64_t id, fabric::Identity peer);
  ~Side() override;

  const fabric::Identity& peer() const noexcept override { return peer_; }
  Result<fabric::Sent> send(std::span<std::byte> message, fabric::Completion& done) override;
  Status send_large(std::span<std::byte> header, std::span<const std::span<const std::byte>> parts,
                    fabric::Completion& done) override;
  void cancel(fabric::Completion& operation) noexcept override;
  Result<std::unique_ptr<fabric::RemoteRegion>> attach(std::span<const std::byte> key) override;
  void close() noexcept override;

  // What has arrived for this side. Only up sides get these.
  void on_accept(std::uint64_t other, Incarnation incarnation);
  void on_message(const Packet& packet);
  void on_large(Packet& packet);
  void on_fin();
  void on_credit(std::size_t size);
  void on_told(Op& op, Status status);
  // Closed by both, and everything has ended.
  bool finished() const noexcept;
  // Tells every operation `why`.
  void end_operations(Error why);

  // An operation that is pending here, and a packet to the other side.
  OpRef begin(fabric::Completion& done);
  Packet& packet(Kind kind);
  // `op` is told in a later poll.
  void tell_soon(OpRef op, Status status);

  Network& network() noexcept;

  const std::uint64_t id;
  std::uint64_t other = 0;  // The peer's side.
  State state = State::connecting;
  PacketList incoming;  // On its way to this side, in order.

 private:
  class Large;
  Status writable(std::size_t size, bool is_large);
  void return_credit(std::size_t size);
  void tell_writable();

  SimFabric& fabric_;
  fabric::Identity peer_;
  OpList operations_;
  std::list<std::unique_ptr<Large>> held_;
  std::size_t in_flight_ = 0, larges_ = 0, owed_ = 0;
  bool refused_ = false;
  bool fin_seen_ = false;
};

}  // namespace krg::sim
