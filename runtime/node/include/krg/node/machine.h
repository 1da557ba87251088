// node/machine.h: what the machine under a node says about itself.
//
// Model    values, read from the kernel at the call.
// Threads  safe.
// Blocks   as reading small files of /proc does.
// Source   proc_loadavg(5), proc_meminfo(5), sysinfo(2)
#pragma once

#include <cstdint>
#include <string>

namespace krg::node {

struct Machine {
  std::uint32_t cpus = 0;  // That this process may use.
  double load = 0;         // Of the last minute.
  std::uint64_t memory_bytes = 0;
  std::uint64_t memory_free_bytes = 0;  // Available without swapping.

  static void wire_fields(auto& m, auto&& visit) {
    visit(m.cpus, m.load, m.memory_bytes, m.memory_free_bytes);
  }
};

Machine read_machine();
// As uname(2) calls it, up to the first dot.
std::string host_name();

}  // namespace krg::node
