// relay.h: files whose other end stays where the task was started.
//
// Model    the same at both ends: what is read from our descriptor goes to the other mover, what
//          comes from it is written to ours. At home that descriptor is the one the task had; at
//          the host it is the other end of a pipe or socket of the task's. At most kWindow bytes
//          are under way or wait, each way. The movers' death ends it as the peer's end would.
// Threads  owned by the reactor's thread.
// Blocks   never; a descriptor that others have too keeps its O_NONBLOCK as it is, and is written
//          to only as far as poll(2) promises.
// Source   docs/design/epm.md, "Relays"; pipe(7), PIPE_BUF
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "krg/base/unique_fd.h"
#include "krg/reactor/reactor.h"
#include "messages.h"

namespace krg::epm {

class Relays {
 public:
  static constexpr std::size_t kWindow = 64 * 1024;
  // Sends a message to the other mover.
  struct Out {
    std::function<void(const RelayData&)> data;
    std::function<void(const RelayTaken&)> taken;
    std::function<void(const RelayEnd&)> end;
  };

  Relays(reactor::Reactor& reactor, Out out);
  Relays(const Relays&) = delete;
  Relays& operator=(const Relays&) = delete;
  ~Relays();

  // `fd`: what comes from it is sent if `reads`; what arrives is written to it if `writes`.
  void add(std::uint64_t relay, UniqueFd fd, bool reads, bool writes);
  bool contains(std::uint64_t relay) const noexcept { return relays_.contains(relay); }
  // From when the other mover is there. Until then, and after pause(), nothing is read.
  void start();
  void pause() noexcept;
  // From now on with another mover, that has had nothing: `unread` is what the former one was sent
  // and nobody has read.
  void rewind(std::uint64_t relay, std::vector<std::byte> unread);
  void rewind_all();
  // Whether something that has arrived waits to be written.
  bool unwritten() const noexcept;
  // Reads and sends all that is there, whatever the window.
  void drain();
  // What has arrived and was not written yet is no longer ours.
  std::vector<std::byte> take_unwritten(std::uint64_t relay);

  void on_data(const RelayData& data);
  void on_taken(const RelayTaken& taken);
  void on_end(const RelayEnd& end);

 private:
  struct One;
  void attend(One& one);
  void read_some(One& one, bool all);
  void write_some(One& one);
  void send(One& one, std::vector<std::byte> bytes);
  void finish_reading(One& one);
  void finish_writing(One& one, bool broken);

  reactor::Reactor& reactor_;
  const Out out_;
  bool running_ = false;
  std::map<std::uint64_t, std::unique_ptr<One>> relays_;
};

}  // namespace krg::epm
