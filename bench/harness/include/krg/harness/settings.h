// harness/settings.h: what every bench takes on its command line.
//
// Model    plain values, read once before anything is measured.
// Threads  immutable.
// Blocks   never.
// Source   bench/harness/README.md
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

namespace krg::harness {

enum class Transport { shm, tcp, sim };

const char* name(Transport transport) noexcept;

struct Settings {
  Transport transport = Transport::shm;
  std::string provider = "ucx";    // Which fabric provider serves krg's side: ucx or ofi.
  std::vector<std::size_t> sizes;  // Empty: the bench's own.
  unsigned rounds = 5;
  std::chrono::milliseconds run{100};  // Length of one measurement of one side.
  bool json = false;
  bool pin = true;
};

}  // namespace krg::harness
