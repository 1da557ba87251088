// swap.h: memory of this process gets other memory put in its place, in one step.
//
// Model    what is mapped at one place goes to another, over whatever is there. Before that its
//          contents may be copied. From the first byte that is copied until the memory is in its
//          place nothing is read or written but what is copied: no stack, no C library, no
//          thread's own storage; all of them may lie in the memory that is exchanged. Signals are
//          blocked meanwhile.
// Threads  any; but no other thread may use what is copied meanwhile: what it writes would be lost.
// Blocks   until userfaultfd's holder has heard of it, if the memory is watched.
// Source   mremap(2); ioctl_userfaultfd(2), UFFD_FEATURE_EVENT_REMAP
#pragma once

#include <cstddef>
#include <cstdint>

#include "krg/error/result.h"

namespace krg {

struct Swap {
  std::uintptr_t aside = 0;  // What is to go,
  std::uintptr_t place = 0;  // where,
  std::size_t bytes = 0;     // in whole pages.
  std::uintptr_t copy_from = 0;
  std::uintptr_t copy_to = 0;
  std::size_t copied = 0;  // 0: nothing is.
};

// Errors  not_supported  this kind of processor; system_error  nothing has changed
Status swap_in(const Swap& swap);

// Errors  invalid_argument  not all of it is memory that this process alone has, to be written
Status check_own_memory(std::uintptr_t begin, std::size_t bytes);

}  // namespace krg
