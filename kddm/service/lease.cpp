#include "krg/kddm/lease.h"

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
  if (set_->gone) return Error(Errc::not_found, "the set was destroyed");
  KRG_TRY(service_->resize(*set_, object_, size));
  block_ = service_->block_of(*set_, object_);
  return {};
}

void Lease::put() noexcept {
  if (service_ == nullptr) return;
  std::exchange(service_, nullptr)->end_lease(*set_, object_, writes_);
  block_ = {};
}

}  // namespace krg::kddm
