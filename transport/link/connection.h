// One TCP connection on its way from socket to link, and then the link.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "host.h"
#include "krg/base/unique_fd.h"
#include "krg/link/address.h"
#include "krg/link/frame.h"
#include "krg/link/handshake.h"
#include "krg/link/link.h"
#include "krg/reactor/reactor.h"

namespace krg::link {

class Connection;

// How far a connection has got.
enum class Progress {
  connecting,
  handshaking,
  judging,   // Proven; the verdict is awaited or being made.
  greeting,  // Accepted; the peer's greeting is awaited.
  up,
  ended,
};

enum class Verdict : std::uint8_t { accepted = 0, duplicate = 1, stale = 2 };

// What the two sides tell each other first.
struct Greeting {
  std::string provider;
  Locality locality;
  std::vector<std::byte> blob;

  static void wire_fields(auto& m, auto&& visit) { visit(m.provider, m.locality, m.blob); }
};

class ConnectionOwner {
 public:
  // Responder: the peer is proven and waits for accept() or deny().
  virtual void on_proven(Connection& connection) = 0;
  // Initiator: the peer has decided; after `accepted` it waits for greet().
  virtual void on_verdict(Connection& connection, Verdict verdict) = 0;
  virtual void on_greeting(Connection& connection, const Greeting& greeting) = 0;
  virtual void on_message(Connection& connection, std::span<const std::byte> message) = 0;
  // It has got as far as `reached`; the descriptor is closed. It must not be destroyed in here.
  virtual void on_ended(Connection& connection, Progress reached, Error why, bool graceful) = 0;

 protected:
  ~ConnectionOwner() = default;
};

class Connection final : public Link, private reactor::FdHandler, private reactor::Timer {
 public:
  using State = Progress;

  Connection(reactor::Reactor& reactor, ConnectionOwner& owner, UniqueFd socket,
             const Address& remote, const Handshake::Options& handshake);
  ~Connection() override { discard(); }

  // Requires  the socket is non-blocking; for the responder, accepted; for the initiator,
  // connect(2) has been called and is under way.
  Status start(Deadline deadline);

  void accept() noexcept;
  void deny(Verdict verdict) noexcept;
  void greet(const Greeting& greeting);
  // Ends it now, from within the owner; on_ended is not called.
  void discard() noexcept;
  // discard(), and lets the peer know that nothing is wrong.
  void withdraw() noexcept;
  // Ends it now and tells the owner.
  void end(Error why, bool graceful) noexcept;
  // A last goodbye that waits for no answer.
  void say_bye() noexcept;

  State state() const noexcept { return state_; }
  bool initiator() const noexcept { return role_ == Handshake::Role::initiator; }
  // Initiator: the peer may have accepted already, for all this side knows.
  bool proof_sent() const noexcept { return state_ >= State::judging; }
  // The node called, or the node that the caller says it is.
  NodeId node() const noexcept { return initiator() ? wanted_ : handshake_.claimed().node; }
  // The greeting is good: the link is in use.
  void establish(bool shares_memory) noexcept;

  // Link.
  const fabric::Identity& peer() const noexcept override { return handshake_.claimed(); }
  std::uint64_t send_token() const noexcept override { return handshake_.session().send_token; }
  std::uint64_t receive_token() const noexcept override {
    return handshake_.session().receive_token;
  }
  const Address& remote() const noexcept override { return remote_; }
  bool shares_memory() const noexcept override { return shares_memory_; }
  Status send(std::span<const std::byte> message) override;
  void close() noexcept override;
  void abort(Error why) noexcept override;

 private:
  void on_fd(std::uint32_t events) noexcept override;
  void on_timer() noexcept override;
  void finish_connect() noexcept;
  void read_some() noexcept;
  void take(std::span<const std::byte> bytes) noexcept;
  void take_handshake(std::span<const std::byte>& bytes) noexcept;
  void take_frame(const Frame& frame) noexcept;
  void take_verdict(std::span<const std::byte> payload) noexcept;
  void take_greeting(std::span<const std::byte> payload) noexcept;
  void frame_out(FrameType type, std::span<const std::byte> payload);
  void flush() noexcept;
  Error end_of_stream() const noexcept;

  reactor::Reactor& reactor_;
  ConnectionOwner& owner_;
  UniqueFd socket_;
  const Address remote_;
  const Handshake::Role role_;
  const NodeId wanted_;
  State state_;
  Handshake handshake_;
  std::optional<FrameWriter> writer_;
  std::optional<FrameReader> reader_;
  std::vector<std::byte> out_;
  std::size_t out_at_ = 0;
  bool watching_out_ = false;
  bool bye_sent_ = false;
  bool shares_memory_ = false;
  std::optional<Error> aborted_;
};

}  // namespace krg::link
