// set.h: what a node knows about one set: its options, and its part of each of the objects.
//
// Model    most objects are here as a copy or as their home, not both, so the two halves of a part
//          are kept apart; look() finds them, take() puts them together for one step of the
//          protocol, give() stores what it made of them. The holder of an object in the
//          node-shared store has an entry here only while something happens to it; else it rests
//          with its slot (Copies::find(), rest()). A set that was destroyed stays as a name, so
//          that late messages about it find out.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/kddm.md, "Service"
#pragma once

#include <memory>
#include <unordered_map>
#include <vector>

#include "krg/kddm/block.h"
#include "krg/protocol/step.h"
#include "krg/share/types.h"
#include "krg/store/homes.h"
#include "krg/store/linker.h"
#include "krg/store/set_options.h"
#include "resident.h"
#include "table.h"

namespace krg::kddm {

struct HolderEntry {
  ObjectId id;
  std::uint32_t next = 0;
  SlotId slot = kNoSlot;  // Of the node-shared store; none: the block has the bytes.
  Holder holder;
  Block block;
  std::unique_ptr<std::vector<Message>> waiting;  // Of the part, while the holder is not blank.
  // Leases of this process; the holder's may be more: those of tasks.
  std::uint32_t readers = 0;
  bool writer = false;
  bool used = false;  // Leased since the clock that finds victims came by; of copies on the heap.
  bool held = false;  // No lease of this node begins: see Backing.
};
static_assert(sizeof(HolderEntry) + sizeof(std::uint32_t) <= 128);

struct HomeEntry {
  ObjectId id;
  std::uint32_t next = 0;
  Home home;
};
static_assert(sizeof(HomeEntry) + sizeof(std::uint32_t) <= 128);

// The version that a first touch makes.
inline constexpr std::uint64_t kTouched = 1;

struct Set {
  Set(SetId name, SetOptions o, Linker* l) : id(name), options(std::move(o)), linker(l) {
    if (linker != nullptr && linker->residence() != nullptr) {
      resident = std::make_unique<Resident>(*linker->residence(), id);
    }
  }

  // Where the halves of a part are; entries stay where they are until they are erased or rest.
  struct Halves {
    HolderEntry* holder = nullptr;  // nullptr: blank.
    HomeEntry* home = nullptr;      // nullptr: blank, or not looked at.
    bool at_home = false;           // Whether the home's half was looked at.
  };
  // `holder`: of the object, awake. `here`: this node is the home. `asked`: the home's half itself
  // is; else it is needed only if something waits, which the step may look at again.
  Halves look(ObjectId object, HolderEntry* holder, bool here, bool asked) noexcept;
  // The part of `object`; it stays out of the tables until give(), which brings `at` up to date.
  // A half that was not looked at is blank, and give() leaves it as it is.
  Part take(const Halves& at, ObjectId object, const Place& place);
  void give(Halves& at, ObjectId object, Part&& part);
  // Drops everything but the name.
  void bury() noexcept;

  const SetId id;
  const SetOptions options;
  Linker* const linker;                // nullptr: this node has none of that name.
  std::unique_ptr<Resident> resident;  // Of sets whose copies lie in a residence.
  bool gone = false;
  SlotId resting = kNoSlot;    // The first of the list of the holders that rest in the store.
  Table<HolderEntry> holders;  // That are awake.
  Table<HomeEntry> homes;
  // What can not be dealt with yet, of blank holders; almost always empty.
  std::unordered_map<ObjectId, std::unique_ptr<std::vector<Message>>> waiting;
  // While the members report: who has, of those objects whose home is this node. Stays until all
  // have: an object that was found absent meanwhile is not to be put together once more.
  std::unordered_map<ObjectId, CopySet> reporters;
  // Of sets that are written back, at the home: which version of an object is there, if it is
  // another one than its first touch has made. Forgotten when the view changes.
  std::unordered_map<ObjectId, std::uint64_t> written;
  TimePoint unwritable_until{};  // A write back here has failed.
  // Why first touches have failed here whose callers are still to be told.
  std::unordered_map<ObjectId, Error> failed_touches;
  // HomePolicy::fixed: where all its objects are at home, in the view of that epoch.
  Homes homes_of_all;
  Epoch homes_epoch{0};
  CopySet introduced;  // Who has been told the options in this view.
};

}  // namespace krg::kddm
