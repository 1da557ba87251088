// machine.h: what a process may have found out about the machine that it runs on, and rely on.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "krg/wire/codec.h"

namespace krg::epm {

struct Machine {
  std::string kernel;                   // Release and build.
  std::uint64_t vdso = 0;               // A sum of its bytes.
  std::uint64_t extended_states = 0;    // XCR0
  std::vector<std::uint32_t> features;  // Of cpuid.
  bool serves_kernel = false;           // userfaultfd(2) also for system calls.
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.kernel, m.vdso, m.extended_states, m.features, m.serves_kernel);
  }
};

Machine this_machine();
// Why what runs on `here` can not go on on `there`; "" if it can.
std::string obstacle(const Machine& here, const Machine& there);

}  // namespace krg::epm
