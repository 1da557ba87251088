// Frames over a connected unix socket, for both sides of the gate.
#pragma once

#include <cstddef>
#include <deque>
#include <span>
#include <vector>

#include "krg/base/unique_fd.h"
#include "krg/error/result.h"
#include "krg/gate/frame.h"
#include "krg/reactor/event.h"
#include "krg/reactor/reactor.h"

namespace krg::gate {

class FrameSink {
 public:
  // `body` is valid until this returns. An error ends the connection.
  virtual Status on_frame(const FrameHeader& header, std::span<const std::byte> body,
                          std::vector<UniqueFd> fds) = 0;
  // The last call: nothing arrives any more. The connection must not be destroyed from here.
  virtual void on_closed(Error why) = 0;

 protected:
  ~FrameSink() = default;
};

class Connection final : private reactor::FdHandler {
 public:
  // Requires  `fd` is connected and does not block; `sink` outlives this.
  Connection(reactor::Reactor& reactor, UniqueFd fd, FrameSink& sink);
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection();

  Status start();
  // Queues a frame and sends what the socket takes. header.size and .fds are filled in here.
  // Errors  peer_down     the connection is closed.
  //         too_large     the body, or the number of descriptors.
  //         limit_reached the other side does not read: kQueueMax is waiting; the connection is
  //         closed.
  Status send(FrameHeader header, std::span<const std::byte> body, std::vector<UniqueFd> fds = {});
  // Whether a polite sender may queue more; room() is set when that is so again, and when it
  // closes.
  bool has_room() const noexcept { return queued_ < kRoom; }
  reactor::Event& room() noexcept { return room_; }
  // Stops and resumes reading; counted.
  void pause() noexcept;
  void resume() noexcept;

  bool closed() const noexcept { return closed_; }
  void close(Error why) noexcept;

 private:
  static constexpr std::size_t kRoom = 1u << 20;
  static constexpr std::size_t kQueueMax = 2 * (std::size_t{kBodyMax} + sizeof(FrameHeader));

  struct Outgoing {
    std::vector<std::byte> bytes;
    std::vector<UniqueFd> fds;
    std::size_t sent = 0;
  };

  void on_fd(std::uint32_t events) noexcept override;
  void read_some();
  // Dispatches the whole frames that are in in_.
  Status take_frames();
  Status write_some();
  Result<std::size_t> send_front(Outgoing& front);
  void update_watch();

  reactor::Reactor& reactor_;
  UniqueFd fd_;
  FrameSink& sink_;
  std::vector<std::byte> in_;
  std::size_t in_size_ = 0;
  std::deque<UniqueFd> in_fds_;
  std::deque<Outgoing> out_;
  std::size_t queued_ = 0;
  unsigned paused_ = 0;
  std::uint32_t watched_ = 0;
  bool taking_ = false;
  bool closed_ = false;
  reactor::Event room_;
};

}  // namespace krg::gate
