// names.h: regions' names as names of sets.
//
// Model    a prefix. A region that is being made from a task's memory has another one, under which
//          nobody looks for it.
// Threads  any.
// Blocks   never.
// Source   docs/design/mm.md, "What carries threads"
#pragma once

#include <string>

namespace krg::mm {

inline std::string set_name(const std::string& region, bool hidden = false) {
  return (hidden ? "hidden region:" : "region:") + region;
}

}  // namespace krg::mm
