#include "bulk.h"

#include <algorithm>
#include <utility>

#include "krg/reactor/event.h"
#include "krg/rpc/multicast.h"
#include "releases.h"

namespace krg::mm {
namespace {

// From krgd to krgd: pages that are to be brought on every node with tasks of the region.
struct Take {
  static constexpr ServiceId kId{0x6a};
  static constexpr const char* kName = "mm.take";
  using Request = calls::PageRange;
  using Reply = wire::Empty;
};

constexpr std::uint64_t kRun = 64;  // Mapped by one system call.
// For what nobody waits for.
constexpr Duration kLater = std::chrono::seconds(30);
constexpr Duration kSpread = std::chrono::seconds(30);

}  // namespace

void Bulk::serve(gate::Server& gate) {
  gate.serve<calls::Bring>([this](gate::Call& call, calls::Bring::Request request) {
    return bring(call, std::move(request));
  });
  gate.serve<calls::GiveUp>([this](gate::Call& call, calls::GiveUp::Request request) {
    return give_up(call, std::move(request));
  });
  gate.serve<calls::Spread>([this](gate::Call& call, calls::Spread::Request request) {
    return spread(call, std::move(request));
  });
}

void Bulk::join(const Peers& peers) {
  peers_ = peers;
  peers_.rpc->serve<Take>(
      [this](rpc::Incoming&, Take::Request pages) { return take(std::move(pages)); });
}

Result<Region*> Bulk::check(kddm::SetId set, std::uint64_t first, std::uint64_t count) {
  Region* const region = pager_.find(set);
  if (region == nullptr || region->ended()) return Error(Errc::not_found, "no such region");
  const std::uint64_t pages = region->state().bytes / kPageBytes;
  if (count <= calls::Bring::kMost && first <= pages && count <= pages - first) return region;
  return Error(Errc::invalid_argument, "pages behind the region's end, or too many");
}

Co<Result<wire::Empty>> Bulk::bring(gate::Call& call, calls::Bring::Request request) {
  KRG_CO_TRY_ASSIGN(Region* const region, check(request.set, request.first, request.count));
  const PageRanges& read_only = region->state().read_only;
  if (request.write && !read_only.is_clear(request.first, request.first + request.count)) {
    co_return Error(Errc::denied, "not all of it may be written");
  }
  const Wanted wanted{request.set, Page{request.first}, request.count, request.write,
                      region->seat_of(call.caller().pid, request.address)};
  if (!request.wait) {
    pager_.reactor().spawn(fetch_later(wanted, pager_.reactor().after(kLater)));
    co_return wire::Empty{};
  }
  KRG_CO_TRY(co_await fetch(wanted, call.deadline()));
  co_return wire::Empty{};
}

Co<void> Bulk::fetch_later(Wanted wanted, Deadline deadline) {
  static_cast<void>(co_await fetch(wanted, deadline));
}

Co<Status> Bulk::fetch_copies(Wanted wanted, Deadline deadline) {
  auto fetching = wanted.write ? releases_.take(wanted.set, wanted.first, wanted.count, deadline)
                               : releases_.bring(wanted.set, wanted.first, wanted.count, deadline);
  const Status how = co_await std::move(fetching);
  const std::uint64_t end = wanted.first.value + wanted.count;
  for (std::uint64_t at = wanted.first.value; at < end; ++at) {
    Region* const region = pager_.find(wanted.set);
    if (region == nullptr || region->ended()) co_return Error(Errc::not_found, "it was destroyed");
    const Access least = wanted.write ? Access::write : Access::read;
    const std::uint64_t open = region->pages().run(Page{at}, least, std::min(end - at, kRun));
    if (open > 0) region->populate(Page{at}, open, wanted.seat, wanted.write);
    at += std::max<std::uint64_t>(open, 1);
    co_await reactor::next_turn(pager_.reactor());
  }
  co_return how;
}

// What is pinned here is here, to be written: it is mapped alone.
Co<Status> Bulk::fetch(Wanted wanted, Deadline deadline) {
  const Region* const known = pager_.find(wanted.set);
  if (known == nullptr) co_return Error(Errc::not_found, "it was destroyed");
  switch (known->info().consistency) {
    case Consistency::sequential:
      break;
    case Consistency::release:
      co_return co_await fetch_copies(wanted, deadline);
    case Consistency::local:
      co_return Status();  // Zeros come with their first touch.
  }
  Status all;
  const std::uint64_t end = wanted.first.value + wanted.count;
  for (std::uint64_t at = wanted.first.value; at < end;) {
    const std::uint64_t pinned = pager_.pins().next(wanted.set, at, end);
    Wanted run = wanted;
    run.first = Page{at};
    run.count = pinned - at;
    if (run.count > 0) {
      const Status done = co_await fetch_run(run, deadline);
      if (!done && all) all = done;
    }
    at = pinned;
    Region* const region = pager_.find(wanted.set);
    for (; at < end && pager_.pins().has(wanted.set, Page{at}); ++at) {
      if (region != nullptr) region->populate(Page{at}, 1, wanted.seat, wanted.write);
    }
  }
  co_return all;
}

Co<Status> Bulk::fetch_run(Wanted wanted, Deadline deadline) {
  const kddm::OpOptions options{.deadline = deadline, .no_touch = !wanted.write};
  const kddm::ObjectId first{wanted.first.value};
  kddm::Kddm& kddm = pager_.kddm();
  kddm::Range range = wanted.write ? kddm.grab_range(wanted.set, first, wanted.count, options)
                                   : kddm.get_range(wanted.set, first, wanted.count, options);
  Status all;
  for (std::uint64_t run = wanted.first.value; !range.done();) {
    const Page page{range.object().value};
    const auto lease = co_await range.next();
    Region* const region = pager_.find(wanted.set);
    if (region == nullptr || region->ended()) co_return Error(Errc::not_found, "it was destroyed");
    // A page that nobody has touched is zeros wherever it is touched.
    const bool untouched = !lease && lease.error().code() == Errc::not_found;
    if (!lease && !untouched && all) all = lease.error();
    if (lease) static_cast<void>(pager_.let_in(*region, page, wanted.write));
    const std::uint64_t end = page.value + 1;
    if (lease && end - run < kRun && !range.done()) continue;
    // Some of the run may have been taken again: it ends there.
    for (std::uint64_t at = run; at < end; ++at) {
      const Access least = wanted.write ? Access::write : Access::read;
      const std::uint64_t open = region->pages().run(Page{at}, least, end - at);
      if (open > 0) region->populate(Page{at}, open, wanted.seat, wanted.write);
      at += open;
    }
    run = end;
  }
  co_return all;
}

Co<Result<wire::Empty>> Bulk::give_up(gate::Call& call, calls::GiveUp::Request request) {
  KRG_CO_TRY_ASSIGN(const Region* const region, check(request.set, request.first, request.count));
  if (region->info().consistency == Consistency::local) co_return wire::Empty{};
  if (region->info().consistency == Consistency::release) {
    KRG_CO_TRY(co_await releases_.give_up(request.set, Page{request.first}, request.count,
                                          call.deadline()));
    co_return wire::Empty{};
  }
  const kddm::OpOptions options{.deadline = call.deadline()};
  for (std::uint64_t page = request.first; page < request.first + request.count; ++page) {
    const kddm::ObjectId object{page};
    if (!pager_.kddm().find(request.set, object)) continue;
    if (pager_.pins().has(request.set, Page{page})) continue;
    const Status done = co_await pager_.kddm().flush(request.set, object, options);
    // Nobody else can take it: it stays, and nothing is lost by that.
    if (!done && done.error().code() != Errc::limit_reached) co_return done.error();
  }
  co_return wire::Empty{};
}

Co<Result<wire::Empty>> Bulk::spread(gate::Call& call, calls::Spread::Request request) {
  KRG_CO_TRY(check(request.set, request.first, request.count));
  const auto answers =
      co_await rpc::call_all<Take>(*peers_.rpc, peers_.all(), request, call.deadline());
  for (const auto& answer : answers) {
    if (!answer.reply) co_return answer.reply.error();
  }
  co_return wire::Empty{};
}

Co<Result<wire::Empty>> Bulk::take(calls::PageRange pages) {
  const auto region = check(pages.set, pages.first, pages.count);
  // Who has never heard of it has no tasks that use it.
  if (!region && region.error().code() == Errc::not_found) co_return wire::Empty{};
  if (!region) co_return region.error();
  if ((*region)->tasks() == 0) co_return wire::Empty{};
  const Wanted wanted{pages.set, Page{pages.first}, pages.count, false, kNobody};
  KRG_CO_TRY(co_await fetch(wanted, pager_.reactor().after(kSpread)));
  co_return wire::Empty{};
}

}  // namespace krg::mm
