// The hash index of the directory: (set, object) -> slot, for readers without a lock.
//
// Linear hashing with chains through the records. A reader that follows a chain while krgd changes
// it may miss what is there, and then asks krgd; it never finds what is not: it checks the ids.
#pragma once

#include <bit>

#include "krg/share/layout.h"

namespace krg::kddm {

// A chain may lead a reader into others while slots are used again: it stops after so many.
inline constexpr int kChainMax = 64;

inline std::uint64_t hash_of(SetId set, ObjectId object) noexcept {
  // The objects of a set are often numbered in turn. The mixing is murmur3's (Appleby, public
  // domain).
  std::uint64_t h = object.value + set.value * 0x9e3779b97f4a7c15u;
  h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
  h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
  return h ^ h >> 33;
}

// The header's word about an index of `count` buckets.
constexpr std::uint64_t bucket_word(std::uint32_t count) noexcept {
  return std::uint64_t{count} << 32 | (std::bit_ceil(count) - 1);
}
constexpr std::uint32_t bucket_of(std::uint64_t bucket_word, std::uint64_t hash) noexcept {
  const auto count = static_cast<std::uint32_t>(bucket_word >> 32);
  const auto mask = static_cast<std::uint32_t>(bucket_word);
  const std::uint32_t at = static_cast<std::uint32_t>(hash) & mask;
  return at < count ? at : at & (mask >> 1);
}

// The set is written last and cleared first: with a set of an object its id is the id of that
// object or of a later one.
inline bool is_of(const Record& record, SetId set, ObjectId object) noexcept {
  return record.set.load(std::memory_order_acquire) == set.value &&
         record.object.load(std::memory_order_acquire) == object.value;
}

// krgd's hand on the index.
class Index {
 public:
  Index() = default;
  // Requires  all zeros.
  Index(DirectoryHeader* header, Bucket* buckets, Record* records, std::uint32_t slots) noexcept;

  // Cost: a hash and a chain.
  SlotId find(SetId set, ObjectId object) const noexcept;
  // Requires  the record is written; find() finds none. Cost: amortised constant; the moves of one
  // chain at most.
  void insert(SlotId slot) noexcept;
  void erase(SlotId slot) noexcept;

 private:
  std::uint64_t hash(SlotId slot) const noexcept;
  void push(std::uint32_t bucket, SlotId slot) noexcept;
  void split() noexcept;

  DirectoryHeader* header_ = nullptr;
  Bucket* buckets_ = nullptr;
  Record* records_ = nullptr;
  std::uint32_t slots_ = 0;
  std::uint32_t objects_ = 0;
};

}  // namespace krg::kddm
