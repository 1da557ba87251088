// control/connection.h: typed frames over a pair of descriptors: how a tool, a launcher and a krgd
// talk.
//
// Model    reliable and ordered, as the pipe or socket below. A frame is a message type's number
//          and its wire encoding. What send() takes is queued and written when the descriptor can;
//          the queue has no bound of its own, so whoever passes on a stream waits for room() before
//          the next piece.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/launch.md, "Control connection"
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "krg/base/unique_fd.h"
#include "krg/control/traffic.h"
#include "krg/error/result.h"
#include "krg/reactor/event.h"
#include "krg/reactor/reactor.h"
#include "krg/wire/codec.h"

namespace krg::control {

// The longest frame: a job with its map and environment fits many times.
inline constexpr std::size_t kFrameMax = 64 << 20;

// A message that can be sent as a frame: static constexpr std::uint16_t kFrame, its number on this
// connection.
template <class M>
concept Framed = wire::Message<M> && requires {
  { M::kFrame } -> std::convertible_to<std::uint16_t>;
};

class Connection;

// Called from the reactor. May destroy the connection.
class ConnectionHandler {
 public:
  // `body` is valid until this returns.
  virtual void on_frame(Connection& from, std::uint16_t type, wire::Bytes body) = 0;
  // The other side has closed or broken the connection; nothing more comes. `why` is ok after an
  // orderly end.
  virtual void on_closed(Connection& connection, Status why) = 0;

 protected:
  ~ConnectionHandler() = default;
};

class Connection final : private reactor::FdHandler {
 public:
  // Takes both descriptors and makes them non-blocking; `out` may be none if `in` is a socket.
  Connection(reactor::Reactor& reactor, UniqueFd in, UniqueFd out, ConnectionHandler& handler);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  template <Framed M>
  void send(const M& message) {
    send_frame(M::kFrame, wire::encode(message));
  }
  void send_frame(std::uint16_t type, wire::Bytes body);
  // From now on frames are counted. Requires  `traffic` outlives the last frame.
  void count_in(Traffic& traffic) noexcept { traffic_ = &traffic; }

  // Waits until less than 256 KiB are queued.
  // Errors  timed_out
  reactor::Event::Awaiter room(Deadline deadline) noexcept { return room_.wait(deadline); }
  std::size_t queued() const noexcept { return out_queue_.size() - out_done_; }
  bool open() const noexcept { return open_; }
  // Writes what is queued without waiting; true if nothing is left.
  bool flush() noexcept;
  // Stops and goes on delivering frames. resume() delivers what had been read, so like a handler it
  // may destroy the connection.
  void pause() noexcept;
  void resume() noexcept;

 private:
  void on_fd(std::uint32_t events) noexcept override;
  void read_some();
  // Delivers whole frames; false if this object is gone or closed.
  bool deliver();
  void close(Status why);
  void watch_again() noexcept;
  int out_fd() const noexcept { return out_ ? out_.get() : in_.get(); }

  reactor::Reactor& reactor_;
  UniqueFd in_;
  UniqueFd out_;
  ConnectionHandler& handler_;
  Traffic* traffic_ = nullptr;  // None: not counted.
  reactor::Event room_;
  bool open_ = true;
  bool paused_ = false;
  bool writing_ = false;       // EPOLLOUT is asked for.
  bool* destroyed_ = nullptr;  // Set to true by the destructor while a handler runs.
  std::vector<std::byte> in_buffer_;
  std::size_t in_size_ = 0;
  std::vector<std::byte> out_queue_;
  std::size_t out_done_ = 0;
};

}  // namespace krg::control
