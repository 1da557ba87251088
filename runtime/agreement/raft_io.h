// libraft's I/O interface over memory, the owner's clock and the owner's messages.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "krg/agreement/log.h"
#include "message.h"
#include "raft_c.h"

namespace krg::agreement {

// libraft's callbacks must not come from within its own calls: they wait in a queue.
class RaftIo {
 public:
  RaftIo(ServerId self, LogSink& sink, TimePoint now);
  RaftIo(const RaftIo&) = delete;
  RaftIo& operator=(const RaftIo&) = delete;
  ~RaftIo();

  raft_io* io() noexcept { return &io_; }
  void set_now(TimePoint now) noexcept { now_ = now; }
  TimePoint now() const noexcept { return now_; }
  // Completes what is waiting, and what that makes.
  void pump();
  // From here on nothing is sent, and nothing is told to the sink.
  void close() noexcept { closed_ = true; }

  void receive(ServerId from, Received received);
  void tick();
  // As if the leader had asked this server to take its place.
  void take_over(raft_id leader, const raft_timeout_now& request);
  // The latest of our clocks that `server` has echoed.
  TimePoint echoed(ServerId server) const noexcept;
  void forget_echoes() noexcept { echoed_.clear(); }
  // Whose interface this is.
  const raft* server = nullptr;

 private:
  static RaftIo& of(const raft_io* io) noexcept { return *static_cast<RaftIo*>(io->impl); }
  void install_callbacks() noexcept;
  int send(raft_io_send* request, const raft_message* message, raft_io_send_cb done);
  void note_echo(ServerId from, const Received& received);
  void limit_to_compared(raft_append_entries& message) noexcept;

  const ServerId self_;
  LogSink& sink_;
  TimePoint now_;
  bool closed_ = false;
  raft_index compared_ = 0;  // Upto where our log was compared with the last leader's message.
  raft_io io_{};
  raft_io_tick_cb tick_ = nullptr;
  raft_io_recv_cb receive_ = nullptr;
  std::deque<std::function<void()>> waiting_;
  std::map<raft_id, std::uint64_t> heard_;   // The stamp of the last message of each leader.
  std::map<raft_id, std::uint64_t> echoed_;  // Ours, as each follower gave it back.
  std::vector<std::byte> bootstrap_;         // The first entry; empty for one that joins.
};

}  // namespace krg::agreement
