// jobs/tasks.h: what krgps, krgkill and krgcapset say to a krgd about tasks, and back.
//
// Model    frames of a control connection, beside those of client.h; each question is answered
//          once. A task is named by its node and its number there, or by the number alone where
//          only one node has such a task.
// Threads  immutable.
// Blocks   never.
// Source   docs/design/capability.md, "Tasks by name"
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "krg/base/ids.h"
#include "krg/capability/capability.h"
#include "krg/tasks/messages.h"

namespace krg::jobs {

struct TaskName {
  NodeId node = kNoNode;  // kNoNode: whichever has it.
  std::int32_t pid = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.node, m.pid); }
};

// "3:1234" or "1234"; nothing if it is neither.
std::optional<TaskName> parse_task(std::string_view text);
std::string to_text(const TaskName& name);

// To krgd.
struct AskTasks {
  static constexpr std::uint16_t kFrame = 56;
  static void wire_fields(auto&, auto&& visit) { visit(); }
};
struct SignalTask {
  static constexpr std::uint16_t kFrame = 58;
  TaskName task;
  std::int32_t number = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.task, m.number); }
};
// Without `wanted`, a look.
struct AskCapabilities {
  static constexpr std::uint16_t kFrame = 60;
  TaskName task;
  std::optional<capability::Sets> wanted;
  static void wire_fields(auto& m, auto&& visit) { visit(m.task, m.wanted); }
};

// From krgd.
struct AllTasks {
  static constexpr std::uint16_t kFrame = 57;
  struct Node {
    NodeId node;
    std::string why;  // It has not answered; "" = it has.
    std::vector<tasks::TaskInfo> tasks;
    static void wire_fields(auto& m, auto&& visit) { visit(m.node, m.why, m.tasks); }
  };
  std::vector<Node> nodes;
  static void wire_fields(auto& m, auto&& visit) { visit(m.nodes); }
};
struct TaskSignalled {
  static constexpr std::uint16_t kFrame = 59;
  std::string why;  // It was not; "" = it was.
  static void wire_fields(auto& m, auto&& visit) { visit(m.why); }
};
struct TheCapabilities {
  static constexpr std::uint16_t kFrame = 61;
  std::string why;  // They can not be had, or were not set; "" = these are they.
  TaskName task;    // With its node.
  capability::Sets sets;
  static void wire_fields(auto& m, auto&& visit) { visit(m.why, m.task, m.sets); }
};

}  // namespace krg::jobs
