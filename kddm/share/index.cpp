#include "index.h"

#include "krg/base/assert.h"

namespace krg::kddm {

Index::Index(DirectoryHeader* header, Bucket* buckets, Record* records,
             std::uint32_t slots) noexcept
    : header_(header), buckets_(buckets), records_(records), slots_(slots) {
  header_->buckets.store(bucket_word(1));
}

std::uint64_t Index::hash(SlotId slot) const noexcept {
  const Record& record = records_[slot.value];
  return hash_of(SetId{record.set.load(std::memory_order_relaxed)},
                 ObjectId{record.object.load(std::memory_order_relaxed)});
}

SlotId Index::find(SetId set, ObjectId object) const noexcept {
  const std::uint32_t bucket = bucket_of(header_->buckets.load(), hash_of(set, object));
  std::uint32_t link = buckets_[bucket].load(std::memory_order_relaxed);
  while (link != 0) {
    const Record& record = records_[link - 1];
    if (is_of(record, set, object)) return SlotId{link - 1};
    link = record.next.load(std::memory_order_relaxed);
  }
  return kNoSlot;
}

void Index::push(std::uint32_t bucket, SlotId slot) noexcept {
  records_[slot.value].next.store(buckets_[bucket].load(std::memory_order_relaxed),
                                  std::memory_order_release);
  buckets_[bucket].store(slot.value + 1, std::memory_order_release);
}

void Index::insert(SlotId slot) noexcept {
  push(bucket_of(header_->buckets.load(), hash(slot)), slot);
  ++objects_;
  if (objects_ > header_->buckets.load() >> 32 && objects_ <= slots_) split();
}

void Index::erase(SlotId slot) noexcept {
  const std::uint32_t bucket = bucket_of(header_->buckets.load(), hash(slot));
  std::atomic<std::uint32_t>* link = &buckets_[bucket];
  std::uint32_t at = link->load(std::memory_order_relaxed);
  while (at != slot.value + 1) {
    KRG_ASSERT(at != 0);
    link = &records_[at - 1].next;
    at = link->load(std::memory_order_relaxed);
  }
  link->store(records_[slot.value].next.load(std::memory_order_relaxed), std::memory_order_release);
  --objects_;
}

// One bucket more: the chain that it stems from is dealt out over the two.
void Index::split() noexcept {
  const auto count = static_cast<std::uint32_t>(header_->buckets.load() >> 32);
  const std::uint64_t now = bucket_word(count + 1);
  const std::uint32_t from = count & (static_cast<std::uint32_t>(now) >> 1);
  std::uint32_t link = buckets_[from].load(std::memory_order_relaxed);
  header_->buckets.store(now, std::memory_order_release);
  buckets_[from].store(0, std::memory_order_release);
  while (link != 0) {
    const SlotId slot{link - 1};
    link = records_[slot.value].next.load(std::memory_order_relaxed);
    push(bucket_of(now, hash(slot)), slot);
  }
}

}  // namespace krg::kddm
