// jobs/tasks_desk.h: what a client asks of a krgd about tasks; see tasks.h.
//
// Model    one per client. Frames come in; the nodes are asked; answers go to the client's
//          connection as long as this lives.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/capability.md, "Tasks by name"
#pragma once

#include <memory>
#include <string>

#include "krg/control/connection.h"
#include "krg/jobs/tasks.h"
#include "krg/node/node.h"

namespace krg::jobs {

class TasksDesk {
 public:
  TasksDesk(node::Node& node, control::Connection& client) noexcept
      : node_(node), client_(client) {}
  TasksDesk(const TasksDesk&) = delete;
  TasksDesk& operator=(const TasksDesk&) = delete;

  // Whether the frame is one for this desk.
  static bool takes(std::uint16_t type) noexcept;
  // Requires  takes(type). False: malformed.
  bool on_frame(std::uint16_t type, wire::Bytes body);

 private:
  Co<void> list(std::weak_ptr<char> alive);
  Co<void> kill(SignalTask wish, std::weak_ptr<char> alive);
  Co<void> capabilities(AskCapabilities wish, std::weak_ptr<char> alive);

  node::Node& node_;
  control::Connection& client_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();  // Watched by answers under way.
};

}  // namespace krg::jobs
