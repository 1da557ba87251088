// epm/port.h: what a mover and its krgd say to each other, over a socket that passes descriptors.
//
// Model    a mover is a process that krgd starts for one task: the tracer is then nobody who has
//          other work, and its death is nobody else's. The home mover is where the task was
//          started; a host mover is where it has been moved to. Messages are datagrams of at most
//          kMessageMax bytes, each with at most one descriptor.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/epm.md, "Movers"; unix(7), SCM_RIGHTS
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "krg/base/ids.h"
#include "krg/base/unique_fd.h"
#include "krg/error/result.h"
#include "krg/reactor/reactor.h"
#include "krg/wire/codec.h"

namespace krg::epm {

// To a mover.
// The first message. The home mover of task `pid`; or, with a descriptor, which leads to the home
// mover, a host mover, whose source is to be sent to it under the name `token`.
struct Welcome {
  static constexpr std::uint16_t kFrame = 1;
  std::int32_t pid = 0;
  std::uint64_t token = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.pid, m.token); }
};
// To a home mover: move the task, or only say what can not be moved. Answered by an Answer.
struct Order {
  static constexpr std::uint16_t kFrame = 2;
  NodeId node;
  NodeId home;  // This one.
  bool only_check = false;
  bool eager = false;
  static void wire_fields(auto& m, auto&& visit) { visit(m.node, m.home, m.only_check, m.eager); }
};
// The answer to Open, in order. With a descriptor, unless it has failed.
struct Opened {
  static constexpr std::uint16_t kFrame = 3;
  std::string complaint;
  static void wire_fields(auto& m, auto&& visit) { visit(m.complaint); }
};
// To a host mover, with a descriptor: its source.
struct Attach {
  static constexpr std::uint16_t kFrame = 4;
  static void wire_fields(auto&, auto&& visit) { visit(); }
};

// From a mover.
// A stream to a node: to a new host mover (token 0), or to the one of that token.
struct Open {
  static constexpr std::uint16_t kFrame = 16;
  NodeId node;
  std::uint64_t token = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.node, m.token); }
};
struct Answer {
  static constexpr std::uint16_t kFrame = 17;
  std::string complaint;  // "" = done.
  std::vector<std::string> problems;
  bool away = false;  // Where the task is now: on `node`, or at home.
  NodeId node;
  std::uint32_t stopped_us = 0;  // How long the task stood still.
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.complaint, m.problems, m.away, m.node, m.stopped_us);
  }
};

class Port final : private reactor::FdHandler {
 public:
  static constexpr std::size_t kMessageMax = 60'000;
  // `type` 0: the other side is gone; nothing more comes. May destroy the Port.
  using Heard = std::function<void(std::uint16_t type, wire::Bytes body, UniqueFd fd)>;

  Port(reactor::Reactor& reactor, UniqueFd socket, Heard heard);
  Port(const Port&) = delete;
  Port& operator=(const Port&) = delete;
  ~Port();
  // The two ends of a port. Errors  limit_reached
  static Result<std::pair<UniqueFd, UniqueFd>> make();

  // Errors  peer_down; too_large
  template <wire::Message M>
  Status send(const M& message, int fd = -1) {
    return send(M::kFrame, wire::encode(message), fd);
  }

 private:
  Status send(std::uint16_t type, wire::Bytes body, int fd);
  void on_fd(std::uint32_t events) noexcept override;

  reactor::Reactor& reactor_;
  const UniqueFd socket_;
  const Heard heard_;
  std::vector<std::byte> buffer_;
};

}  // namespace krg::epm
