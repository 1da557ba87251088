// Seeded bugs, for the tests of the tests. The protocol asks its Hooks at each place where a bug
// can be seeded; NoMutants answers false at compile time, so nothing is left of it in the product.
#pragma once

#include <cstdint>
#include <iterator>

namespace krg::kddm {

enum class Mutant : std::uint8_t {
  none,
  dropped_inval,          // The home forgets one copy when somebody grabs.
  early_ack,              // A holder acks an invalidation while a lease is held.
  skipped_epoch_test,     // Messages of an earlier view are taken.
  lost_member,            // A reader does not get into the copy set.
  upgrade_without_inval,  // A grant for writing in place that leaves the other copies.
  stale_owner,            // The owner is not updated by a grab.
  unawaited_acks,         // The writer starts without the acks.
  no_retention,           // Data that is given away is dropped at once.
  grab_beside_readers,    // A grab starts while read copies are on their way.
  no_spares,              // copies > 1: invalidated copies are dropped.
  forgetful_heir,         // The heir does not note what exists.
  copies_before_spares,   // A removal drops the copies first.
  oldest_spare_wins,      // The rebuild keeps the oldest of the spares.
  no_downgrade,           // A writer that gave a read copy goes on writing.
  lost_wake_up,           // What waits at the home is not looked at again.
  kept_stale_spare,       // Spares are not dropped when there are enough copies.
  queue_survives_view,    // Messages of the old view wait on in the new one.
  released_unseen,        // The home does not wait until the old copy is released.
  seen_too_early,         // copies > 2: a copy may be read before there are enough.
  unconfirmed_removal,    // The object may be made anew before the remover knows.
  hasty_forgetting,       // Who is no longer heir forgets before the new one knows.
  kept_the_dead,          // A home that stays keeps those in its copy set who have died.
  untold_heir,            // A home that stays does not tell a new heir what exists.
  secretive_leaver,       // Who will be heir when others have left is not told what exists.
  count,
};

inline constexpr const char* kMutantNames[] = {"none",
                                               "dropped_inval",
                                               "early_ack",
                                               "skipped_epoch_test",
                                               "lost_member",
                                               "upgrade_without_inval",
                                               "stale_owner",
                                               "unawaited_acks",
                                               "no_retention",
                                               "grab_beside_readers",
                                               "no_spares",
                                               "forgetful_heir",
                                               "copies_before_spares",
                                               "oldest_spare_wins",
                                               "no_downgrade",
                                               "lost_wake_up",
                                               "kept_stale_spare",
                                               "queue_survives_view",
                                               "released_unseen",
                                               "seen_too_early",
                                               "unconfirmed_removal",
                                               "hasty_forgetting",
                                               "kept_the_dead",
                                               "untold_heir",
                                               "secretive_leaver"};
static_assert(std::size(kMutantNames) == static_cast<std::size_t>(Mutant::count));

struct NoMutants {
  static constexpr bool on(Mutant) noexcept { return false; }
};

// The one that is active, looked up at run time.
struct Seeded {
  static inline Mutant active = Mutant::none;
  static bool on(Mutant mutant) noexcept { return mutant == active; }
};

}  // namespace krg::kddm
