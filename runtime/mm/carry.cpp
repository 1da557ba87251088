#include "carry.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "callers.h"
#include "krg/reactor/event.h"
#include "names.h"

namespace krg::mm {
namespace {

constexpr Duration kLook = std::chrono::milliseconds(50);
constexpr Duration kTaking = std::chrono::seconds(30);

// From krgd to krgd: as calls::Push, to the node that is to have them.
struct Pushed {
  static constexpr ServiceId kId{0x8b};
  static constexpr const char* kName = "mm.pushed";
  using Request = calls::Push::Request;
  using Reply = wire::Empty;
};

}  // namespace

void Carry::serve(gate::Server& gate) {
  gate.serve<calls::Show>([this](gate::Call& call, calls::Show::Request request) {
    return show(call, std::move(request));
  });
  gate.serve<calls::Pin>([this](gate::Call& call, calls::Pin::Request request) {
    return pin(call, std::move(request));
  });
  gate.serve<calls::Push>([this](gate::Call& call, calls::Push::Request request) {
    return push(call, std::move(request));
  });
}

void Carry::join(const Peers& peers) {
  peers_ = peers;
  peers_.rpc->serve<Pushed>(
      [this](rpc::Incoming&, Pushed::Request request) { return take(std::move(request)); });
}

Co<Result<wire::Empty>> Carry::show(gate::Call& call, calls::Show::Request request) {
  KRG_CO_TRY(check_caller(call));
  kddm::Kddm& kddm = pager_.kddm();
  const std::string hidden = set_name(request.name, true);
  const auto set = co_await kddm.look_up(hidden, call.deadline());
  if (!set) co_return set.error();
  KRG_CO_TRY(co_await kddm.bind(set_name(request.name), *set, call.deadline()));
  KRG_CO_TRY(co_await kddm.unbind(hidden, call.deadline()));
  co_return wire::Empty{};
}

// --- Pages that stay ----------------------------------------------------------------------------

Co<Result<wire::Empty>> Carry::pin(gate::Call& call, calls::Pin::Request request) {
  const calls::PageRange pages = request.pages;
  KRG_CO_TRY_ASSIGN(Region* const region, bulk_.check(pages.set, pages.first, pages.count));
  KRG_CO_TRY(check_attached(call, *region));
  if (region->info().consistency != Consistency::sequential) {
    co_return Error(Errc::not_supported, "pages of a region that is not sequential have no place");
  }
  const std::uint64_t end = pages.first + pages.count;
  if (request.time_ms == 0) {
    pager_.pins().drop(pages.set, pages.first, end);
    co_return wire::Empty{};
  }
  if (request.time_ms > calls::Pin::kMostMs) {
    co_return Error(Errc::invalid_argument, "pages are pinned for ten minutes at most");
  }
  if (pager_.pins().count() + pages.count > calls::Pin::kMostPages) {
    co_return Error(Errc::limit_reached, "a node has up to 65,536 pinned pages");
  }
  const TimePoint until = pager_.reactor().now() + std::chrono::milliseconds(request.time_ms);
  const Status done = co_await pin_range(pages, until, call.deadline());
  if (!done) {
    pager_.pins().drop(pages.set, pages.first, end);
    co_return done.error();
  }
  co_return wire::Empty{};
}

Co<Status> Carry::pin_range(calls::PageRange pages, TimePoint until, Deadline deadline) {
  Pins& pins = pager_.pins();
  if (!std::exchange(watching_, true)) pager_.reactor().spawn(watch_pins());
  const std::uint64_t end = pages.first + pages.count;
  for (std::uint64_t at = pages.first; at < end;) {
    if (pins.has(pages.set, Page{at})) {
      pins.renew(pages.set, Page{at++}, until);
      continue;
    }
    const std::uint64_t stop = pins.next(pages.set, at, end);
    const kddm::OpOptions options{.deadline = deadline};
    const kddm::ObjectId first{at};
    kddm::Range range = pager_.kddm().grab_range(pages.set, first, stop - at, options);
    for (; at < stop; ++at) {
      auto lease = co_await range.next();
      if (!lease) co_return lease.error();
      Region* const region = pager_.find(pages.set);
      if (region == nullptr || region->ended()) {
        co_return Error(Errc::not_found, "it was destroyed");
      }
      static_cast<void>(pager_.let_in(*region, Page{at}, true));
      pins.keep(pages.set, Page{at}, std::move(*lease), until);
    }
  }
  co_return Status();
}

Co<void> Carry::watch_pins() {
  Pins& pins = pager_.pins();
  // Until there are none; the first may be on their way.
  do {
    co_await reactor::sleep_for(pager_.reactor(), kLook);
    pins.expire(pager_.reactor().now(), [&](kddm::SetId set) {
      const Region* const region = pager_.find(set);
      return region == nullptr || region->ended() || region->tasks() == 0;
    });
  } while (pins.count() > 0);
  watching_ = false;
}

// --- Pages that go ahead ------------------------------------------------------------------------

Co<Result<wire::Empty>> Carry::push(gate::Call& call, calls::Push::Request request) {
  const calls::PageRange& pages = request.pages;
  KRG_CO_TRY(bulk_.check(pages.set, pages.first, pages.count));
  const std::vector<NodeId> all = peers_.all();
  if (std::find(all.begin(), all.end(), request.node) == all.end()) {
    co_return Error(Errc::invalid_argument, "no such node");
  }
  const rpc::CallOptions within{.deadline = call.deadline()};
  const auto done = co_await peers_.rpc->call<Pushed>(request.node, request, within);
  if (!done) co_return done.error();
  co_return wire::Empty{};
}

Co<Result<wire::Empty>> Carry::take(calls::Push::Request request) {
  const Deadline deadline = pager_.reactor().after(kTaking);
  const calls::PageRange pages = request.pages;
  const auto options = co_await pager_.kddm().options_of(pages.set, deadline);
  if (!options) co_return options.error();
  // The thread that follows may be the first here that has to do with it.
  KRG_CO_TRY(pager_.region(pages.set, *options));
  KRG_CO_TRY(bulk_.check(pages.set, pages.first, pages.count));
  const Bulk::Wanted wanted{pages.set, Page{pages.first}, pages.count, request.write, kNobody};
  KRG_CO_TRY(co_await bulk_.fetch(wanted, deadline));
  co_return wire::Empty{};
}

}  // namespace krg::mm
