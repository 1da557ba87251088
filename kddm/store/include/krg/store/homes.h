// store/homes.h: which node is an object's home, and which its heir.
//
// Model    for one set and one view. The heir is who becomes home when the home leaves the view:
//          homes over the members without the home gives the heir, whatever the policy. Hashed
//          objects go by slots, each with its two nodes, so a lookup does not grow with the
//          cluster; a new view moves only the slots of nodes that came or went. A slot is a
//          function of the members alone: whoever joins late computes the same.
// Threads  owned by one thread; a lookup may fill its slot.
// Blocks   never.
// Source   Thaler and Ravishankar, Using name-based mappings to increase hit rates, 1998
//          (rendezvous hashing); docs/design/kddm.md
#pragma once

#include <cstdint>
#include <vector>

#include "krg/cluster/node_set.h"
#include "krg/store/ids.h"
#include "krg/store/set_options.h"

namespace krg::kddm {

struct Homes {
  NodeId home = kNoNode;
  NodeId heir = kNoNode;  // None in a cluster of one.
  bool operator==(const Homes&) const = default;
};

// Who stands in for `preferred`: itself if a member, else the next one round the ring; and the next
// after that.
// Requires  !members.empty().
Homes homes_near(NodeId preferred, const cluster::NodeSet& members) noexcept;

// The two best nodes of each slot, computed when a slot is first used.
class HashRing {
 public:
  // The same on every node and for the cluster's life: 4 slots a node in a cluster of 1,024.
  static constexpr std::size_t kSlots = 4096;

  explicit HashRing(const cluster::NodeSet& members);

  // Cost: slots in use x nodes that came.
  void update(const cluster::NodeSet& members);
  // Cost: a hash and a load; the first of a slot: members x a hash.
  Homes homes(SetId set, ObjectId object) const noexcept;
  // Requires  index < kSlots.
  Homes slot(std::size_t index) const noexcept;

 private:
  Homes best_of(std::uint32_t slot) const noexcept;

  cluster::NodeSet members_;
  mutable std::vector<Homes> slots_;  // No home: not computed yet.
};

// Of a set whose policy is not `linker`: that one's preferred node goes to homes_near().
// Requires  check(options), options.policy != HomePolicy::linker, `ring` is of `members`.
Homes homes_of(const SetOptions& options, SetId set, ObjectId object, const HashRing& ring,
               const cluster::NodeSet& members) noexcept;

}  // namespace krg::kddm
