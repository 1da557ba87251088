// One node's wish to be connected to another: goes through the addresses, again and again, until a
// deadline.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "connection.h"

namespace krg::link {

class Dial;

class DialOwner {
 public:
  // A socket that is connecting to `to`, as a connection; nothing if none can be had, and then
  // `why` says.
  virtual Result<std::unique_ptr<Connection>> call(NodeId node, const Address& to,
                                                   Deadline deadline) = 0;
  // The connection will not be used; closes it if it is open, and frees it when that is safe.
  virtual void give_up(std::unique_ptr<Connection> connection) noexcept = 0;
  // For good. The Dial may be destroyed in here.
  virtual void on_dial_failed(Dial& dial, Error why) = 0;

 protected:
  ~DialOwner() = default;
};

class Dial final : private reactor::Timer {
 public:
  Dial(reactor::Reactor& reactor, DialOwner& owner, NodeId node, std::vector<Address> addresses,
       Deadline deadline, Duration attempt_limit);
  ~Dial();

  NodeId node() const noexcept { return node_; }
  // The connection being made, if any.
  Connection* attempt() const noexcept { return attempt_.get(); }
  // Hands over the connection, which is accepted.
  std::unique_ptr<Connection> take_attempt() noexcept { return std::move(attempt_); }
  // Drops the connection being made: the peer's own connection is to be used. If that fails,
  // retry() goes on.
  void stand_back() noexcept;
  void retry() noexcept;
  // The connection being made has ended: the next address, the next round, or failure.
  void on_attempt_ended(Error why) noexcept;

 private:
  void fail(Error why) noexcept;
  void on_timer() noexcept override;
  void next() noexcept;
  void sleep() noexcept;

  reactor::Reactor& reactor_;
  DialOwner& owner_;
  const NodeId node_;
  const std::vector<Address> addresses_;
  const Deadline deadline_;
  const Duration attempt_limit_;
  std::size_t index_ = 0;
  Duration pause_;
  std::unique_ptr<Connection> attempt_;
  bool standing_back_ = false;
  Error last_error_;
  std::size_t refusals_ = 0;  // In this round.
  std::optional<Error> refused_;
};

}  // namespace krg::link
