#include "krg/locks/locks.h"

#include <unistd.h>

#include <new>

#include "cell.h"
#include "waits.h"

namespace krg {

Locks::Locks(kddm::Space& space, kddm::SetId set, std::uint64_t count)
    : space_(&space),
      set_(set),
      count_(count),
      pid_(::getpid()),
      cells_(new (std::nothrow) Cell[count]) {}

Locks::~Locks() = default;

Result<std::unique_ptr<Locks>> Locks::open(kddm::Space& space, const std::string& name,
                                           std::uint64_t count) {
  if (count == 0 || count > kMaxCount) {
    return Error(Errc::invalid_argument, "the number of sync objects");
  }
  kddm::SetOptions options;
  options.object_bytes = sizeof(LockWord);
  options.object_count = count;
  options.flags = static_cast<std::uint32_t>(kddm::SetFlag::locks);
  options.linker_data = name.substr(0, kddm::SetOptions::kLinkerDataMax);  // For tools.
  KRG_TRY_ASSIGN(const kddm::SetId set, space.open(name, options));
  std::unique_ptr<Locks> locks(new (std::nothrow) Locks(space, set, count));
  if (!locks || !locks->cells_) return Error(Errc::no_memory);
  return locks;
}

Result<Waits*> Locks::waits() {
  const std::lock_guard lock(making_waits_);
  if (!waits_) {
    KRG_TRY_ASSIGN(waits_, Waits::open(space_->gate()));
  }
  return waits_.get();
}

}  // namespace krg
