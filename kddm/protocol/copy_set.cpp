#include "krg/protocol/copy_set.h"

#include <algorithm>
#include <utility>

#include "krg/base/assert.h"

namespace krg::kddm {

CopySet::CopySet(const CopySet& other) : size_(other.size_), words_(other.words_) {
  if (words_ == 0) {
    few_ = other.few_;
  } else {
    many_ = new std::uint64_t[words_];
    std::copy_n(other.many_, words_, many_);
  }
}

bool CopySet::contains(NodeId node) const noexcept {
  if (words_ == 0) {
    return std::find(few_.begin(), few_.begin() + size_, node.value) != few_.begin() + size_;
  }
  return node.value / 64 < words_ && (many_[node.value / 64] >> node.value % 64 & 1) != 0;
}

NodeId CopySet::first() const noexcept {
  KRG_ASSERT(size_ > 0);
  if (words_ == 0) return NodeId{few_[0]};
  unsigned word = 0;
  while (many_[word] == 0) ++word;
  return NodeId{word * 64 + static_cast<std::uint32_t>(__builtin_ctzll(many_[word]))};
}

void CopySet::insert(NodeId node) {
  KRG_ASSERT(node.value < 65535);
  if (contains(node)) return;
  if (words_ == 0 && size_ < kInline) {
    const auto end = few_.begin() + size_;
    const auto at = std::upper_bound(few_.begin(), end, node.value);
    std::move_backward(at, end, end + 1);
    *at = static_cast<std::uint16_t>(node.value);
  } else {
    if (node.value / 64 >= words_) grow(node.value / 64 + 1);
    many_[node.value / 64] |= std::uint64_t{1} << node.value % 64;
  }
  ++size_;
}

void CopySet::erase(NodeId node) noexcept {
  if (!contains(node)) return;
  --size_;
  if (words_ == 0) {
    const auto at = std::find(few_.begin(), few_.begin() + size_ + 1, node.value);
    std::move(at + 1, few_.begin() + size_ + 1, at);
    return;
  }
  many_[node.value / 64] &= ~(std::uint64_t{1} << node.value % 64);
  if (size_ == 0) clear();  // A set that was large once does not stay so.
}

void CopySet::clear() noexcept {
  if (words_ != 0) delete[] many_;
  size_ = 0;
  words_ = 0;
  few_ = {};
}

bool CopySet::operator==(const CopySet& other) const noexcept {
  if (size_ != other.size_) return false;
  bool equal = true;
  for_each([&](NodeId node) { equal = equal && other.contains(node); });
  return equal;
}

void CopySet::grow(unsigned words) {
  unsigned needed = words;
  if (words_ == 0 && size_ > 0) needed = std::max(needed, few_[size_ - 1] / 64u + 1);
  auto* bitmap = new std::uint64_t[needed]();
  for_each([&](NodeId node) { bitmap[node.value / 64] |= std::uint64_t{1} << node.value % 64; });
  if (words_ != 0) delete[] many_;
  many_ = bitmap;
  words_ = static_cast<std::uint16_t>(needed);
}

}  // namespace krg::kddm
