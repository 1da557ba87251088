// tasks/messages.h: what nodes ask each other about their tasks.
//
// Model    wire messages. A task is named by its node and its number there; the node checks that it
//          is a task, whoever asks.
// Threads  immutable.
// Blocks   never.
// Source   docs/design/capability.md, "Tasks by name"
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "krg/capability/capability.h"
#include "krg/wire/service.h"

namespace krg::tasks {

struct TaskInfo {
  std::int32_t pid = 0;
  std::int32_t parent = 0;
  std::uint8_t state = 0;  // A letter, as of proc::Process.
  std::uint32_t user = 0;  // Its number on that node.
  std::string user_name;   // "" = it has none there.
  std::uint32_t threads = 0;
  std::uint64_t resident_bytes = 0;
  std::uint64_t cpu_ms = 0;
  std::string command;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.pid, m.parent, m.state, m.user, m.user_name, m.threads, m.resident_bytes, m.cpu_ms,
          m.command);
  }
};

struct List {
  static constexpr ServiceId kId{0xa2};
  static constexpr const char* kName = "tasks.list";
  using Request = wire::Empty;
  struct Reply {
    std::vector<TaskInfo> tasks;  // Rising by pid.
    static void wire_fields(auto& m, auto&& visit) { visit(m.tasks); }
  };
};

// Whether the node has a task of that number.
struct Has {
  static constexpr ServiceId kId{0xa3};
  static constexpr const char* kName = "tasks.has";
  struct Request {
    std::int32_t pid = 0;
    static void wire_fields(auto& m, auto&& visit) { visit(m.pid); }
  };
  struct Reply {
    bool here = false;
    static void wire_fields(auto& m, auto&& visit) { visit(m.here); }
  };
};

struct Kill {
  static constexpr ServiceId kId{0xa4};
  static constexpr const char* kName = "tasks.kill";
  struct Request {
    std::int32_t pid = 0;
    std::int32_t signal = 0;  // 0: only whether it is there.
    static void wire_fields(auto& m, auto&& visit) { visit(m.pid, m.signal); }
  };
  using Reply = wire::Empty;
};

// Gives the task's sets, after they were set to `wanted` if there is any.
struct Capabilities {
  static constexpr ServiceId kId{0xa5};
  static constexpr const char* kName = "tasks.capabilities";
  struct Request {
    std::int32_t pid = 0;
    std::optional<capability::Sets> wanted;
    static void wire_fields(auto& m, auto&& visit) { visit(m.pid, m.wanted); }
  };
  using Reply = capability::Sets;
};

}  // namespace krg::tasks
