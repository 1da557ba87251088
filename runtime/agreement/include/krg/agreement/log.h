// agreement/log.h: a sequence of commands that up to five voters agree on.
//
// Model    Raft. A server is one *life* of a node: it keeps nothing on disk, and a node that comes
//          back is another server, so a vote or an entry that was forgotten in a crash belongs to a
//          server that never speaks again. Pure: messages and instants come in, messages and
//          applied commands go out, never from within a call that was not made from outside. The
//          leader also knows until when no other can have been elected (lease_until). The log is
//          never cut: commands are small and rare, and libraft 0.15 crashes when it takes back a
//          change of the voters whose predecessor is only in a snapshot.
// Threads  the reactor's thread.
// Blocks   never.
// Source   Ongaro, "Consensus: bridging theory and practice", 2014 (4.2.3, 6.4.1, 9.6); libraft's
//          raft.h; docs/design/hotplug.md, "What is agreed"
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "krg/base/deadline.h"
#include "krg/base/ids.h"
#include "krg/error/result.h"
#include "krg/wire/codec.h"

namespace krg::agreement {

using ServerId = StrongId<struct ServerIdTag, std::uint64_t>;

// Requires  incarnation.value is below 2^31. Never 0.
constexpr ServerId server_of(NodeId node, Incarnation incarnation) noexcept {
  return ServerId{std::uint64_t{incarnation.value} << 32 | (node.value + 1)};
}
constexpr NodeId node_of(ServerId server) noexcept {
  return NodeId{static_cast<std::uint32_t>(server.value) - 1};
}
constexpr Incarnation incarnation_of(ServerId server) noexcept {
  return Incarnation{static_cast<std::uint32_t>(server.value >> 32)};
}

struct LogOptions {
  std::chrono::milliseconds election{600};  // A follower waits once to twice as long.
  std::chrono::milliseconds heartbeat{100};
};

class LogSink {
 public:
  virtual void send(ServerId to, wire::Bytes message) = 0;
  // In the same order on every server.
  virtual void apply(wire::Bytes command) = 0;
  virtual std::uint64_t random() = 0;

 protected:
  ~LogSink() = default;
};

enum class Role : std::uint8_t { none, learner, voter };
struct Server {
  ServerId id;
  Role role = Role::none;
};

class Log {
 public:
  Log(ServerId self, const LogOptions& options, LogSink& sink, TimePoint now);
  ~Log();

  // `voters` begin with an empty log, and all with the same list; a server that joins later begins
  // with none and waits for the leader.
  Status start(const std::vector<ServerId>& voters);
  // Bytes from outside: what is malformed is dropped.
  void receive(ServerId from, wire::Bytes message, TimePoint now);
  // To be called every 50 ms or oftener.
  void tick(TimePoint now);

  // Appends a command. Its apply() is the only sign that it was agreed.
  // Errors  would_block  not the leader
  Status propose(wire::Bytes command, TimePoint now);
  // One change at a time, by the leader. A voter is first a learner.
  // Errors  would_block  not the leader, or a change is under way
  Status add_learner(ServerId server, TimePoint now);
  Status promote(ServerId server, TimePoint now);
  // A learner becomes a voter when it has caught up, whoever asked for that still wants it or not:
  // it shall not. Nothing if it is not being promoted, or is a voter already.
  void cancel_promotion(ServerId server);
  // Requires  `server` is not this one. A lone voter that is left makes itself the leader of the
  //           term that had one already: libraft 0.15 does, so nobody may leave it alone.
  Status remove(ServerId server, TimePoint now);
  // A server that is paused neither speaks nor listens: the end of a life that still runs.
  void pause() noexcept;
  // Asks to be elected at once. For one of the first voters, while nobody can lead yet.
  void stand(TimePoint now);
  // Asks to be elected at once, though a leader is known: it has ended, or has asked for it. If it
  // goes on, its lease_until() may be wrong, for no longer than `election` from then on.
  void take_over(TimePoint now);

  bool is_leader() const noexcept;
  // Whom this server follows; ServerId{} if none.
  ServerId leader() const noexcept;
  std::uint64_t term() const noexcept;
  // Until when no other server can have become leader; in the past if unknown.
  TimePoint lease_until(TimePoint now) const;
  bool change_pending() const noexcept;
  // As the leader: whether `server` has stored all that this one has.
  bool caught_up(ServerId server) const noexcept;
  // As the leader: whether most of the voters but `without` have answered within `window`.
  bool would_go_on(ServerId without, Duration window, TimePoint now) const;
  // As the leader: whether a majority of all voters has, and `without` is not one of those.
  bool agrees_without(ServerId without, Duration window, TimePoint now) const;
  std::vector<Server> servers() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krg::agreement
