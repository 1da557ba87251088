// guard.h: the regions of a process: what becomes of them when krgd ends, and in a child of fork().
//
// Model    one thread a process, from the first region on, waits for the end of a connection to
//          krgd, and tells the regions: a signal is to come of it, not a wait without end. It also
//          tells what others have changed of regions. A child
//          of fork() tells them too, before the program goes on there.
// Threads  safe.
// Blocks   add() the first time, while the thread connects.
// Source   docs/design/mm.md, "The end of krgd"; pthread_atfork(3)
#pragma once

#include <string>

#include "krg/error/result.h"
#include "krg/mm_calls/region_info.h"

namespace krg {

class Guarded {
 public:
  // In the guard's thread, while no other of this is called.
  virtual void on_krgd_end() noexcept = 0;
  // Some region has another size, or other rights; as on_krgd_end().
  virtual void on_change(kddm::SetId set, const mm::RegionState& state) noexcept = 0;
  // In a child: it has none of its parent's mappings. The guard is as new there.
  virtual void on_fork() noexcept = 0;

 protected:
  ~Guarded() = default;
};

// Requires  remove() before it goes. `gate`: of the krgd that serves it.
// Errors  those of gate::Control::connect()
Status guard(const std::string& gate, Guarded& region);
void unguard(Guarded& region) noexcept;

}  // namespace krg
