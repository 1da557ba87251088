// rpc/call_table.h: the calls under way, by the number that their answers carry.
//
// Model    a slot for each call and a generation for each slot, which grows when the call ends: an
//          answer that comes too late finds nothing. The number is the generation above the slot.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/rpc.md, "Rules"
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace krg::rpc {

class CallBase;

class CallTable {
 public:
  // The number of `call` until it is given back; never 0.
  // Cost  no allocation once as many calls were under way at once.
  std::uint64_t take(CallBase& call) {
    std::uint32_t index = free_;
    if (index != 0) {
      free_ = slots_[index].next_free;
    } else {
      index = static_cast<std::uint32_t>(slots_.size());
      slots_.emplace_back();
    }
    slots_[index].call = &call;
    return std::uint64_t{slots_[index].generation} << 32 | index;
  }

  // Requires  `id` is of a call that has not been given back.
  void give_back(std::uint64_t id) noexcept {
    const auto index = static_cast<std::uint32_t>(id);
    Slot& slot = slots_[index];
    slot.call = nullptr;
    ++slot.generation;
    slot.next_free = std::exchange(free_, index);
  }

  // The call of that number, which may be any; nullptr if it has ended or never was.
  CallBase* find(std::uint64_t id) const noexcept {
    const auto index = static_cast<std::uint32_t>(id);
    if (index >= slots_.size() || slots_[index].generation != id >> 32) return nullptr;
    return slots_[index].call;
  }

 private:
  struct Slot {
    CallBase* call = nullptr;
    std::uint32_t generation = 1;
    std::uint32_t next_free = 0;
  };

  std::vector<Slot> slots_ = std::vector<Slot>(1);  // Slot 0 is never used.
  std::uint32_t free_ = 0;                          // 0: none.
};

}  // namespace krg::rpc
