// gate/stream.h: ordered items in both directions beside a call over the control socket.
//
// Model    the client ends its items with end(), the server with its reply. Items are bounded: who
//          sends faster than the other side reads is suspended, and a stream that nobody reads
//          holds up its whole connection; so a program that leaves a stream unread gives it a
//          connection of its own.
// Threads  the reactor's thread.
// Blocks   never; send and receive suspend.
// Source   docs/design/gate.md, "Streams"
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

#include "krg/base/deadline.h"
#include "krg/error/result.h"
#include "krg/reactor/co.h"
#include "krg/reactor/event.h"
#include "krg/wire/service.h"

namespace krg::gate {

class Connection;

// One side of a stream, as bytes. Frames of its connection arrive by the deliver functions.
class Conversation {
 public:
  Conversation(reactor::Reactor& reactor, Connection& connection, std::uint32_t call) noexcept;
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;
  ~Conversation();

  // Errors  timed_out  nothing was sent. peer_down, end_of_stream (the stream is over), too_large.
  Co<Status> send(std::vector<std::byte> item, Deadline deadline);
  // Errors  end_of_stream  the other side has ended its items. timed_out, peer_down.
  Co<Result<std::vector<std::byte>>> receive(Deadline deadline);
  // Client: there will be no more items.
  void end();

  void deliver_item(std::vector<std::byte> item);
  // No item follows: `why` is end_of_stream, or what broke the connection.
  void deliver_end(Error why);
  // The connection is gone.
  void disconnect(Error why);

 private:
  Connection* connection_;  // nullptr: over
  const std::uint32_t call_;
  std::deque<std::vector<std::byte>> items_;
  std::size_t bytes_ = 0;
  bool paused_ = false;  // We asked the connection to stop reading.
  bool ended_ = false;   // No more of our items.
  Error end_;            // Why nothing follows; ok: something may.
  reactor::Event readable_;
};

// Sends Out, receives In. Items must own what they hold: no std::span fields.
template <wire::Message Out, wire::Message In>
class Stream {
 public:
  // Requires  `conversation` outlives this.
  explicit Stream(Conversation& conversation) noexcept : conversation_(&conversation) {}

  Co<Status> send(const Out& item, Deadline deadline) {
    return conversation_->send(wire::encode(item), deadline);
  }
  Co<Result<In>> receive(Deadline deadline) { return receive_from(conversation_, deadline); }
  void end() { conversation_->end(); }

 private:
  static Co<Result<In>> receive_from(Conversation* conversation, Deadline deadline) {
    KRG_CO_TRY_ASSIGN(const std::vector<std::byte> bytes, co_await conversation->receive(deadline));
    co_return wire::decode<In>(bytes);
  }

  Conversation* conversation_;
};

// What the handler of a stream service holds.
template <wire::StreamService S>
using ServerStream = Stream<typename S::Down, typename S::Up>;

}  // namespace krg::gate
