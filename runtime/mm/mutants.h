// mutants.h: bugs that the tests of the tests plant into release consistency.
//
// Model    the code asks at each place where one can be planted; in the product the answer is no at
//          compile time, so nothing is left of it.
// Threads  immutable while it is asked.
// Blocks   never.
// Source   tests/cluster/mm
#pragma once

#include <cstdint>

namespace krg::mm {

enum class Mutant : std::uint8_t {
  none,
  dropped_diff,       // What was written while the page's last diff is on its way is forgotten.
  early_notice,       // The notice is posted before the diffs are at home.
  unsent_notice,      // Of a release of one page nobody is told.
  unawaited_release,  // A release returns before its notice is posted.
  stale_twin,         // A twin is not renewed by a capture.
  unawaited_acquire,  // An acquire takes the answer to an earlier question.
  old_fetch,          // A page that was dropped while it was fetched is taken.
  early_fetch,        // A page is fetched while its diff is on the way.
  hasty_alone,        // A page becomes a node's alone though others have asked for it.
  unnamed_alone,      // The same of one that no notice has named.
  unmerged_alone,     // What others have written to such a page before is not looked at.
  stale_share,        // Who asks for such a page gets what was at home before.
  count,
};

#ifdef KRG_MM_MUTANTS
extern Mutant planted;
inline bool has(Mutant bug) noexcept { return planted == bug; }
#else
constexpr bool has(Mutant) noexcept { return false; }
#endif

}  // namespace krg::mm
