#include "krg/control/traffic.h"

#include <array>

namespace krg::control {

void Traffic::count(Counters& counters, std::uint16_t type, const char* way, std::size_t bytes) {
  // A peer of ours, but a number of types it chooses: what has no name shares one.
  const std::string name = name_of_(type);
  const std::uint16_t key = name.empty() ? 0 : type;
  stats::Counter*& group = counters[key];
  if (group == nullptr) {
    const std::string bytes_name = std::string("bytes_") + way;
    const std::array<stats::CounterName, 2> names = {{{"count", ""}, {bytes_name, "B"}}};
    const bool in = &counters == &received_;
    group = registry_.counters(
        "control." + (name.empty() ? "unknown" : name) + (in ? ".received" : ".sent"), names);
  }
  group[0].add();
  group[1].add(bytes);
}

}  // namespace krg::control
