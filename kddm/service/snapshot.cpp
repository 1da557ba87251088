#include "krg/kddm/snapshot.h"

namespace krg::kddm {

Result<Snapshot> copy_on_write(Lease lease) noexcept {
  Snapshot kept;
  if (lease.block_.is_lent()) {
    kept.block_ = Block::copy(lease.block_.bytes());
    if (!kept.block_) return Error(Errc::no_memory, "a snapshot of a shared object");
    return kept;
  }
  kept.block_ = lease.block_;
  if (kept.block_) {
    kept.block_.freeze();
    kept.frozen_ = true;
  }
  return kept;
}

Result<std::span<std::byte>> Snapshot::writable() noexcept {
  // Leases and messages that share the bytes look at them too.
  if (block_ && !block_.unique()) {
    Block own = Block::copy(block_.bytes());
    if (!own) return Error(Errc::no_memory, "the bytes of a snapshot");
    let_go();
    block_ = std::move(own);
  }
  return block_.bytes();
}

void Snapshot::let_go() noexcept {
  if (std::exchange(frozen_, false)) block_.thaw();
  block_ = {};
}

}  // namespace krg::kddm
