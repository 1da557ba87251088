#include <algorithm>
#include <chrono>
#include <map>
#include <optional>

#include "krg/ghost/rpc_stream.h"
#include "krg/reactor/event.h"
#include "rpc_messages.h"

namespace krg::ghost {
namespace {

// A piece is answered when fewer than so many before it are unread.
constexpr std::uint64_t kAhead = 4;
// No sender has more than that unanswered.
constexpr std::uint64_t kOutOfOrderMax = 16;
constexpr Duration kPatienceMax = std::chrono::minutes(5);

}  // namespace

struct RpcSource::Flow {
  Flow(reactor::Reactor& reactor, NodeId node) : from(node), readable(reactor), room(reactor) {}

  bool at_end() const noexcept { return last && next > *last; }
  // Whether whoever waits to read need not wait any longer.
  bool has_news() const noexcept { return failed || at_end() || pieces.contains(next); }
  void fail(Error why) noexcept {
    if (!failed && !(last && pieces.size() == *last + 1 - next)) failed = why;
    readable.set();
    room.set();
  }

  const NodeId from;
  reactor::Event readable;
  reactor::Event room;
  std::map<std::uint64_t, rpc::Buffer> pieces;  // Unread.
  std::uint64_t next = 0;
  std::optional<std::uint64_t> last;
  std::optional<Error> failed;
  bool abandoned = false;  // Nobody reads it any more.
};

// The handlers of both services. They hold on to the flow alone once they wait.
struct Inbox::Services {
  using Flow = RpcSource::Flow;

  static Status take(Flow& flow, rpc::Incoming& incoming, const Piece& piece) {
    if (incoming.from() != flow.from) return Error(Errc::denied, "not that node's archive");
    const std::uint64_t at = piece.ordinal;
    const bool orderly = at >= flow.next && at - flow.next < kOutOfOrderMax &&
                         !flow.pieces.contains(at) && (!flow.last || at < *flow.last) &&
                         incoming.attachment().size() <= kRpcPieceBytes;
    if (!orderly) return Error(Errc::protocol_error, "a piece of an archive out of order");
    flow.pieces.emplace(at, std::move(incoming.attachment()));
    if (piece.last) flow.last = at;
    flow.readable.set();
    return {};
  }

  static Co<Result<wire::Empty>> carry(std::shared_ptr<Flow> flow, rpc::Incoming& incoming,
                                       Piece piece, reactor::Reactor& reactor) {
    if (flow == nullptr) co_return Error(Errc::not_found, "nobody expects that archive");
    KRG_CO_TRY(take(*flow, incoming, piece));
    const Duration patience =
        std::min<Duration>(std::chrono::milliseconds(piece.patience_ms), kPatienceMax);
    const Deadline deadline = reactor.after(patience);
    while (!flow->abandoned && !flow->failed && piece.ordinal >= flow->next + kAhead) {
      flow->room.clear();
      KRG_CO_TRY(co_await flow->room.wait(deadline));
    }
    if (flow->abandoned) co_return Error(Errc::cancelled, "the archive's reader gave up");
    if (flow->failed) co_return *flow->failed;
    co_return wire::Empty{};
  }
};

Inbox::Inbox(rpc::Rpc& rpc)
    : rpc_(rpc), last_ticket_(std::uint64_t{rpc.self().incarnation.value} << 32) {
  rpc.serve<Carry>([this](rpc::Incoming& incoming, Piece piece) {
    const auto flow = flows_.find(piece.ticket);
    return Services::carry(flow == flows_.end() ? nullptr : flow->second, incoming, piece,
                           rpc_.reactor());
  });
  rpc.serve<GiveUp>([this](rpc::Incoming& incoming, GivenUp& message) -> Result<wire::Empty> {
    const auto flow = flows_.find(message.ticket);
    if (flow != flows_.end() && flow->second->from == incoming.from()) {
      flow->second->fail(Error(Errc::cancelled, "the archive's sender gave up"));
    }
    return wire::Empty{};
  });
}

Inbox::~Inbox() { KRG_ASSERT(flows_.empty()); }

std::unique_ptr<RpcSource> Inbox::expect(NodeId from) {
  const Ticket ticket{++last_ticket_};
  auto flow = std::make_shared<RpcSource::Flow>(rpc_.reactor(), from);
  flows_.emplace(ticket.value, flow);
  return std::unique_ptr<RpcSource>(new RpcSource(*this, ticket, std::move(flow)));
}

void Inbox::on_peer_down(NodeId node, Error why) noexcept {
  for (auto& [ticket, flow] : flows_) {
    if (flow->from == node) flow->fail(why);
  }
}

RpcSource::RpcSource(Inbox& inbox, Ticket ticket, std::shared_ptr<Flow> flow) noexcept
    : inbox_(inbox), ticket_(ticket), flow_(std::move(flow)) {}

RpcSource::~RpcSource() {
  inbox_.flows_.erase(ticket_.value);
  flow_->abandoned = true;
  flow_->pieces.clear();
  flow_->room.set();
}

Result<Bytes> RpcSource::peek(std::size_t size) {
  if (bytes_.size() - begin_ >= size) return Bytes(bytes_).subspan(begin_, size);
  bytes_.erase(bytes_.begin(), bytes_.begin() + static_cast<std::ptrdiff_t>(begin_));
  begin_ = 0;
  for (auto piece = flow_->pieces.find(flow_->next);
       piece != flow_->pieces.end() && bytes_.size() < size;
       piece = flow_->pieces.find(flow_->next)) {
    const auto more = piece->second.bytes();
    bytes_.insert(bytes_.end(), more.begin(), more.end());
    flow_->pieces.erase(piece);
    ++flow_->next;
    flow_->room.set();
  }
  if (bytes_.size() >= size) return Bytes(bytes_).first(size);
  if (flow_->failed) return *flow_->failed;
  if (flow_->at_end()) return Error(Errc::end_of_stream, "the archive ends too early");
  return Error(Errc::would_block, "the archive is on its way");
}

Co<Status> RpcSource::fill(Deadline deadline) {
  while (!flow_->has_news()) {
    flow_->readable.clear();
    KRG_CO_TRY(co_await flow_->readable.wait(deadline));
  }
  co_return Status();
}

}  // namespace krg::ghost
