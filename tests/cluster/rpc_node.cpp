#include "rpc_node.h"

#include <algorithm>

#include "krg/reactor/event.h"

namespace krg::cluster_test {

using namespace std::chrono_literals;
using rpc::Incoming;

// A request: who asks, for what.
struct Work {
  std::uint64_t request = 0;
  std::uint64_t order = 0;  // Grows on one way, or of one key on one way.
  std::uint64_t key = 0;
  NodeId next{};  // Where a forwarded one goes.
  Incarnation caller{};
  std::uint32_t delay_us = 0;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.request, m.order, m.key, m.next, m.caller, m.delay_us);
  }
};

// The answer: who has done it.
struct Done {
  std::uint64_t request = 0;
  NodeId node;
  Incarnation incarnation;
  static void wire_fields(auto& m, auto&& visit) { visit(m.request, m.node, m.incarnation); }
};

namespace {

template <std::uint16_t kNumber>
struct WorkService {
  static constexpr ServiceId kId{kNumber};
  static constexpr const char* kName = "test.work";
  using Request = Work;
  using Reply = Done;
};
using Inline = WorkService<0x200>;
using Slow = WorkService<0x201>;
using Forwarded = WorkService<0x202>;
using WithData = WorkService<0x203>;
using Note = WorkService<0x204>;
struct Conversation : WorkService<0x205> {
  using Up = Work;
  using Down = Done;
};

constexpr std::uint64_t kKeys = 3;

// Counts a client while its frame lives, however it ends.
struct Running {
  explicit Running(std::uint64_t& n) : count(n) { ++count; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() { --count; }
  std::uint64_t& count;
};

void fill(std::span<std::byte> bytes, std::uint64_t request) {
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(request + i);
}

bool is_filled(std::span<const std::byte> bytes, std::uint64_t request) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != static_cast<std::byte>(request + i)) return false;
  }
  return true;
}

}  // namespace

void Ledger::executed(std::uint64_t request, const Life& where) {
  Execution& execution = executions[{request, where.node}];
  execution.incarnation = where.incarnation;
  if (++execution.count > 1) {
    complain("request " + std::to_string(request) + " was executed twice on node " +
             std::to_string(where.node.value));
  }
}

RpcNode::RpcNode(sim::World& world, Ledger& ledger, NodeId node, Incarnation incarnation)
    : world_(world),
      ledger_(ledger),
      life_{node, incarnation},
      end_(world, {.self = {node, incarnation}}),
      reactor_(end_.reactor()),
      rpc_(end_.rpc()) {
  serve();
  serve_conversations();
}

void RpcNode::serve() {
  const auto done = [this](const Work& work) {
    ledger_.executed(work.request, life_);
    return Done{work.request, life_.node, life_.incarnation};
  };
  rpc_.serve<Inline>([done](Incoming&, Work& work) -> Result<Done> { return done(work); });
  rpc_.serve<Slow>([this, done](Incoming& in, Work work) -> Co<Result<Done>> {
    // Of one key and one caller: in the order of asking.
    auto& last = ledger_.last_of_key[{{{in.from(), work.caller}, life_}, work.key}];
    if (work.order <= last) ledger_.complain("calls of one key were executed out of order");
    last = work.order;
    const Done result = done(work);
    co_await reactor::sleep_for(reactor_, std::chrono::microseconds(work.delay_us));
    co_return result;
  });
  rpc_.serve<Forwarded>([](Incoming& in, Work& work) -> Result<Done> {
    in.forward<Inline>(work.next, work);
    return Done{};
  });
  rpc_.serve<WithData>([this, done](Incoming& in, Work& work) -> Result<Done> {
    if (!is_filled(in.attachment().bytes(), work.request)) ledger_.complain("data were damaged");
    in.attach(std::move(in.attachment()));
    return done(work);
  });
  rpc_.serve<Note>([this, done](Incoming& in, Work& work) -> Result<Done> {
    auto& last = ledger_.last_notice[{{in.from(), work.caller}, life_}];
    if (work.order <= last) ledger_.complain("notices came out of order or twice");
    last = work.order;
    return done(work);
  });
}

void RpcNode::serve_conversations() {
  rpc_.serve<Conversation>(
      [this](Incoming&, Work work, rpc::ServerStream<Conversation>& stream) -> Co<Result<Done>> {
        ledger_.executed(work.request, life_);
        for (std::uint64_t n = 0;; ++n) {
          auto item = co_await stream.recv(reactor_.after(3s));
          if (!item && item.error() == Errc::end_of_stream) break;
          if (!item) co_return item.error();
          if (item->order != n) ledger_.complain("items of a stream were lost or out of order");
          const Done echo{n, life_.node, life_.incarnation};
          KRG_CO_TRY(co_await stream.send(echo, reactor_.after(3s)));
        }
        co_return Done{work.request, life_.node, life_.incarnation};
      });
}

void RpcNode::disable(std::uint64_t which) noexcept {
  constexpr ServiceId kAll[] = {Inline::kId,   Slow::kId, Forwarded::kId,
                                WithData::kId, Note::kId, Conversation::kId};
  rpc_.disable(kAll[which % std::size(kAll)]);
}

void RpcNode::enable_all() {
  for (const ServiceId service :
       {Inline::kId, Slow::kId, Forwarded::kId, WithData::kId, Note::kId, Conversation::kId}) {
    rpc_.enable(service);
  }
}

std::uint64_t RpcNode::handed_on() const {
  const stats::Snapshot all = rpc_.stats().snapshot();
  const stats::Item* const served =
      all.find("rpc." + std::string(rpc::Multicast::kName) + ".served.count");
  return served == nullptr ? 0 : static_cast<std::uint64_t>(served->value);
}

std::string RpcNode::left_over() const {
  const std::string where = " on node " + std::to_string(life_.node.value);
  if (rpc_.pending_calls() != 0) {
    return std::to_string(rpc_.pending_calls()) + " calls are pending" + where;
  }
  if (rpc_.active_handlers() != 0) {
    return std::to_string(rpc_.active_handlers()) + " handlers are active" + where;
  }
  if (rpc_.buffers().in_use() != 0) {
    return std::to_string(rpc_.buffers().in_use()) + " buffers are in use" + where;
  }
  return {};
}

void RpcNode::spawn_clients(int count) {
  for (int i = 0; i < count; ++i) reactor_.spawn(client());
}

Co<void> RpcNode::client() {
  const Running running(ledger_.clients);
  while (!ledger_.stopping) {
    const NodeId to{static_cast<std::uint32_t>(world_.random().below(world_.size()))};
    const Status status = co_await one_call(to);
    ++ledger_.outcomes[status ? Errc::ok : status.error().code()];
    // A failed call may end at once; do not spin on it.
    const Duration pause = std::chrono::microseconds(world_.random().below(status ? 500 : 5000));
    co_await reactor::sleep_for(reactor_, pause);
  }
}

Co<Status> RpcNode::one_call(NodeId to) {
  switch (world_.random().below(16)) {
    case 0:
    case 1:
      co_return co_await call_with_data(to);
    case 2:
      co_return co_await call_all_nodes(to);
    case 3:
      co_return co_await converse(to);
    case 4:
    case 5:
      co_return co_await call_forwarded(to);
    case 6:
    case 7:
    case 8:
      co_return co_await call_slow(to);
    case 9:
    case 10:
      co_return co_await note(to);
    default:
      co_return co_await call_inline(to);
  }
}

Deadline RpcNode::deadline() {
  const auto us = world_.random().chance(100) ? world_.random().below(3000)
                                              : 100'000 + world_.random().below(2'000'000);
  return reactor_.after(std::chrono::microseconds(us));
}

void RpcNode::check(std::uint64_t request, const Done& reply) {
  const auto found = ledger_.executions.find({request, reply.node});
  if (reply.request != request) {
    ledger_.complain("a reply of another request");
  } else if (found == ledger_.executions.end() || found->second.incarnation != reply.incarnation) {
    ledger_.complain("a reply without an execution");
  }
}

Co<Status> RpcNode::call_inline(NodeId to) {
  const Work work{.request = ++ledger_.next_request, .caller = life_.incarnation};
  const auto reply = co_await rpc_.call<Inline>(to, work, {.deadline = deadline()});
  if (!reply) co_return reply.error();
  check(work.request, *reply);
  co_return Status{};
}

Co<Status> RpcNode::call_slow(NodeId to) {
  const std::uint64_t key = world_.random().below(kKeys);
  const Work work{.request = ++ledger_.next_request,
                  .order = ++keyed_[{to, key}],
                  .key = key,
                  .caller = life_.incarnation,
                  .delay_us = static_cast<std::uint32_t>(world_.random().below(20'000))};
  const auto reply = co_await rpc_.call<Slow>(to, work, {.deadline = deadline(), .key = key});
  if (!reply) co_return reply.error();
  check(work.request, *reply);
  co_return Status{};
}

Co<Status> RpcNode::call_forwarded(NodeId to) {
  const Work work{.request = ++ledger_.next_request,
                  .next = NodeId{static_cast<std::uint32_t>(world_.random().below(world_.size()))},
                  .caller = life_.incarnation};
  const auto reply = co_await rpc_.call<Forwarded>(to, work, {.deadline = deadline()});
  if (!reply) co_return reply.error();
  check(work.request, *reply);
  if (reply->node != work.next) ledger_.complain("a forwarded call was answered by another");
  co_return Status{};
}

Co<Status> RpcNode::call_with_data(NodeId to) {
  const Work work{.request = ++ledger_.next_request, .caller = life_.incarnation};
  const std::size_t size = world_.random().below(world_.random().chance(500) ? 3000 : 200'000);
  rpc::Buffer data = rpc_.buffers().take(size);
  fill(data.bytes(), work.request);
  rpc::Bulk bulk(std::move(data));
  const auto reply =
      co_await rpc_.call_data<WithData>(to, work, {.deadline = deadline()}, std::move(bulk));
  if (!reply) co_return reply.error();
  check(work.request, reply->reply);
  if (reply->data.size() != size || !is_filled(reply->data.bytes(), work.request)) {
    ledger_.complain("data of a reply were damaged");
  }
  co_return Status{};
}

Co<Status> RpcNode::call_all_nodes(NodeId) {
  const Work work{.request = ++ledger_.next_request, .caller = life_.incarnation};
  std::vector<NodeId> nodes;
  for (std::uint32_t i = 0; i < world_.size(); ++i) nodes.push_back(NodeId{i});
  const auto answers = co_await rpc::call_all<Inline>(rpc_, nodes, work, deadline());
  if (answers.size() != nodes.size()) ledger_.complain("a multicast without all its answers");
  Status worst;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    if (answers[i].node != nodes[i]) ledger_.complain("answers of a multicast out of order");
    if (!answers[i].reply) {
      worst = answers[i].reply.error();
      continue;
    }
    check(work.request, *answers[i].reply);
  }
  co_return worst;
}

Co<Status> RpcNode::converse(NodeId to) {
  const Work work{.request = ++ledger_.next_request, .caller = life_.incarnation};
  const auto stream = rpc_.open<Conversation>(to, work, {.deadline = deadline()});
  const std::uint64_t items = world_.random().below(150);
  // Some conversations are dropped in the middle.
  const std::uint64_t drop_at = world_.random().chance(200) ? world_.random().below(150) : items;
  for (std::uint64_t n = 0; n < items; ++n) {
    if (n == drop_at) co_return Errc::cancelled;
    const Work item{.request = work.request, .order = n, .caller = life_.incarnation};
    KRG_CO_TRY(co_await stream->send(item, reactor_.after(2s)));
    const auto echo = co_await stream->recv(reactor_.after(2s));
    if (!echo) co_return echo.error();
    if (echo->request != n) ledger_.complain("items of a stream came back out of order");
  }
  stream->end();
  const auto reply = co_await stream->finish();
  if (!reply) co_return reply.error();
  check(work.request, *reply);
  co_return Status{};
}

Co<Status> RpcNode::note(NodeId to) {
  for (std::uint64_t left = world_.random().below(30); left > 0; --left) {
    const Work work{
        .request = ++ledger_.next_request, .order = ++notices_[to], .caller = life_.incarnation};
    KRG_CO_TRY(rpc_.notify<Note>(to, work));
  }
  co_return Status{};
}

}  // namespace krg::cluster_test
