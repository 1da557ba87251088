#include "lease_check.h"

#include <algorithm>
#include <vector>

namespace krg::kddm_sim {

std::string check_leases(const History& history) {
  std::vector<const Op*> leases;
  for (const Op& op : history.ops) {
    const bool takes = op.kind == OpKind::get || op.kind == OpKind::grab;
    if (takes && op.outcome == Outcome::ok) leases.push_back(&op);
  }
  std::sort(leases.begin(), leases.end(),
            [](const Op* a, const Op* b) { return a->returned < b->returned; });
  // The last to end, of all leases so far and of those to write: whoever begins before has it
  // beside its own.
  const Op* any = nullptr;
  const Op* writer = nullptr;
  for (const Op* lease : leases) {
    const bool writes = lease->kind == OpKind::grab;
    const Op* const other = writes ? any : writer;
    if (other != nullptr && other->ended > lease->returned) {
      return "two leases at a time: " + describe(*other) + "; " + describe(*lease);
    }
    if (any == nullptr || lease->ended > any->ended) any = lease;
    if (writes && (writer == nullptr || lease->ended > writer->ended)) writer = lease;
  }
  return {};
}

}  // namespace krg::kddm_sim
