// resident.h: what a set knows of the residence in which its copies lie.
//
// Model    keeps the residence's places for the blocks that are lent from it: copies, leases, and
//          messages that are under way. The last block of a place gives it back.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/mm.md
#pragma once

#include "krg/kddm/block.h"
#include "krg/store/residence.h"

namespace krg::kddm {

class Resident final : private BlockKeeper {
 public:
  Resident(Residence& residence, SetId set) noexcept : residence_(residence), set_(set) {}
  Resident(const Resident&) = delete;
  Resident& operator=(const Resident&) = delete;
  // Requires  no block of it is used.
  ~Resident() = default;

  // The object's place; empty: it has none.
  Block lend(ObjectId object) noexcept {
    const std::span<std::byte> place = residence_.place(set_, object);
    if (place.empty()) return {};
    Block block = Block::lend(place, *this, 0);
    if (!block) residence_.let_go(set_);
    return block;
  }
  void write(ObjectId object, std::span<const std::byte> from) noexcept {
    residence_.write(set_, object, from);
  }
  // Its contents, on the heap. Empty if memory is exhausted.
  Block copy(ObjectId object, std::size_t bytes) noexcept {
    Block block = Block::make(bytes);
    if (block) residence_.read(set_, object, block.bytes());
    return block;
  }
  bool is_open(ObjectId object) const noexcept { return residence_.is_open(set_, object); }
  void protect(ObjectId object) noexcept { residence_.protect(set_, object); }
  void vacate(ObjectId object) noexcept { residence_.vacate(set_, object); }
  bool may_move(ObjectId object) const noexcept { return residence_.may_move(set_, object); }
  void cool(ObjectId object) noexcept { residence_.cool(set_, object); }
  bool is_warm(ObjectId object) const noexcept { return residence_.is_warm(set_, object); }

 private:
  void unused(std::uint64_t) noexcept override { residence_.let_go(set_); }

  Residence& residence_;
  const SetId set_;
};

}  // namespace krg::kddm
