// rpc/multicast.h: one request to many nodes, their replies gathered.
//
// Model    up to 8 nodes are called directly; more are reached by a tree whose inner nodes execute
// the request
//          themselves, pass it on and gather. Each node executes at most once. A node whose way in
//          the tree broke is reported with the error of the break.
// Threads  owned by the reactor's thread.
// Blocks   never; it suspends until every node has answered or the deadline.
// Source   docs/design/rpc.md, "Multicast"
#pragma once

#include <cstdint>
#include <vector>

#include "krg/error/result.h"
#include "krg/reactor/co.h"
#include "krg/rpc/service.h"
#include "krg/wire/codec.h"

namespace krg::rpc {

class Rpc;

struct RawAnswer {
  NodeId node;
  std::uint16_t error = 0;  // An Errc; 0 = `bytes` is the reply.
  std::vector<std::byte> bytes;
  static void wire_fields(auto& m, auto&& visit) { visit(m.node, m.error, m.bytes); }
};

// The internal service that carries a multicast down the tree.
struct Multicast {
  static constexpr ServiceId kId{0x0001};
  static constexpr const char* kName = "rpc.multicast";
  struct Request {
    ServiceId service;
    std::uint32_t deadline_ms = 0;
    std::vector<NodeId> nodes;  // The first is the receiver.
    std::vector<std::byte> payload;
    static void wire_fields(auto& m, auto&& visit) {
      visit(m.service, m.deadline_ms, m.nodes, m.payload);
    }
  };
  struct Reply {
    std::vector<RawAnswer> answers;
    static void wire_fields(auto& m, auto&& visit) { visit(m.answers); }
  };
};

template <class Reply>
struct Answer {
  NodeId node;
  Result<Reply> reply;
};

// Sends `request` of `service` to `nodes`; one answer per node, in the order of `nodes`.
Co<std::vector<RawAnswer>> call_all_raw(Rpc& rpc, std::vector<NodeId> nodes, ServiceId service,
                                        std::vector<std::byte> request, Deadline deadline);

template <Service S>
Co<std::vector<Answer<typename S::Reply>>> call_all(Rpc& rpc, std::vector<NodeId> nodes,
                                                    typename S::Request request,
                                                    Deadline deadline) {
  auto raw = co_await call_all_raw(rpc, std::move(nodes), S::kId, wire::encode(request), deadline);
  std::vector<Answer<typename S::Reply>> answers;
  answers.reserve(raw.size());
  for (RawAnswer& answer : raw) {
    if (answer.error != 0) {
      answers.push_back(
          {answer.node, Error(static_cast<Errc>(answer.error)).with_peer(answer.node)});
    } else {
      answers.push_back({answer.node, wire::decode<typename S::Reply>(answer.bytes)});
    }
  }
  co_return answers;
}

}  // namespace krg::rpc
