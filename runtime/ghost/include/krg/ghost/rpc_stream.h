// ghost/rpc_stream.h: an archive on its way to another node, while it is being written.
//
// Model    the receiver's Inbox gives a ticket for one archive from one node; the sender makes an
//          RpcSink with it. Bytes travel as pieces of kRpcPieceBytes, a few of them at once. The
//          receiver answers a piece when the pieces before it have been read, so the memory that is
//          used at either end is bounded, and a slow reader slows the writer. What has been
//          written but not yet sent makes the sink full: the writer's coroutine drains it.
//
//            while (!(status = writer.run(address, bytes)) && status.error() == Errc::would_block)
//              KRG_CO_TRY(co_await sink.drain(deadline));
//
// Threads  owned by the reactor's thread.
// Blocks   never; it suspends.
// Source   docs/design/ghost.md, "Sinks and sources"; Kerrighed's network ghost
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "krg/base/ids.h"
#include "krg/ghost/sink.h"
#include "krg/ghost/source.h"
#include "krg/reactor/co.h"
#include "krg/rpc/rpc.h"

namespace krg::ghost {

using Ticket = StrongId<struct TicketTag, std::uint64_t>;

inline constexpr std::size_t kRpcPieceBytes = std::size_t{256} << 10;
// How long one piece may wait at its receiver.
inline constexpr Duration kRpcPatience = std::chrono::seconds(30);

class RpcSink final : public Sink {
 public:
  RpcSink(rpc::Rpc& rpc, NodeId to, Ticket ticket, Duration patience = kRpcPatience);
  // Tells the receiver that nothing more comes, unless close() has succeeded.
  ~RpcSink() override;
  RpcSink(const RpcSink&) = delete;
  RpcSink& operator=(const RpcSink&) = delete;

  // Errors  of the pieces that were sent before: peer_down, unreachable, timed_out, cancelled
  //         by the reader, not_found  nobody there has such a ticket; no_memory.
  Status write(Bytes head, Bytes body) override;
  bool full() const noexcept override;

  // Waits until it is not full. Errors: as write(); timed_out.
  Co<Status> drain(Deadline deadline);
  // Waits until the receiver has every byte. Whether its reader found them right, it says itself.
  // Errors  as drain().
  Co<Status> close(Deadline deadline);

 private:
  struct Flow;
  static Co<void> send(std::shared_ptr<Flow> flow, rpc::Buffer piece, std::uint64_t ordinal,
                       bool last);
  static void pump(const std::shared_ptr<Flow>& flow);
  bool append(Bytes bytes);

  std::shared_ptr<Flow> flow_;  // Shared with the calls under way, which may outlive the sink.
  rpc::Buffer piece_;           // Being filled.
  bool closed_ = false;
};

class Inbox;

class RpcSource final : public Source {
 public:
  ~RpcSource() override;
  RpcSource(const RpcSource&) = delete;
  RpcSource& operator=(const RpcSource&) = delete;

  Ticket ticket() const noexcept { return ticket_; }
  // Errors  would_block  wait with fill(); peer_down; cancelled  by the sender.
  Result<Bytes> peek(std::size_t size) override;
  void consume(std::size_t size) noexcept override { begin_ += size; }
  // Waits until peek() may give more than it did.
  // Errors  timed_out. What else has gone wrong is peek()'s to say.
  Co<Status> fill(Deadline deadline);

 private:
  friend class Inbox;
  struct Flow;
  RpcSource(Inbox& inbox, Ticket ticket, std::shared_ptr<Flow> flow) noexcept;

  Inbox& inbox_;
  const Ticket ticket_;
  std::shared_ptr<Flow> flow_;  // Shared with the pieces that wait to be read.
  std::vector<std::byte> bytes_;
  std::size_t begin_ = 0;
};

// One per rpc, and before it gone.
class Inbox {
 public:
  explicit Inbox(rpc::Rpc& rpc);
  // Requires  no source is left.
  ~Inbox();
  Inbox(const Inbox&) = delete;
  Inbox& operator=(const Inbox&) = delete;

  // A place for one archive that `from` is going to send under the source's ticket.
  std::unique_ptr<RpcSource> expect(NodeId from);
  // To be called when `node` is gone: its archives do not come to their end.
  void on_peer_down(NodeId node, Error why) noexcept;

 private:
  friend class RpcSource;
  struct Services;

  rpc::Rpc& rpc_;
  std::uint64_t last_ticket_;
  std::unordered_map<std::uint64_t, std::shared_ptr<RpcSource::Flow>> flows_;
};

}  // namespace krg::ghost
