// host.h: a host mover: where a task is that was started elsewhere.
//
// Model    makes the task from what its source sends, lets it run when its home says so, is its
//          parent and its way home, and sends it on. The end of the home mover ends the task,
//          unless it has been given away.
// Threads  owned by the reactor's thread.
// Blocks   as tracee.h and rebuild.h.
// Source   docs/design/epm.md, "A move, step by step"
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "krg/control/connection.h"
#include "krg/epm/port.h"
#include "messages.h"
#include "pager.h"
#include "rebuild.h"
#include "relay.h"
#include "source.h"

namespace krg::epm {

class Host final : private control::ConnectionHandler {
 public:
  Host(reactor::Reactor& reactor, Port& port, UniqueFd home, std::uint64_t token);
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;
  ~Host();

  void on_attach(UniqueFd source);
  void on_opened(const Opened& opened, UniqueFd stream);
  void look();

 private:
  using Connection = control::Connection;

  void on_home_frame(std::uint16_t type, wire::Bytes body);
  void on_source_frame(std::uint16_t type, wire::Bytes body);
  void begin(Begin begin);
  void take_pages(wire::Bytes body);
  void finish();
  void refuse(const Error& why);
  void run();
  void whole();
  void deliver(const Deliver& signal);
  void leave();
  Known known() const;
  void send_away(UniqueFd stream);
  void stay(std::string complaint, std::vector<std::string> problems = {});
  void release();
  std::vector<std::byte> take_unread(const FileImage& file);
  void exited(int status);
  void end();
  Co<void> tell_exit(int status);

  void on_frame(Connection& from, std::uint16_t type, wire::Bytes body) override;
  void on_closed(Connection& connection, Status why) override;

  reactor::Reactor& reactor_;
  Port& port_;
  std::unique_ptr<Connection> home_;
  std::unique_ptr<Connection> source_;  // Where the task comes from.
  Relays relays_;
  Pager pager_;
  std::optional<Rebuild> task_;
  bool runs_ = false;
  bool whole_ = false;
  std::optional<Leave> leave_;    // Where it is to go.
  std::unique_ptr<Source> away_;  // Once it stands still for that.
  bool released_ = false;
  bool ended_ = false;
};

}  // namespace krg::epm
