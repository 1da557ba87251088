#include "krg/kddm/lease.h"

#include <algorithm>
#include <cstring>

#include "service.h"

namespace krg::kddm {

std::span<std::byte> Lease::writable() noexcept {
  KRG_DASSERT(writes_);
  return block_.bytes();
}

Status Lease::resize(std::size_t size) noexcept {
  KRG_DASSERT(writes_);
  const SetOptions& options = set_->options;
  if (!options.variable_size || size > options.object_bytes) {
    return Error(Errc::invalid_argument, "the set has no objects of this size");
  }
  Block larger = Block::make(size);
  if (!larger) return Error(Errc::no_memory, "a shared object");
  const std::size_t kept = std::min(size, block_.size());
  if (kept > 0) std::memcpy(larger.bytes().data(), block_.bytes().data(), kept);
  if (size > kept) std::memset(larger.bytes().data() + kept, 0, size - kept);
  block_ = larger;
  if (!set_->gone) service_->replace_block(*set_, object_, std::move(larger));
  return {};
}

void Lease::put() noexcept {
  if (service_ == nullptr) return;
  std::exchange(service_, nullptr)->end_lease(*set_, object_, writes_);
  block_ = {};
}

}  // namespace krg::kddm
