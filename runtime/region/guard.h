// guard.h: what becomes of a task's regions when its krgd ends: a signal, not a wait without end.
//
// Model    one thread a process, from the first region on, which waits for the end of a connection
//          to krgd. Then it puts memory in place of every region whose touch is SIGBUS, and wakes
//          who waits for a page.
// Threads  safe.
// Blocks   add() once, while it connects.
// Source   docs/design/mm.md, "The end of krgd"
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "krg/error/result.h"
#include "krg/uffd/uffd.h"

namespace krg {

struct Guarded {
  std::uintptr_t address = 0;
  std::size_t bytes = 0;
  Uffd uffd;
};

// The process's regions; by reference until remove().
// Errors  those of gate::Control::connect()
Status guard(const std::string& gate, const Guarded& region);
void unguard(const Guarded& region) noexcept;

}  // namespace krg
