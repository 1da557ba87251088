// table.h: objects by their id, in little memory and at places that do not move.
//
// Model    a chained hash table over slabs of entries: 4 bytes of bucket and 4 of chain beside each
//          entry. It doubles its buckets when it is full; entries stay where they are until erased.
// Threads  owned by one thread.
// Blocks   never. Cost: a hash and a compare or two; growing touches every entry once.
// Source   Knuth, The Art of Computer Programming, 6.4
#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "krg/store/ids.h"

namespace krg::kddm {

// Requires  Entry has a default value, moves, and has members `ObjectId id` and
//           `std::uint32_t next`.
template <class Entry>
class Table {
 public:
  std::size_t size() const noexcept { return size_; }

  Entry* find(ObjectId id) noexcept {
    if (buckets_.empty()) return nullptr;
    for (std::uint32_t at = buckets_[bucket(id)]; at != kEnd; at = entry(at).next) {
      if (entry(at).id == id) return &entry(at);
    }
    return nullptr;
  }
  // Requires  find(id) == nullptr.
  Entry& insert(ObjectId id) {
    if (size_ == buckets_.size()) grow();
    if (free_ == kEnd) add_slab();
    const std::uint32_t at = free_;
    Entry& made = entry(at);
    free_ = made.next;
    made.id = id;
    std::uint32_t& first = buckets_[bucket(id)];
    made.next = first;
    first = at;
    ++size_;
    return made;
  }
  void erase(ObjectId id) noexcept {
    if (buckets_.empty()) return;
    std::uint32_t* link = &buckets_[bucket(id)];
    while (*link != kEnd && entry(*link).id != id) link = &entry(*link).next;
    if (*link == kEnd) return;
    const std::uint32_t at = *link;
    *link = entry(at).next;
    entry(at) = Entry{};
    entry(at).next = free_;
    free_ = at;
    --size_;
  }
  // Calls visit(Entry&) for each. `visit` must not insert or erase.
  template <class Visit>
  void for_each(Visit&& visit) {
    for (std::uint32_t first : buckets_) {
      for (std::uint32_t at = first; at != kEnd; at = entry(at).next) visit(entry(at));
    }
  }
  // Where entries may be, for whoever goes round them: an unused one is as its default value.
  std::uint32_t places() const noexcept {
    return static_cast<std::uint32_t>(slabs_.size() * kSlab);
  }
  // Requires  at < places().
  Entry& place(std::uint32_t at) noexcept { return entry(at); }
  void clear() noexcept {
    slabs_.clear();
    buckets_.clear();
    free_ = kEnd;
    size_ = 0;
  }

 private:
  static constexpr std::uint32_t kEnd = ~std::uint32_t{0};
  static constexpr std::uint32_t kSlab = 64;

  Entry& entry(std::uint32_t at) noexcept { return slabs_[at / kSlab][at % kSlab]; }
  std::size_t bucket(ObjectId id) const noexcept {
    // Fibonacci hashing: ids that follow each other spread over the high bits.
    return (id.value * 0x9e3779b97f4a7c15u) >> shift_;
  }
  void add_slab() {
    const auto first = static_cast<std::uint32_t>(slabs_.size() * kSlab);
    slabs_.push_back(std::make_unique<Entry[]>(kSlab));
    for (std::uint32_t i = kSlab; i-- > 0;) {
      entry(first + i).next = free_;
      free_ = first + i;
    }
  }
  void grow() {
    const std::vector<std::uint32_t> old = std::exchange(buckets_, {});
    const std::size_t count = old.empty() ? 16 : old.size() * 2;
    shift_ = old.empty() ? 60 : shift_ - 1;
    buckets_.assign(count, kEnd);
    for (std::uint32_t first : old) {
      for (std::uint32_t at = first; at != kEnd;) {
        const std::uint32_t next = entry(at).next;
        std::uint32_t& head = buckets_[bucket(entry(at).id)];
        entry(at).next = head;
        head = at;
        at = next;
      }
    }
  }

  std::vector<std::unique_ptr<Entry[]>> slabs_;
  std::vector<std::uint32_t> buckets_;  // A power of two of them.
  unsigned shift_ = 60;
  std::uint32_t free_ = kEnd;
  std::size_t size_ = 0;
};

}  // namespace krg::kddm
