// Where a process runs, as far as it matters for sharing memory with another one.
#pragma once

#include <cstdint>
#include <string>

namespace krg::link {

struct Locality {
  std::string boot;  // The kernel's boot id: the same on one running machine only.
  std::string host_name;
  std::uint64_t ipc_space = 0, pid_space = 0, net_space = 0;
  std::uint64_t shm_device = 0;  // Of /dev/shm, which a mount namespace may replace.
  std::uint32_t user = 0;

  bool operator==(const Locality&) const = default;

  static void wire_fields(auto& m, auto&& visit) {
    visit(m.boot, m.host_name, m.ipc_space, m.pid_space, m.net_space, m.shm_device, m.user);
  }
};

// Of this process, now.
Locality local_locality();

}  // namespace krg::link
