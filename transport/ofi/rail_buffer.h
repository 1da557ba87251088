// A receive buffer that takes many messages, one after the other.
#pragma once

#include <array>

#include "rail.h"

namespace krg::ofi {

struct Rail::Buffer {
  fi_context2 reserved{};
  bool posted = false;
  alignas(64) std::array<std::byte, 256 * 1024> bytes;
};

}  // namespace krg::ofi
