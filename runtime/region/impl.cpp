#include "impl.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "krg/config/environment.h"
#include "krg/mm_calls/carry.h"
#include "krg/region/spans.h"
#include "region_fence.h"
#include "swap.h"

namespace krg {

namespace calls = mm::calls;

Region::Impl::Impl(calls::Find::Reply found, UniqueFd memory, const RegionOptions& options,
                   std::string path)
    : info_(std::move(found.info)),
      memory_(std::move(memory)),
      path_(std::move(path)),
      address_(options.address != 0 ? options.address : static_cast<std::uintptr_t>(info_.address)),
      read_only_(options.read_only),
      replaces_(options.replace),
      keeps_(options.replace),
      state_(found.state),
      bytes_(found.state.bytes) {}

Result<std::unique_ptr<Region::Impl>> Region::Impl::find(const std::string& name,
                                                         const RegionOptions& options,
                                                         const std::string& path, bool hidden) {
  std::vector<UniqueFd> fds;
  KRG_TRY_ASSIGN(calls::Find::Reply found,
                 gate::call_once<calls::Find>(path, {name, hidden}, kLimit, {}, &fds));
  if (fds.size() != 1) return Error(Errc::protocol_error, "krgd passed no memory");
  return std::make_unique<Impl>(std::move(found), std::move(fds[0]), options, path);
}

// --- Mapped, and served -------------------------------------------------------------------------

Result<std::uintptr_t> Region::Impl::map_memory(int rights) noexcept {
  void* const wanted = replaces_ ? nullptr : reinterpret_cast<void*>(address_);
  const int flags = MAP_SHARED | MAP_NORESERVE | (replaces_ ? 0 : MAP_FIXED_NOREPLACE);
  void* const at = ::mmap(wanted, info_.capacity, rights, flags, memory_.get(), 0);
  if (at == MAP_FAILED) {
    return errno_error(errno == EEXIST ? Errc::already_exists : Errc::invalid_argument,
                       "mapping a region at its address");
  }
  return reinterpret_cast<std::uintptr_t>(at);
}

Status Region::Impl::map() {
  const auto environment = config::Environment::of_process();
  const auto faults = environment.get("KRG_REGION_FAULTS");
  const bool user_only = faults && *faults == "user";
  const auto serves = user_only ? Uffd::Serves::user_only : Uffd::Serves::kernel_too;
  KRG_TRY_ASSIGN(uffd_, Uffd::open(serves, replaces_ ? Uffd::Moves::told : Uffd::Moves::untold));
  KRG_TRY_ASSIGN(mapped_, map_memory(read_only_ ? PROT_READ : PROT_READ | PROT_WRITE));
  // A child has no userfaultfd there: it would see what happens to be on this node.
  if (::madvise(reinterpret_cast<void*>(mapped_.load()), info_.capacity, MADV_DONTFORK) != 0) {
    return errno_error(Errc::system_error, "madvise");
  }
  KRG_TRY(uffd_.watch(mapped_, info_.capacity));
  set_rights();
  if (!uffd_.serves_kernel()) {
    add_span(address_, info_.capacity, read_only_ ? Span::read_only : Span::read_write);
  }
  return {};
}

Status Region::Impl::attach() {
  std::vector<UniqueFd> fds(1);
  KRG_TRY_ASSIGN(fds[0], uffd_.duplicate());
  const auto reply = call<calls::Attach>({info_.set, address_, read_only_}, std::move(fds));
  attached_ = reply.has_value();
  if (!reply) return reply.error();
  apply(*reply);
  return {};
}

// All is ready before: when the memory is in its place, it is the region.
Status Region::Impl::take_place(std::byte* copy_to) {
  Swap swap{mapped_, address_, info_.capacity, 0, 0, 0};
  if (copy_to != nullptr) {
    swap.copy_from = address_;
    swap.copy_to = reinterpret_cast<std::uintptr_t>(copy_to);
    swap.copied = info_.capacity;
  }
  is_moving_ = true;
  const Status done = swap_in(swap);
  if (done) mapped_ = address_;
  is_moving_ = false;
  // What was changed meanwhile.
  const std::lock_guard lock(changing_);
  if (done) set_rights();
  return done;
}

Status Region::Impl::begin(std::byte* copy_to) {
  KRG_TRY(map());
  KRG_TRY(guard(path_, *this));
  guarded_ = true;
  KRG_TRY(attach());
  if (replaces_) KRG_TRY(take_place(copy_to));
  if (info_.consistency != mm::Consistency::release) return {};
  KRG_TRY(enter_fence(path_, info_.set));
  fenced_ = true;
  // The node may have what it had when its last task left.
  return acquire();
}

Status Region::Impl::release() const {
  return fenced_ ? release_region(path_, info_.set) : Status();
}

Status Region::Impl::acquire() const {
  return fenced_ ? acquire_region(path_, info_.set) : Status();
}

// krgd lets nobody write what is read-only; that it is a signal and not a wait is done here.
void Region::Impl::apply(const mm::RegionState& state) noexcept {
  const std::lock_guard lock(changing_);
  if (state.version <= state_.version) return;
  const mm::PageRanges before = std::exchange(state_, state).read_only;
  bytes_.store(state.bytes, std::memory_order_release);
  if (read_only_ || before == state.read_only) return;
  set_rights();
  // Who waits to write finds out.
  static_cast<void>(uffd_.wake(address_, info_.capacity));
}

// What has its rights already costs the kernel nothing.
void Region::Impl::set_rights() noexcept {
  if (read_only_) return;
  const std::uint64_t pages = info_.capacity / mm::kPageBytes;
  for (std::uint64_t first = 0; first < pages;) {
    const std::uint64_t end = state_.read_only.next_change(first, pages);
    const int rights = state_.read_only.has(first) ? PROT_READ : PROT_READ | PROT_WRITE;
    ::mprotect(reinterpret_cast<void*>(mapped_ + first * mm::kPageBytes),
               (end - first) * mm::kPageBytes, rights);
    first = end;
  }
}

void Region::Impl::on_change(kddm::SetId set, const mm::RegionState& state) noexcept {
  if (set == info_.set) apply(state);
}

void Region::Impl::on_krgd_end() noexcept {
  ended_ = true;
  attached_ = false;
  const UniqueFd nothing(::memfd_create("krg.ended", MFD_CLOEXEC));
  // Beyond the end of its memory every touch is SIGBUS; without memory, SIGSEGV has to do.
  const int flags = nothing ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
  const int rights = nothing ? PROT_READ | PROT_WRITE : PROT_NONE;
  const auto end_at = [&](std::uintptr_t address) {
    if (address == 0) return;
    ::mmap(reinterpret_cast<void*>(address), info_.capacity, rights,
           flags | MAP_FIXED | MAP_NORESERVE, nothing ? nothing.get() : -1, 0);
    static_cast<void>(uffd_.wake(address, info_.capacity));
  };
  end_at(mapped_);
  // It may be in the one place or in the other; who moves it waits until somebody has heard of it.
  if (is_moving_) end_at(address_);
  std::array<Uffd::Fault, Uffd::kBatch> faults;
  static_cast<void>(uffd_.read(faults));
}

void Region::Impl::on_fork() noexcept {
  uffd_ = Uffd();  // It is of the parent's memory.
  remove_span(address_);
  mapped_ = 0;
  guarded_ = attached_ = fenced_ = false;
  const Status how = begin();
  if (how) return;
  std::fprintf(stderr, "krg: process %d, a child of fork(), has no region %s: %s\n",
               static_cast<int>(::getpid()), info_.name.c_str(), how.error().message().c_str());
}

void Region::Impl::leave_contents() noexcept {
  void* const own = ::mmap(nullptr, info_.capacity, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  // Without memory the program goes on with the region, as long as krgd serves it.
  if (own == MAP_FAILED) return;
  const auto at = reinterpret_cast<std::uintptr_t>(own);
  Swap swap{at, address_, info_.capacity, address_, at, bytes_.load()};
  if (swap_in(swap)) {
    mapped_ = 0;
  } else {
    ::munmap(own, info_.capacity);
  }
}

Region::Impl::~Impl() {
  if (fenced_) {
    // krgd logs what is lost.
    if (attached_) static_cast<void>(release());
    leave_fence(path_, info_.set);
  }
  const bool in_place = mapped_ == address_;
  const bool keeps = replaces_ && keeps_ && in_place;
  if (keeps && !ended_) leave_contents();
  if (guarded_) unguard(*this);
  // krgd finds out by itself, at the latest when the process ends.
  if (attached_) static_cast<void>(call<calls::Detach>({info_.set, address_}));
  if (mapped_ != 0 || keeps) remove_span(address_);
  // What a program had there before it can not do without: if krgd has ended, it stays SIGBUS.
  if (mapped_ != 0 && !keeps) ::munmap(reinterpret_cast<void*>(mapped_.load()), info_.capacity);
  // A thread that waits for a page of it gets its signal.
  if (uffd_) static_cast<void>(uffd_.wake(address_, info_.capacity));
}

// --- What tasks ask for by name -----------------------------------------------------------------

Status Region::Impl::change(std::uint64_t bytes, calls::Change::Rights rights, std::size_t offset,
                            std::size_t length) {
  const std::uint64_t first = offset / mm::kPageBytes;
  const std::uint64_t count = length == 0 ? 0 : (offset + length - 1) / mm::kPageBytes + 1 - first;
  const auto state = call<calls::Change>({info_.set, bytes, rights, first, count});
  if (!state) return state.error();
  apply(*state);
  return {};
}

Status Region::Impl::sync() const {
  const auto done = call<calls::Sync>({info_.set});
  return done ? Status() : Status(done.error());
}

Status Region::Impl::check(std::size_t offset, std::size_t bytes) const {
  const std::size_t size = bytes_.load(std::memory_order_acquire);
  if (offset <= size && bytes <= size - offset) return {};
  return Error(Errc::invalid_argument, "bytes behind the region's end");
}

template <class Call>
Status Region::Impl::each_part(std::size_t offset, std::size_t bytes, Call&& call) const {
  KRG_TRY(check(offset, bytes));
  if (bytes == 0) return {};
  const std::uint64_t end = (offset + bytes - 1) / mm::kPageBytes + 1;
  for (std::uint64_t first = offset / mm::kPageBytes; first < end;) {
    const std::uint64_t count = std::min(end - first, calls::Bring::kMost);
    KRG_TRY(call(first, count));
    first += count;
  }
  return {};
}

Status Region::Impl::bring(std::size_t offset, std::size_t bytes, bool write, bool wait) const {
  if (write && read_only_) return Error(Errc::denied, "it was attached to be read");
  return each_part(offset, bytes, [&](std::uint64_t first, std::uint64_t count) -> Status {
    const auto done = call<calls::Bring>({info_.set, address_, first, count, write, wait});
    return done ? Status() : Status(done.error());
  });
}

Status Region::Impl::give_up(std::size_t offset, std::size_t bytes) const {
  return each_part(offset, bytes, [&](std::uint64_t first, std::uint64_t count) -> Status {
    const auto done = call<calls::GiveUp>({info_.set, first, count});
    return done ? Status() : Status(done.error());
  });
}

Status Region::Impl::spread(std::size_t offset, std::size_t bytes) const {
  return each_part(offset, bytes, [&](std::uint64_t first, std::uint64_t count) -> Status {
    const auto done = call<calls::Spread>({info_.set, first, count});
    return done ? Status() : Status(done.error());
  });
}

Status Region::Impl::pin(std::size_t offset, std::size_t bytes, std::uint32_t time_ms) const {
  if (read_only_) return Error(Errc::denied, "it was attached to be read");
  const Status done =
      each_part(offset, bytes, [&](std::uint64_t first, std::uint64_t count) -> Status {
        const auto part = call<calls::Pin>({{info_.set, first, count}, time_ms});
        return part ? Status() : Status(part.error());
      });
  if (!done && time_ms != 0) static_cast<void>(pin(offset, bytes, 0));
  return done;
}

Status Region::Impl::push(std::size_t offset, std::size_t bytes, NodeId node, bool write) const {
  return each_part(offset, bytes, [&](std::uint64_t first, std::uint64_t count) -> Status {
    const auto done = call<calls::Push>({{info_.set, first, count}, node, write});
    return done ? Status() : Status(done.error());
  });
}

}  // namespace krg
