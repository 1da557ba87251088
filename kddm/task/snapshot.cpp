#include "krg/task/snapshot.h"

#include <cstring>
#include <new>

namespace krg::kddm {

Result<TaskSnapshot> TaskSnapshot::of(const LocalLease& lease,
                                      std::span<const std::byte> bytes) noexcept {
  if (!lease) return Error(Errc::invalid_argument, "a snapshot by a lease that has ended");
  TaskSnapshot made;
  made.bytes_.reset(new (std::nothrow) std::byte[bytes.size()]);
  if (made.bytes_ == nullptr) return Error(Errc::no_memory, "a snapshot of a shared object");
  made.size_ = bytes.size();
  if (!bytes.empty()) std::memcpy(made.bytes_.get(), bytes.data(), bytes.size());
  return made;
}

Result<TaskSnapshot> copy_on_write(ReadLease lease) noexcept {
  return TaskSnapshot::of(lease, lease.bytes());
}

Result<TaskSnapshot> copy_on_write(WriteLease lease) noexcept {
  return TaskSnapshot::of(lease, lease.bytes());
}

}  // namespace krg::kddm
