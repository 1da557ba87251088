#include "krg/store/set_options.h"

namespace krg::kddm {

Status check(const SetOptions& options) noexcept {
  auto refuse = [](const char* why) { return Error(Errc::invalid_argument, why); };
  constexpr auto kKnown = static_cast<std::uint32_t>(SetFlag::touch_at_home) |
                          static_cast<std::uint32_t>(SetFlag::locks);
  if (options.object_bytes > SetOptions::kObjectBytesMax) return refuse("objects over 1 GiB");
  if (options.object_count == 0) return refuse("a set of no objects");
  if (options.copies == 0 || options.copies > SetOptions::kCopiesMax) {
    return refuse("copies must be 1 to 8");
  }
  if ((options.flags & ~kKnown) != 0) return refuse("unknown set flag");
  if (options.linker.empty() || options.linker.size() > SetOptions::kLinkerNameMax) {
    return refuse("a linker's name has 1 to 64 bytes");
  }
  if (options.linker_data.size() > SetOptions::kLinkerDataMax) {
    return refuse("a linker's data have 4,095 bytes at most");
  }
  switch (options.policy) {
    case HomePolicy::hash:
    case HomePolicy::linker:
      return {};
    case HomePolicy::fixed:
      if (options.home.value >= cluster::kNodesMax) return refuse("a fixed home must be named");
      return {};
    case HomePolicy::round_robin:
      if (options.nodes.empty()) return refuse("round robin over no nodes");
      return {};
  }
  return refuse("unknown home policy");
}

}  // namespace krg::kddm
