// daemon.h: a krgd, from its first words to its end.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grower.h"
#include "krg/base/unique_fd.h"
#include "krg/boot/protocol.h"
#include "krg/boot/starter.h"
#include "krg/config/environment.h"
#include "krg/control/connection.h"
#include "krg/control/socket.h"
#include "krg/jobs/pmi.h"
#include "krg/jobs/service.h"
#include "krg/jobs/session.h"
#include "krg/node/node.h"
#include "krg/proc/supervisor.h"
#include "krg/reactor/reactor.h"
#include "krg/settings/settings.h"

namespace krg::krgd {

// Made before the daemon, removed after it.
struct Folders {
  std::string own;      // Of this krgd alone, for the sockets of its servers.
  std::string cluster;  // Of all krgds of the cluster on this machine, for their control sockets.
};

class Daemon final : private cluster::ViewListener,
                     private control::ConnectionHandler,
                     private control::ListenerHandler,
                     private boot::Upward,
                     private reactor::FdHandler {
 public:
  // `in` and `out` lead to whoever started it.
  Daemon(boot::Init init, settings::Settings settings, const config::Environment& environment,
         Folders folders, UniqueFd in, UniqueFd out);
  ~Daemon() override;

  // Runs until it is told to end, or its launcher is gone. Returns the exit code.
  int run();
  // Removes the control socket: nobody shall find what is about to end.
  void close() noexcept;

 private:
  struct Client;

  Co<void> start();
  Co<Status> found();
  Status open_services();
  Co<Status> enter();
  Status open_network();
  std::unique_ptr<jobs::Session> session(control::Connection& client, bool may_end);
  Co<Status> open_control_socket();
  static std::string read_topology();
  std::string keep_topology(const std::string& xml);
  void end(int code);
  Co<void> shut_down();
  Co<void> leave();
  Co<void> end_cluster();
  void on_over(Errc why);
  void forget(control::Connection& connection);

  // cluster::ViewListener
  const char* name() const noexcept override { return "krgd"; }
  Co<Status> prepare(const cluster::ViewChange& change, Deadline deadline) override;
  void commit(const cluster::ViewChange&) noexcept override {}

  void on_frame(control::Connection& from, std::uint16_t type, wire::Bytes body) override;
  void on_closed(control::Connection& connection, Status why) override;
  void on_caller(UniqueFd connection) override;
  void on_hello(const boot::Hello& hello) override { parent_.send(hello); }
  void on_ready(const boot::Ready& ready) override { parent_.send(ready); }
  void on_failed(const boot::Failed& failed) override;
  void on_client_frame(std::uint16_t, wire::Bytes) override {}
  void on_fd(std::uint32_t events) noexcept override;

  boot::Init init_;
  const settings::Settings settings_;
  const Folders folders_;
  reactor::RealClock clock_;
  reactor::Reactor reactor_{clock_};
  proc::Supervisor supervisor_{reactor_};
  UniqueFd signals_;
  control::Connection parent_;
  boot::Starter starter_;
  node::Node node_;
  Grower grower_;
  control::Traffic traffic_;
  reactor::Event view_arrived_{reactor_};
  std::optional<cluster::View> view_;
  std::string topology_;  // As the launcher told it.
  std::unique_ptr<jobs::Pmi> pmi_;
  std::unique_ptr<jobs::Service> jobs_;
  std::unique_ptr<jobs::Session> launcher_;  // The client on the channel.
  std::unique_ptr<control::Listener> listener_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::string complaint_;  // What the start was about when it failed.
  bool ready_ = false;
  bool ending_ = false;
  int exit_code_ = 0;
};

}  // namespace krg::krgd
