// moves/service.h: the moves of a krgd's tasks, and the movers that do the work.
//
// Model    finds the node that a task was started on, which starts a mover for it at its first move
//          and orders that to move it from then on. Movers of different nodes speak over streams
//          that their krgds carry. A mover is a task of this krgd that belongs to no job.
// Threads  owned by the reactor's thread.
// Blocks   starting a mover, for 0.4 ms; finding a task, as proc/descendants.h.
// Source   docs/design/epm.md, "Movers"
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <unordered_map>

#include "krg/epm/port.h"
#include "krg/moves/client.h"
#include "krg/node/node.h"
#include "krg/proc/supervisor.h"

namespace krg::moves {

class Service final : private proc::TaskObserver {
 public:
  Service(node::Node& node, proc::Supervisor& supervisor);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  ~Service();

  // Asked of a task before it is moved; without it all may.
  void set_may_move(std::function<bool(pid_t)> may_move) { may_move_ = std::move(may_move); }
  // Does what a client asks for.
  Co<Moved> move(AskMove ask);
  // Whether no task of another node is here, and none of ours is away.
  bool idle() const noexcept { return movers_.empty(); }

 private:
  struct Mover;

  void serve();
  bool started_here(pid_t pid) const;
  Co<Moved> order(AskMove ask);
  Result<std::shared_ptr<Mover>> start_mover(pid_t pid, UniqueFd home);
  void heard(Mover& mover, std::uint16_t type, wire::Bytes body);
  void open(Mover& mover, const epm::Open& wish);
  Result<UniqueFd> take_stream(std::uint64_t token);
  std::shared_ptr<Mover> of_pid(pid_t pid) const noexcept;

  // proc::TaskObserver
  void on_output(proc::TaskId, proc::Stream, std::span<const std::byte>) override {}
  void on_input_room(proc::TaskId) override {}
  void on_exit(proc::TaskId task, const proc::ExitStatus& status) override;

  node::Node& node_;
  proc::Supervisor& supervisor_;
  std::function<bool(pid_t)> may_move_;
  std::uint64_t last_token_ = 0;
  // Shared with the coroutines that wait for a mover's answer.
  std::unordered_map<proc::TaskId, std::shared_ptr<Mover>> movers_;
};

}  // namespace krg::moves
