#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>
#include <optional>

#include "krg/ghost/rpc_stream.h"
#include "krg/reactor/event.h"
#include "rpc_messages.h"

namespace krg::ghost {
namespace {

// Hides a round trip behind the copying of the next pieces.
constexpr std::size_t kUnderWay = 4;
// Written and not yet under way: then the sink is full.
constexpr std::size_t kWaitingMax = 4;

std::uint32_t milliseconds(Duration d) noexcept {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(d).count());
}

}  // namespace

struct RpcSink::Flow {
  Flow(rpc::Rpc& r, NodeId node, Ticket t, Duration p)
      : rpc(r), to(node), ticket(t), patience(p), progress(r.reactor()) {}

  rpc::Rpc& rpc;
  const NodeId to;
  const Ticket ticket;
  const Duration patience;
  reactor::Event progress;  // Set whenever a call has ended.
  std::deque<rpc::Buffer> waiting;
  std::optional<Error> failed;
  std::uint64_t next = 0;
  std::size_t under_way = 0;
  bool all_written = false;  // The last that waits is the archive's last.
};

RpcSink::RpcSink(rpc::Rpc& rpc, NodeId to, Ticket ticket, Duration patience)
    : flow_(std::make_shared<Flow>(rpc, to, ticket, patience)) {}

RpcSink::~RpcSink() {
  if (closed_) return;
  flow_->waiting.clear();
  flow_->failed = Error(Errc::cancelled, "the sender gave up");
  const GivenUp message{flow_->ticket.value};
  // If even that does not arrive, the receiver's deadline ends it.
  static_cast<void>(flow_->rpc.notify<GiveUp>(flow_->to, message));
}

bool RpcSink::full() const noexcept {
  return !flow_->failed && flow_->waiting.size() >= kWaitingMax;
}

Co<void> RpcSink::send(std::shared_ptr<Flow> flow, rpc::Buffer piece, std::uint64_t ordinal,
                       bool last) {
  const Piece request{flow->ticket.value, ordinal, milliseconds(flow->patience), last};
  // Beyond the receiver's patience, for the way there and back.
  const Deadline deadline = flow->rpc.reactor().after(2 * flow->patience);
  const rpc::CallOptions options{.deadline = deadline};
  rpc::Bulk bulk(std::move(piece));
  const auto reply =
      co_await flow->rpc.call_data<Carry>(flow->to, request, options, std::move(bulk));
  --flow->under_way;
  if (!reply && !flow->failed) {
    flow->failed = reply.error();
    flow->waiting.clear();
  }
  flow->progress.set();
  pump(flow);
}

void RpcSink::pump(const std::shared_ptr<Flow>& flow) {
  while (!flow->failed && !flow->waiting.empty() && flow->under_way < kUnderWay) {
    rpc::Buffer piece = std::move(flow->waiting.front());
    flow->waiting.pop_front();
    ++flow->under_way;
    const bool last = flow->all_written && flow->waiting.empty();
    flow->rpc.reactor().spawn(send(flow, std::move(piece), flow->next++, last));
  }
}

bool RpcSink::append(Bytes bytes) {
  while (!bytes.empty()) {
    if (piece_.capacity() == 0) {
      piece_ = flow_->rpc.buffers().take(kRpcPieceBytes);
      if (piece_.capacity() == 0) return false;
      piece_.resize(0);
    }
    const std::size_t old = piece_.size();
    const std::size_t more = std::min(bytes.size(), kRpcPieceBytes - old);
    piece_.resize(old + more);
    std::memcpy(piece_.bytes().data() + old, bytes.data(), more);
    bytes = bytes.subspan(more);
    if (piece_.size() == kRpcPieceBytes) flow_->waiting.push_back(std::move(piece_));
  }
  return true;
}

Status RpcSink::write(Bytes head, Bytes body) {
  KRG_ASSERT(!flow_->all_written);
  if (!flow_->failed && !(append(head) && append(body))) {
    flow_->failed = Error(Errc::no_memory, "no memory for an archive on its way");
  }
  if (flow_->failed) return *flow_->failed;
  pump(flow_);
  return {};
}

Co<Status> RpcSink::drain(Deadline deadline) {
  while (full()) {
    flow_->progress.clear();
    KRG_CO_TRY(co_await flow_->progress.wait(deadline));
  }
  if (flow_->failed) co_return *flow_->failed;
  co_return Status();
}

Co<Status> RpcSink::close(Deadline deadline) {
  if (!flow_->all_written) {
    // An empty piece will do, if the last one has just been filled.
    flow_->waiting.push_back(std::move(piece_));
    flow_->all_written = true;
    pump(flow_);
  }
  while (!flow_->failed && (flow_->under_way > 0 || !flow_->waiting.empty())) {
    flow_->progress.clear();
    KRG_CO_TRY(co_await flow_->progress.wait(deadline));
  }
  if (flow_->failed) co_return *flow_->failed;
  closed_ = true;
  co_return Status();
}

}  // namespace krg::ghost
