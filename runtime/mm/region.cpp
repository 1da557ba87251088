#include "region.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "krg/log/log.h"

namespace krg::mm {
namespace {

constexpr int kReadWrite = PROT_READ | PROT_WRITE;

}  // namespace

Result<std::unique_ptr<Region>> Region::make(reactor::Reactor& reactor, RegionInfo info) {
  if (info.bytes == 0 || info.bytes > info.capacity || info.capacity > kRegionBytesMax ||
      info.bytes % kPageBytes != 0 || info.capacity % kPageBytes != 0) {
    return Error(Errc::too_large, "a region has up to 2^40 bytes, in whole pages");
  }
  UniqueFd memory(::memfd_create("krg.region", MFD_CLOEXEC));
  if (!memory) return errno_error(Errc::system_error, "memfd_create");
  if (::ftruncate(memory.get(), static_cast<off_t>(info.bytes)) != 0) {
    return errno_error(Errc::no_memory, "a region's memory");
  }
  void* const alias =
      ::mmap(nullptr, info.capacity, kReadWrite, MAP_SHARED | MAP_NORESERVE, memory.get(), 0);
  if (alias == MAP_FAILED) return errno_error(Errc::no_memory, "a region's memory");
  return std::unique_ptr<Region>(
      new Region(reactor, std::move(info), std::move(memory), static_cast<std::byte*>(alias)));
}

Region::~Region() { ::munmap(alias_, info_.capacity); }

std::span<std::byte> Region::place(Page page) noexcept {
  if (ended_ || page.value >= pages_.count()) return {};
  ++lent_;
  traffic_.placed(page);
  return {alias_ + page.value * kPageBytes, kPageBytes};
}

void Region::protect(Page page) noexcept {
  if (pages_.access(page) == Access::write) traffic_.taken(page);
  protect_from_tasks(page);
  pages_.protect(page, now_us());
}

void Region::protect_from_tasks(Page page) noexcept {
  const Seat writer = pages_.writer(page);
  if (writer == kNobody) return;
  if (writer != kAnybody) {
    if (Mapping* const mapping = seated(writer)) mapping->protect(page);
    return;
  }
  for (const auto& mapping : seats_) {
    if (mapping) mapping->protect(page);
  }
}

void Region::protect(Page first, std::uint64_t count) noexcept {
  bool was_written = false;
  for (std::uint64_t i = 0; i < count; ++i) {
    const Page page{first.value + i};
    was_written |= pages_.writer(page) != kNobody;
    pages_.protect(page, now_us());
  }
  if (!was_written) return;
  for (const auto& mapping : seats_) {
    if (mapping) mapping->protect(first, count);
  }
}

void Region::vacate(Page page) noexcept { vacate(page, 1); }

void Region::vacate(Page first, std::uint64_t count) noexcept {
  for (std::uint64_t i = 0; i < count; ++i) {
    const Page page{first.value + i};
    if (pages_.access(page) != Access::none) traffic_.taken(page);
    pages_.vacate(page, now_us());
  }
  if (ended_) return;
  if (punch(first, count)) return;
  // A page that stays visible would break the memory's coherence, silently.
  KRG_ERROR("region {} page {}: {}", info_.name, first.value,
            errno_error(Errc::system_error, "fallocate").message());
  KRG_ASSERT(false);
}

bool Region::punch(Page first, std::uint64_t count) noexcept {
  const auto at = static_cast<off_t>(first.value * kPageBytes);
  const auto bytes = static_cast<off_t>(count * kPageBytes);
  return ::fallocate(memory_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, bytes) == 0;
}

// Only a hole in the file takes a page from a mapping of another process; so its contents go out
// and in again: some 5 us, where another node is some 20 us away.
void Region::cool(Page page) noexcept {
  if (ended_ || !is_inside(page) || pages_.access(page) == Access::none) return;
  protect_from_tasks(page);
  std::array<std::byte, kPageBytes> kept;
  read(page, kept);
  if (punch(page, 1)) write(page, kept);
  pages_.cool(page);
}

Status Region::refill(Page page) noexcept {
  const auto at = static_cast<off_t>(page.value * kPageBytes);
  // Behind the end of the region there is no memory, and none is to come into being.
  if (ended_ || !is_inside(page)) return {};
  if (::fallocate(memory_.get(), FALLOC_FL_KEEP_SIZE, at, kPageBytes) == 0) return {};
  return errno_error(Errc::no_memory, "a page of a region");
}

void Region::write(Page page, std::span<const std::byte> from) noexcept {
  if (ended_ || !is_inside(page)) return;
  const auto at = static_cast<off_t>(page.value * kPageBytes);
  // As everywhere where data arrive: a member that has no memory at all can not go on.
  KRG_ASSERT(::pwrite(memory_.get(), from.data(), from.size(), at) ==
             static_cast<ssize_t>(from.size()));
}

void Region::read(Page page, std::span<std::byte> into) noexcept {
  if (!ended_ && !is_inside(page)) std::fill(into.begin(), into.end(), std::byte{0});
  if (ended_ || !is_inside(page)) return;
  const auto at = static_cast<off_t>(page.value * kPageBytes);
  KRG_ASSERT(::pread(memory_.get(), into.data(), into.size(), at) ==
             static_cast<ssize_t>(into.size()));
}

void Region::end() noexcept {
  if (std::exchange(ended_, true)) return;
  static_cast<void>(::ftruncate(memory_.get(), 0));
  for (const auto& mapping : seats_) {
    if (mapping) mapping->wake_all();
  }
  // Messages under way may still look at what was here, and would get the signal too.
  void* const zeros = ::mmap(alias_, info_.capacity, kReadWrite,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
  KRG_ASSERT(zeros == alias_);
}

// --- What changes -------------------------------------------------------------------------------

bool Region::apply(const RegionState& state) noexcept {
  if (ended_ || state.version <= state_.version) return false;
  if (state.bytes != state_.bytes) resize(state.bytes);
  const PageRanges before = std::exchange(state_, state).read_only;
  if (before == state.read_only) return true;
  take_rights();
  // Who waits to write may perhaps do so now.
  for (const auto& mapping : seats_) {
    if (mapping && !before.empty()) mapping->wake_all();
  }
  return true;
}

void Region::resize(std::uint64_t bytes) noexcept {
  const std::uint64_t before = std::exchange(state_.bytes, bytes);
  KRG_ASSERT(bytes <= info_.capacity && bytes % kPageBytes == 0);
  // A file of memory that is made no larger than it could have been from the first.
  KRG_ASSERT(::ftruncate(memory_.get(), static_cast<off_t>(bytes)) == 0);
  // Messages under way may look at the alias: behind the file's end that would be a signal.
  const bool grows = bytes > before;
  const std::uint64_t begin = std::min(bytes, before);
  const int flags = grows ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
  void* const at = ::mmap(alias_ + begin, std::max(bytes, before) - begin, kReadWrite,
                          flags | MAP_NORESERVE | MAP_FIXED, grows ? memory_.get() : -1,
                          grows ? static_cast<off_t>(begin) : 0);
  KRG_ASSERT(at == alias_ + begin);
}

// The protocol's rights stay: it is the tasks that may not write.
void Region::take_rights() noexcept {
  if (state_.read_only.empty()) return;
  for (const Page page : pages_.written()) {
    if (!state_.read_only.has(page.value)) continue;
    const Seat writer = pages_.writer(page);
    for (std::size_t i = 0; i < seats_.size(); ++i) {
      if (seats_[i] && (writer == kAnybody || writer.value == i)) seats_[i]->protect(page);
    }
    pages_.forget_writer(page);
  }
}

// --- Tasks --------------------------------------------------------------------------------------

Status Region::admit(FaultPoll& faults, Mapping::Owner& owner, Mapping::Task task) {
  std::size_t free = 0;
  while (free < seats_.size() && seats_[free]) ++free;
  if (free == kSeatsMax) return Error(Errc::limit_reached, "tasks that share a region on a node");
  const Seat seat{static_cast<std::uint16_t>(free)};
  auto mapping = std::make_unique<Mapping>(reactor_, faults, owner, *this, seat, std::move(task));
  KRG_TRY(mapping->watch());
  if (free == seats_.size()) seats_.emplace_back();
  seats_[free] = std::move(mapping);
  ++tasks_;
  return {};
}

Mapping* Region::seated(Seat seat) noexcept {
  return seat.value < seats_.size() ? seats_[seat.value].get() : nullptr;
}

Seat Region::seat_of(pid_t pid, std::uintptr_t address) const noexcept {
  for (std::size_t i = 0; i < seats_.size(); ++i) {
    if (!seats_[i]) continue;
    const Mapping::Task& task = seats_[i]->task();
    if (task.pid == pid && task.address == address) return Seat{static_cast<std::uint16_t>(i)};
  }
  return kNobody;
}

void Region::remove(Seat seat) noexcept {
  if (seated(seat) == nullptr) return;
  pages_.forget(seat);
  seats_[seat.value].reset();
  --tasks_;
}

bool Region::grant(Page page, Access access) {
  served_.clear();
  const bool more = pages_.granted(page, access, now_us(), served_);
  for (const Pages::Waiting& who : served_) open(page, who, 1);
  return more;
}

std::uint64_t Region::open(Page page, const Pages::Waiting& who, std::uint64_t most) noexcept {
  Mapping* const mapping = seated(who.seat);
  if (mapping == nullptr) return 0;
  // It waits until its process knows, which then wakes it, or until it may write again.
  if (who.write && state_.read_only.has(page.value)) return 1;
  if (!is_inside(page)) {
    mapping->wake(page);
    return 1;
  }
  std::uint64_t count = 1;
  if (most > 1) {
    if (who.write) most = state_.read_only.next_change(page.value, page.value + most) - page.value;
    count = pages_.run(page, who.write ? Access::write : Access::read, most);
  }
  for (std::uint64_t i = 0; who.write && i < count; ++i) {
    pages_.note_writer(Page{page.value + i}, who.seat);
  }
  pages_.warm(page, count);
  mapping->open(page, count, who.write, who.mapped);
  return count;
}

void Region::populate(Page first, std::uint64_t count, Seat seat, bool write) noexcept {
  Mapping* const mapping = seated(seat);
  if (mapping == nullptr || count == 0 || !is_inside(Page{first.value + count - 1})) return;
  if (write && !state_.read_only.is_clear(first.value, first.value + count)) return;
  for (std::uint64_t i = 0; write && i < count; ++i) {
    pages_.note_writer(Page{first.value + i}, seat);
  }
  pages_.warm(first, count);
  mapping->populate(first, count, write);
}

bool Region::has_task(pid_t pid) const noexcept {
  return std::any_of(seats_.begin(), seats_.end(),
                     [&](const auto& seat) { return seat && seat->task().pid == pid; });
}

std::vector<Page> Region::take_unsafe() {
  std::vector<Page> pages = std::exchange(unsafe_, {});
  std::sort(pages.begin(), pages.end());
  pages.erase(std::unique(pages.begin(), pages.end()), pages.end());
  return pages;
}

std::uint32_t Region::now_us() const noexcept {
  return static_cast<std::uint32_t>(reactor_.now().since_origin.count() / 1000);
}

}  // namespace krg::mm
