#include "early.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "krg/base/assert.h"

namespace krg::kddm {

bool Early::has(std::uint64_t seq) const noexcept {
  return count_ != 0 && seq >= first_ && seq <= last_ && slots_[seq & (slots_.size() - 1)].there;
}

void Early::put(std::uint64_t received, std::uint64_t seq, wire::Bytes head, rpc::Buffer data) {
  KRG_DASSERT(seq > received && !has(seq));
  if (seq - received > slots_.size()) grow(received, seq - received);
  first_ = received + 1;
  last_ = count_ == 0 ? seq : std::max(last_, seq);
  EarlyMessage& slot = slots_[seq & (slots_.size() - 1)];
  slot.there = true;
  slot.head.assign(head.begin(), head.end());
  slot.data = std::move(data);
  ++count_;
  bytes_ += head.size() + slot.data.size();
}

bool Early::take(std::uint64_t seq, EarlyMessage& into) {
  if (!has(seq)) return false;
  EarlyMessage& slot = slots_[seq & (slots_.size() - 1)];
  bytes_ -= slot.head.size() + slot.data.size();
  --count_;
  slot.there = false;
  into.head.swap(slot.head);
  into.data = std::move(slot.data);
  return true;
}

std::vector<std::uint64_t> Early::bitmap(std::uint64_t received) const {
  std::vector<std::uint64_t> bits;
  if (count_ == 0 || last_ <= received) return bits;
  bits.resize((last_ - received + 63) / 64);
  for (std::uint64_t seq = received + 1; seq <= last_; ++seq) {
    const std::uint64_t i = seq - received - 1;
    if (has(seq)) bits[i / 64] |= std::uint64_t{1} << (i % 64);
  }
  return bits;
}

void Early::clear() noexcept {
  slots_ = std::vector<EarlyMessage>();
  first_ = last_ = 0;
  count_ = bytes_ = 0;
}

void Early::grow(std::uint64_t received, std::uint64_t span) {
  std::vector<EarlyMessage> bigger(std::bit_ceil(std::max<std::uint64_t>(span, 8)));
  for (std::uint64_t seq = received + 1; count_ != 0 && seq <= last_; ++seq) {
    if (has(seq)) bigger[seq & (bigger.size() - 1)] = std::move(slots_[seq & (slots_.size() - 1)]);
  }
  slots_.swap(bigger);
}

}  // namespace krg::kddm
