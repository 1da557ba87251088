#include "krg/node/machine.h"

#include <sched.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <fstream>

namespace krg::node {

Machine read_machine() {
  Machine machine;
  cpu_set_t cpus;
  if (sched_getaffinity(0, sizeof cpus, &cpus) == 0) {
    machine.cpus = static_cast<std::uint32_t>(CPU_COUNT(&cpus));
  }
  std::ifstream("/proc/loadavg") >> machine.load;
  std::ifstream memory("/proc/meminfo");
  std::string key, unit;
  std::uint64_t kib = 0;
  while (memory >> key >> kib) {
    std::getline(memory, unit);
    if (key == "MemTotal:") machine.memory_bytes = kib * 1024;
    if (key == "MemAvailable:") {
      machine.memory_free_bytes = kib * 1024;
      break;
    }
  }
  return machine;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  const std::string full(name.data());
  return full.substr(0, full.find('.'));
}

}  // namespace krg::node
