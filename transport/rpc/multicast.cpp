#include "krg/rpc/multicast.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "krg/reactor/event.h"
#include "krg/rpc/rpc.h"

namespace krg::rpc {
namespace {

constexpr std::size_t kFanOut = 8;

// What the branches of one multicast share; the last of them frees it.
struct Gather {
  Gather(Rpc& r, ServiceId s, std::vector<std::byte> bytes, Deadline d)
      : rpc(r), service(s), request(std::move(bytes)), deadline(d), branches(r.reactor()) {}

  Rpc& rpc;
  ServiceId service;
  std::vector<std::byte> request;
  Deadline deadline;
  std::vector<RawAnswer> answers;  // In the order of the nodes asked.
  reactor::WaitGroup branches;
};

void take(RawAnswer& into, Result<std::vector<std::byte>> reply) {
  if (reply) {
    into.bytes = std::move(*reply);
  } else {
    into.error = static_cast<std::uint16_t>(reply.error().code());
  }
}

// One node, asked directly.
Co<void> ask(std::shared_ptr<Gather> shared, std::size_t index) {
  Gather& gather = *shared;
  RawAnswer& answer = gather.answers[index];
  take(answer, co_await RawCall(gather.rpc, answer.node, gather.service, gather.request,
                                {.deadline = gather.deadline}));
  gather.branches.done();
}

// Nodes [first, last): the first executes and hands on to the others.
Co<void> ask_subtree(std::shared_ptr<Gather> shared, std::size_t first, std::size_t last) {
  Gather& gather = *shared;
  const Duration left = gather.deadline.at() - gather.rpc.reactor().now();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(left).count();
  Multicast::Request request{gather.service,
                             static_cast<std::uint32_t>(std::clamp<std::int64_t>(ms, 0, 1 << 30)),
                             {},
                             gather.request};
  for (std::size_t i = first; i < last; ++i) request.nodes.push_back(gather.answers[i].node);
  const auto reply = co_await gather.rpc.call<Multicast>(request.nodes.front(), request,
                                                         {.deadline = gather.deadline});
  for (std::size_t i = first; i < last; ++i) {
    RawAnswer& answer = gather.answers[i];
    if (!reply) {
      answer.error = static_cast<std::uint16_t>(reply.error().code());
      continue;
    }
    const auto& answers = reply->answers;
    const auto it = std::find_if(answers.begin(), answers.end(),
                                 [&](const RawAnswer& a) { return a.node == answer.node; });
    if (it == answers.end() || !is_errc(it->error)) {
      answer.error = static_cast<std::uint16_t>(Errc::protocol_error);
    } else {
      answer = *it;
    }
  }
  gather.branches.done();
}

}  // namespace

Co<std::vector<RawAnswer>> call_all_raw(Rpc& rpc, std::vector<NodeId> nodes, ServiceId service,
                                        std::vector<std::byte> request, Deadline deadline) {
  const auto shared = std::make_shared<Gather>(rpc, service, std::move(request), deadline);
  Gather& gather = *shared;
  for (const NodeId node : nodes) gather.answers.push_back({node, 0, {}});
  // We stand in the list ourselves when an inner node of the tree hands on to its children.
  std::size_t first = 0;
  while (first < nodes.size() && nodes[first] == rpc.self().node) {
    gather.branches.add();
    rpc.reactor().spawn(ask(shared, first++));
  }
  const std::size_t rest = nodes.size() - first;
  const std::size_t branches = std::min(rest, kFanOut);
  for (std::size_t b = 0; b < branches; ++b) {
    const std::size_t begin = first + rest * b / branches;
    const std::size_t end = first + rest * (b + 1) / branches;
    gather.branches.add();
    if (end - begin == 1) {
      rpc.reactor().spawn(ask(shared, begin));
    } else {
      rpc.reactor().spawn(ask_subtree(shared, begin, end));
    }
  }
  // Every branch ends by the calls' own deadline.
  (void)co_await gather.branches.wait(Deadline::never());
  co_return std::move(gather.answers);
}

}  // namespace krg::rpc
