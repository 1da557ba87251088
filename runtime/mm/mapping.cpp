#include "mapping.h"

#include <array>
#include <utility>

#include "krg/log/log.h"
#include "krg/mm_calls/calls.h"
#include "region.h"

namespace krg::mm {

Mapping::Mapping(reactor::Reactor& reactor, FaultPoll& faults, Owner& owner, Region& region,
                 Seat seat, Task task)
    : reactor_(reactor),
      faults_(faults),
      owner_(owner),
      region_(region),
      seat_(seat),
      task_(std::move(task)) {}

Mapping::~Mapping() {
  faults_.remove(task_.uffd.fd());
  reactor_.unwatch(task_.process.get());
}

Status Mapping::watch() {
  KRG_TRY(reactor_.watch(task_.process.get(), EPOLLIN, on_end_));
  return faults_.add(task_.uffd.fd(), on_fault_);
}

void Mapping::OnEnd::on_fd(std::uint32_t) noexcept {
  mapping.reactor_.unwatch(mapping.task_.process.get());
  mapping.owner_.on_end(mapping.region_, mapping.seat_);
}

void Mapping::take_faults() noexcept {
  std::array<Uffd::Fault, Uffd::kBatch> faults;
  const std::size_t count = task_.uffd.read(faults);
  for (std::size_t i = 0; i < count; ++i) {
    const Uffd::Fault& fault = faults[i];
    const std::uint64_t page = (fault.address - task_.address) / kPageBytes;
    // The task may have registered what is not the region with the same descriptor.
    if (fault.address < task_.address || page >= region_.pages().count()) continue;
    owner_.on_fault(region_, Page{page}, {seat_, fault.write, fault.mapped});
  }
}

std::uintptr_t Mapping::address_of(Page page) const noexcept {
  return task_.address + page.value * kPageBytes;
}

void Mapping::complain(const Error& error, Page page, const char* what) const noexcept {
  if (error.code() == Errc::stale || error.code() == Errc::not_found) return;
  KRG_ERROR("region {} page {} of process {}: {}: {}", region_.info().name, page.value, task_.pid,
            what, error.message());
}

void Mapping::open(Page first, std::uint64_t count, bool write, bool mapped) noexcept {
  const std::uintptr_t at = address_of(first);
  if (!(write && mapped)) {
    const auto done = task_.uffd.map(at, count * kPageBytes, write);
    if (!done) {
      // A task has removed the memory behind its mapping: then it has zeros there.
      if (done.error().code() == Errc::corrupt) static_cast<void>(region_.refill(first));
      if (done.error().code() != Errc::corrupt && done.error().code() != Errc::would_block) {
        complain(done.error(), first, "mapping");
      }
      return wake(first);  // The fault comes again; or the task has unmapped it: a signal.
    }
    if (*done > 0) return;
    // Another thread's fault has mapped it.
    if (!write) return wake(first);
  }
  const Status done = task_.uffd.permit(at, count * kPageBytes);
  if (!done) complain(done.error(), first, "permitting");
}

void Mapping::populate(Page first, std::uint64_t count, bool write) noexcept {
  const std::uint64_t end = (first.value + count) * kPageBytes;
  bool was_mapped = false;
  for (std::uint64_t at = first.value * kPageBytes; at < end;) {
    const auto done = task_.uffd.map(task_.address + at, end - at, write);
    if (!done) return;  // What is missing comes with its fault.
    was_mapped |= *done == 0;
    at += *done == 0 ? kPageBytes : *done;
  }
  if (!write || !was_mapped) return;
  const Status done = task_.uffd.permit(address_of(first), count * kPageBytes);
  if (!done) complain(done.error(), first, "permitting");
}

void Mapping::protect(Page first, std::uint64_t count) noexcept {
  const Status done = task_.uffd.protect(address_of(first), count * kPageBytes);
  if (!done) complain(done.error(), first, "protecting");
}

void Mapping::poison(Page page) noexcept {
  const Status done = task_.uffd.poison(address_of(page), kPageBytes);
  if (!done) complain(done.error(), page, "poisoning");
}

void Mapping::wake(Page page) noexcept {
  const Status done = task_.uffd.wake(address_of(page), kPageBytes);
  if (!done) complain(done.error(), page, "waking");
}

void Mapping::wake_all() noexcept {
  const Status done = task_.uffd.wake(task_.address, region_.pages().count() * kPageBytes);
  if (!done) complain(done.error(), Page{0}, "waking");
}

}  // namespace krg::mm
