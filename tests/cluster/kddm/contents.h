// A value as the bytes of an object: the whole object says it, so that a mixture of two is seen.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "history.h"

namespace krg::kddm_sim {

void write_value(std::span<std::byte> bytes, Value value);
// Nothing: the bytes are of no value.
std::optional<Value> read_value(std::span<const std::byte> bytes);

}  // namespace krg::kddm_sim
