// gate/server.h: krgd's side of the gate: one socket, and lanes of shared memory for tasks.
//
// Model    tools and tasks connect to a unix socket (0600 in a 0700 directory). The same services
//          are called over the socket, with streams and descriptors, and through a task's lanes,
//          fast:
//            gate::Server server(reactor, {.path = "/run/user/1000/krg/ab/krgd"});
//            KRG_TRY(server.listen());
//            server.serve<Echo>([](gate::Call&, const EchoRequest& r) -> Result<EchoReply> {...});
//            server.serve<Slow>([&](gate::Call& c, SlowRequest r) -> Co<Result<SlowReply>> {...});
//            server.serve<Launch>([&](gate::Call& c, gate::ServerStream<Launch> s, LaunchRequest r)
//                                     -> Co<Result<LaunchReply>> {...});   // a stream service
//          Only callers of our own uid, or root, come in (SO_PEERCRED). A caller that dies, or
//          sends nonsense, ends its own session: its handlers are destroyed, nobody else notices.
// Threads  the reactor's thread.
// Blocks   never, but for listen(), which binds a socket.
// Source   docs/design/gate.md
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "krg/error/result.h"
#include "krg/gate/handler.h"
#include "krg/reactor/reactor.h"

namespace krg::gate {

class Server {
 public:
  struct Options {
    std::string path;          // Of the socket; its directory is made, mode 0700, if missing.
    bool other_users = false;  // A krgd of root's may serve everybody.
    std::size_t sessions_max = 1024;
    // Where every service is counted, as "gate.SERVICE..."; outlives the server. nullptr = nowhere.
    stats::Registry* stats = nullptr;
  };
  enum class SessionEvent { begin, end };
  using Observer = std::function<void(const Caller&, SessionEvent)>;

  // Requires  `reactor` outlives this.
  Server(reactor::Reactor& reactor, Options options);
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server();  // Ends every session and removes the socket.

  // Errors  already_exists  a living server has this path. denied  the directory is not ours alone.
  //         too_large  the path is longer than a unix socket's may be. system_error
  Status listen();

  // Handlers: see above. A service may be added while sessions exist; a second handler replaces the
  // first.
  template <wire::Service S, class F>
  void serve(F handler) {
    add(S::kId, make_handler<S>(std::move(handler)));
  }
  // Told of every session that begins and ends: how krgd learns that a task or a krgrun is gone.
  void set_observer(Observer observer);

  std::size_t sessions() const noexcept;
  std::size_t lanes() const noexcept;

  class Impl;

 private:
  void add(ServiceId id, std::unique_ptr<Handler> handler);

  std::unique_ptr<Impl> impl_;
};

}  // namespace krg::gate
