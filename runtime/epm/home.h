// home.h: the home mover: where a task was started, and where it is known by its pid.
//
// Model    has the task move when its krgd orders it, one order at a time, and decides alone where
//          it runs: a host runs it when it is told Commit, and a source that was not told to give
//          it up for good goes on. While the task is away, the deputy stands in for it here, and
//          what it reads and writes goes through this process.
// Threads  owned by the reactor's thread.
// Blocks   as tracee.h.
// Source   docs/design/epm.md, "A move, step by step"
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "deputy.h"
#include "krg/control/connection.h"
#include "krg/epm/port.h"
#include "messages.h"
#include "relay.h"
#include "source.h"

namespace krg::epm {

class Home final : private control::ConnectionHandler, private reactor::FdHandler {
 public:
  Home(reactor::Reactor& reactor, Port& port, pid_t pid);
  Home(const Home&) = delete;
  Home& operator=(const Home&) = delete;
  ~Home();

  void on_order(const Order& order);
  void on_opened(const Opened& opened, UniqueFd stream);
  // Some process has changed its state.
  void look();

 private:
  using Connection = control::Connection;
  // What a move waits for.
  enum class Step : std::uint8_t { none, stream, hello, source_stream, ready, released, runs };

  void check_only();
  void answer(std::string complaint, std::vector<std::string> problems = {});
  void abort(std::string complaint, std::vector<std::string> problems = {});
  Co<void> give_up_later(std::uint64_t move);
  void on_hello(const Hello& hello);
  void leave_home(UniqueFd stream);
  void take_relays();
  void on_ready();
  void on_released(const Released& released);
  void commit();
  void on_runs(const Runs& runs);
  void on_whole(bool whole);
  void on_host_frame(std::uint16_t type, wire::Bytes body);
  void on_next_frame(std::uint16_t type, wire::Bytes body);
  void deliver(const SignalInfo& info, bool to_leader);
  void deliver_now(const Deliver& one);
  void lose(const char* why);
  Co<void> end_deputy(int status);
  Co<void> leave_the_stage();

  void on_frame(Connection& from, std::uint16_t type, wire::Bytes body) override;
  void on_closed(Connection& connection, Status why) override;
  void on_fd(std::uint32_t events) noexcept override;

  reactor::Reactor& reactor_;
  Port& port_;
  const pid_t pid_;
  const UniqueFd process_;  // Readable when it has ended.
  Machine machine_;
  Known known_;
  Relays relays_;
  Deputy deputy_;
  std::unique_ptr<Source> source_;      // While the task's pages are here.
  std::unique_ptr<Connection> host_;    // Where the task is; none: here.
  std::unique_ptr<Connection> next_;    // Where it is to go.
  std::unique_ptr<Connection> former_;  // Where it was; not ours to speak with any more.
  NodeId at_;
  Order order_;
  Step step_ = Step::none;
  std::uint64_t moves_ = 0;
  bool eager_ = false;
  std::uint64_t token_ = 0;
  std::uint64_t frozen_at_us_ = 0;
  std::vector<std::string> problems_;
  std::vector<Deliver> held_signals_;
  bool ending_ = false;
};

}  // namespace krg::epm
