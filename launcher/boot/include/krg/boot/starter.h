// boot/starter.h: starts the krgds below this process and holds the channels to them.
//
// Model    krgrun starts nodes 0 ... N-1; a krgd starts those of its part of the tree. Up to 16 are
//          started directly; more are split into 16 contiguous parts whose first nodes start the
//          rest. Each started krgd holds one channel; when it closes, the krgd and all below it
//          end. What comes up is told to the Upward, whichever child it came from.
// Threads  owned by the reactor's thread.
// Blocks   start() for one execve per direct child.
// Source   docs/design/launch.md, "Starting krgd"; ROLLER and Hydra's proxy trees
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "krg/boot/protocol.h"
#include "krg/control/connection.h"
#include "krg/error/result.h"
#include "krg/proc/supervisor.h"
#include "krg/reactor/co.h"

namespace krg::boot {

inline constexpr std::size_t kFanOut = 16;

// What reaches the one who starts, from all nodes below.
class Upward {
 public:
  virtual void on_hello(const Hello& hello) = 0;
  virtual void on_ready(const Ready& ready) = 0;
  // A node could not be started, or its krgd has ended. Told once per direct child, and for
  // whatever a child passes on.
  virtual void on_failed(const Failed& failed) = 0;
  // A client frame from the krgd of the first node.
  virtual void on_client_frame(std::uint16_t type, wire::Bytes body) = 0;

 protected:
  ~Upward() = default;
};

class Starter final : private control::ConnectionHandler, private proc::TaskObserver {
 public:
  // `environment` is what the started programs get, NAME=value. A krgd inside this machine is a
  // copy of this process that calls `krgd`, or, without that, the program.
  // Requires  with `krgd`, this process has one thread when start() is called.
  Starter(reactor::Reactor& reactor, proc::Supervisor& supervisor, Upward& upward,
          std::vector<std::string> environment, std::function<int()> krgd = nullptr);
  Starter(const Starter&) = delete;
  Starter& operator=(const Starter&) = delete;
  ~Starter();

  // Starts the krgds of plan.hosts from `skip` on; plan.first is the node id of hosts[0]. A krgd
  // passes its own Init with skip = 1.
  void start(const Init& plan, std::size_t skip);

  // To every krgd below.
  void send_view(const ViewMade& view);
  // Asks them to end; true if all have by `deadline`. The rest is killed.
  Co<bool> shutdown(Deadline deadline);
  // To the krgd of the first node. Requires  it was started here.
  control::Connection& first() noexcept;
  bool any_running() const noexcept { return living() > 0; }

 private:
  struct Child;

  void start_child(const Init& plan, std::size_t begin, std::size_t end);
  void fail(Child& child, const std::string& text);
  void fail_at_once(std::uint32_t node, const std::string& text);
  Child* find(const control::Connection& connection) noexcept;
  std::size_t living() const noexcept;

  void on_frame(control::Connection& from, std::uint16_t type, wire::Bytes body) override;
  void on_closed(control::Connection& connection, Status why) override;
  void on_output(proc::TaskId, proc::Stream, std::span<const std::byte>) override {}
  void on_input_room(proc::TaskId) override {}
  void on_exit(proc::TaskId task, const proc::ExitStatus& status) override;

  reactor::Reactor& reactor_;
  proc::Supervisor& supervisor_;
  Upward& upward_;
  const std::vector<std::string> environment_;
  const std::function<int()> krgd_;
  bool ending_ = false;
  reactor::Event changed_;
  std::vector<std::unique_ptr<Child>> children_;
};

}  // namespace krg::boot
