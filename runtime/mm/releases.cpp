#include "releases.h"

#include <algorithm>
#include <map>
#include <utility>

#include "callers.h"
#include "krg/log/log.h"
#include "mutants.h"

namespace krg::mm {
namespace {

constexpr Duration kAttempt = std::chrono::seconds(10);
constexpr Duration kAgain = std::chrono::milliseconds(10);
// Pages that are dropped without a pause.
constexpr std::uint64_t kAtOnce = 4096;
// Pages that are copied without one.
constexpr std::uint64_t kTwinsAtOnce = 64;

kddm::ObjectId object_of(Page page) noexcept { return kddm::ObjectId{page.value}; }

}  // namespace

// What several fetches at once have come to. Who waits for them may be cancelled, and they go on.
struct Releases::Fetching {
  explicit Fetching(reactor::Reactor& reactor) : running(reactor) {}
  reactor::WaitGroup running;
  Status how;  // The first failure.
};

void Releases::serve(gate::Server& gate) {
  gate.serve<calls::Release>([this](gate::Call& call, calls::Fenced request) {
    return for_each(call, std::move(request), &Releases::release);
  });
  gate.serve<calls::Acquire>([this](gate::Call& call, calls::Fenced request) {
    return for_each(call, std::move(request), &Releases::acquire);
  });
  serve_hand_overs(gate);
}

void Releases::join(const Peers& peers) {
  peers_ = peers;
  homes_.join(*peers_.rpc);
  join_hand_overs();
}

// --- Regions ------------------------------------------------------------------------------------

Releases::Copy Releases::copy_of(kddm::SetId set) {
  Copy& copy = copies_[set];
  if (!copy) copy = std::make_shared<RegionCopy>(pager_.reactor());
  return copy;
}

Region* Releases::living(kddm::SetId set) noexcept {
  Region* const region = pager_.find(set);
  return region == nullptr || region->ended() ? nullptr : region;
}

void Releases::end(kddm::SetId set) noexcept {
  const auto at = copies_.find(set);
  if (at == copies_.end()) return;
  at->second->ended = true;
  at->second->forget_alone();
  at->second->tell();
  copies_.erase(at);
}

void Releases::on_detach(const Region& region) {
  if (region.info().consistency != Consistency::release || region.ended()) return;
  pager_.reactor().spawn(release_later(region.info().set));
}

void Releases::on_resize(Region& region) {
  if (region.info().consistency != Consistency::sequential) {
    copy_of(region.info().set)->trim(region);
  }
}

// --- What tasks call ----------------------------------------------------------------------------

Status Releases::check(const gate::Call& call, const calls::Fenced& regions) {
  if (regions.sets.size() > calls::Fenced::kMost) {
    return Error(Errc::invalid_argument, "too many regions in one call");
  }
  for (const kddm::SetId set : regions.sets) {
    const Region* const region = living(set);
    if (region == nullptr) continue;  // It has just been destroyed.
    KRG_TRY(check_attached(call, *region));
    if (region->info().consistency == Consistency::release) continue;
    return Error(Errc::invalid_argument, "a region of another consistency");
  }
  return {};
}

Co<Result<wire::Empty>> Releases::for_each(gate::Call& call, calls::Fenced request, Fence fence) {
  KRG_CO_TRY(check(call, request));
  for (const kddm::SetId set : request.sets) {
    if (living(set) == nullptr) continue;
    KRG_CO_TRY(co_await (this->*fence)(set, call.deadline()));
  }
  co_return wire::Empty{};
}

// --- Acquiring ----------------------------------------------------------------------------------

Co<Status> Releases::acquire(kddm::SetId set, Deadline deadline) {
  const Copy copy = copy_of(set);
  // An answer to a question that was asked before this one may be too old.
  const bool joins = has(Mutant::unawaited_acquire) && copy->asking;
  const std::uint64_t mine = joins ? copy->asked : ++copy->asked;
  if (!std::exchange(copy->asking, true)) pager_.reactor().spawn(ask(set, copy));
  while (copy->answered < mine) {
    if (copy->ended) co_return Error(Errc::not_found, "the region was destroyed");
    KRG_CO_TRY(co_await copy->changed().wait(deadline));
  }
  co_return Status();
}

Co<void> Releases::ask(kddm::SetId set, Copy copy) {
  const reactor::Soon soon(pager_.reactor());
  bool told = false;
  while (copy->answered < copy->asked && !copy->ended) {
    const std::uint64_t upto = copy->asked;
    const Deadline deadline = pager_.reactor().after(kAttempt);
    const ReadNotices::Request request{set, pager_.self(), copy->heard};
    auto asking = homes_.ask_keeper<ReadNotices>(set, request, deadline);
    auto reply = co_await std::move(asking);
    if (reply) {
      if (reply->all) reply->runs.assign(1, Stretch{Page{0}, ~std::uint64_t{0}});
      auto taking = take_news(set, copy, std::move(reply->runs), !reply->all);
      co_await std::move(taking);
      copy->heard = reply->now;
      copy->answered = upto;
      copy->tell();
      continue;
    }
    if (!std::exchange(told, true)) {
      KRG_WARN("set {}: what others have written is not known: {}; trying again", set.value,
               reply.error().message());
    }
    co_await reactor::sleep_for(pager_.reactor(), kAgain);
  }
  copy->asking = false;
}

// Of long runs only the pages that are here are looked at, or all of the run: whichever are fewer.
Co<void> Releases::take_news(kddm::SetId set, Copy copy, std::vector<Stretch> runs,
                             bool refresh_some) {
  std::uint64_t done = 0;
  std::vector<Page> stale;
  for (const Stretch& run : runs) {
    Region* region = living(set);
    if (region == nullptr) co_return;
    std::vector<Stretch> here;
    if (run.count <= region->pages().known()) {
      here.push_back(run);
    } else {
      copy->drop_fetches(run);
      for (const Page page : region->pages().open_from(run.first)) {
        if (page.value - run.first.value < run.count) here.push_back({page, 1});
      }
      unite(here);
    }
    for (const Stretch& all : here) {
      for (std::uint64_t i = 0; i < all.count; i += kAtOnce) {
        const std::uint64_t count = std::min(kAtOnce, all.count - i);
        if ((done += count) > kAtOnce) {
          done = 0;
          co_await reactor::next_turn(pager_.reactor());
          region = living(set);
          if (region == nullptr) co_return;
        }
        copy->drop(*region, {Page{all.first.value + i}, count}, refresh_some ? &stale : nullptr);
      }
    }
  }
  // It need not be at home for what others have written to be seen.
  start_sending(set, copy);
  if (stale.empty()) co_return;
  auto refreshing = refresh(set, std::move(stale));
  co_await std::move(refreshing);
}

// --- Faults -------------------------------------------------------------------------------------

void Releases::on_fault(Region& region, Page page, const Pages::Waiting& who) {
  Stream& stream = region.seated(who.seat)->stream();
  const std::uint64_t most = stream.on_fault(page, who.write);
  const kddm::SetId set = region.info().set;
  const bool is_local = region.info().consistency == Consistency::local;
  std::uint64_t mapped = 1;
  if (!region.is_inside(page) || (who.write && region.state().read_only.has(page.value))) {
    region.open(page, who, 1);
  } else if (is_local) {
    mapped = open_local(region, page, who, most);
  } else {
    if (who.write) copy_of(set)->begin_writing(region, page, most);
    switch (region.pages().fault(page, who)) {
      case Pages::Answer::map:
        mapped = region.open(page, who, most);
        break;
      case Pages::Answer::wait:
        break;
      case Pages::Answer::get:
      case Pages::Answer::grab:
        pager_.reactor().spawn(fetch(set, page));
    }
  }
  if (!is_local) copy_of(set)->note_used(page, mapped);
  const Stretch ahead = stream.on_mapped(page, mapped, region.pages().count());
  if (ahead.count > 0 && !is_local) pager_.reactor().spawn(bring_ahead(set, ahead));
}

std::uint64_t Releases::open_local(Region& region, Page page, Pages::Waiting who,
                                   std::uint64_t most) {
  for (std::uint64_t i = 0; i < most; ++i) {
    const Page at{page.value + i};
    if (!region.is_inside(at)) break;
    if (region.pages().access(at) == Access::write) continue;
    if (!region.refill(at)) break;  // Without memory the fault comes again.
    region.grant(at, Access::write);
  }
  who.write |= region.state().read_only.is_clear(page.value, page.value + most);
  return region.open(page, who, most);
}

void Releases::let_in(Region& region, RegionCopy& copy, Page page) {
  region.traffic().given(page, false);
  if (region.grant(page, Access::read)) copy.begin_writing(region, page, 1);
}

Co<void> Releases::fetch(kddm::SetId set, Page page) {
  const reactor::Soon soon(pager_.reactor());
  const Copy copy = copy_of(set);
  bool told = false;
  for (;;) {
    Region* region = living(set);
    if (region == nullptr) co_return;
    if (!region->pages().is_wanted(page) || !region->is_inside(page)) {
      for (const Pages::Waiting& who : region->pages().failed(page)) region->open(page, who, 1);
      co_return;
    }
    if (!copy->is_missing(*region, page)) {
      static_cast<void>(co_await copy->changed().wait(pager_.reactor().after(kAttempt)));
      continue;
    }
    const Deadline deadline = pager_.reactor().after(kAttempt);
    const auto home = co_await pager_.kddm().home_of(set, object_of(page), deadline);
    Status how = home ? Status() : Status(home.error());
    if (home) {
      auto fetching = fetch_from(set, *home, std::vector<Page>(1, page));
      how = co_await std::move(fetching);
    }
    if (how) continue;
    region = living(set);
    if (region == nullptr) co_return;
    if (!pager_.is_passing(how.error())) co_return pager_.give_up(*region, page, how.error());
    if (!std::exchange(told, true)) {
      KRG_WARN("region {} page {} on node {}: {}; trying again", region->info().name, page.value,
               pager_.self().value, how.error().message());
    }
    co_await reactor::sleep_for(pager_.reactor(), kAgain);
  }
}

// --- Fetching -----------------------------------------------------------------------------------

Co<Status> Releases::fetch_from(kddm::SetId set, NodeId home, std::vector<Page> pages) {
  const Copy copy = copy_of(set);
  const Region* const region = living(set);
  if (region == nullptr) co_return Error(Errc::not_found, "it was destroyed");
  std::erase_if(pages, [&](Page page) { return !copy->is_missing(*region, page); });
  if (pages.empty()) co_return Status();
  for (const Page page : pages) copy->begin_fetch(page);
  auto fetching = fetch_begun(set, home, std::move(pages));
  co_return co_await std::move(fetching);
}

Co<Status> Releases::fetch_begun(kddm::SetId set, NodeId home, std::vector<Page> pages) {
  const Copy copy = copy_of(set);
  const FetchPages::Request request{set, pages};
  const rpc::CallOptions options{.deadline = pager_.reactor().after(kAttempt)};
  rpc::Bulk bulk;
  const auto reply =
      co_await peers_.rpc->call_data<FetchPages>(home, request, options, std::move(bulk));
  const Status how = place(set, copy, pages, reply);
  copy->tell();
  co_return how;
}

Status Releases::place(kddm::SetId set, const Copy& copy, const std::vector<Page>& pages,
                       const Result<rpc::WithData<FetchPages::Reply>>& reply) {
  Region* const region = living(set);
  Status how = reply ? Status() : Status(reply.error());
  std::span<const std::byte> data;
  if (reply) data = reply->data.bytes();
  for (std::size_t i = 0; i < pages.size(); ++i) {
    const Page page = pages[i];
    const bool is_new = copy->end_fetch(page);
    if (region == nullptr) continue;
    const std::uint64_t bit = std::uint64_t{1} << i;
    const bool is_lost = reply && (reply->reply.lost & bit) != 0;
    const bool is_zeros = reply && (reply->reply.untouched & bit) != 0;
    const bool has_content = reply && !is_lost && !is_zeros && data.size() >= kPageBytes;
    const std::span<const std::byte> content = data.first(has_content ? kPageBytes : 0);
    data = data.subspan(content.size());
    if (is_lost) how = Error(Errc::lost, "every copy of the page died with its node");
    const bool is_short = reply && !is_lost && !is_zeros && !has_content;
    if (is_short) how = Error(Errc::protocol_error, "pages that did not come");
    if (region->pages().access(page) != Access::none) {
      // What the tasks see is old. They read it meanwhile, and go on with what is put there.
      if (has_content && is_new) {
        copy->renew(*region, page, content.first<kPageBytes>());
      } else {
        copy->drop(*region, {page, 1});
      }
      continue;
    }
    if (!is_new || !(has_content || is_zeros) || !region->is_inside(page)) continue;
    const Status made = is_zeros ? region->refill(page) : Status();
    if (!made) {
      how = made;
      continue;
    }
    if (has_content) region->write(page, content);
    let_in(*region, *copy, page);
  }
  start_sending(set, copy);
  return how;
}

Co<void> Releases::fetch_beside(Co<Status> fetching, std::shared_ptr<Fetching> all) {
  const Status how = co_await std::move(fetching);
  if (!how && all->how) all->how = how;
  all->running.done();
}

Co<void> Releases::refresh(kddm::SetId set, std::vector<Page> pages) {
  const auto all = std::make_shared<Fetching>(pager_.reactor());
  std::map<NodeId, std::vector<Page>> by_home;
  const auto send = [&](NodeId home, std::vector<Page>& its) {
    all->running.add();
    pager_.reactor().spawn(fetch_beside(fetch_begun(set, home, std::exchange(its, {})), all));
  };
  for (const Page page : pages) {
    const Deadline deadline = pager_.reactor().after(kAttempt);
    const auto home = co_await pager_.kddm().home_of(set, object_of(page), deadline);
    // Who is nobody's home says so: the page goes then.
    std::vector<Page>& its = by_home[home ? *home : pager_.self()];
    its.push_back(page);
    if (its.size() == FetchPages::kMost) send(home ? *home : pager_.self(), its);
  }
  for (auto& [home, its] : by_home) {
    if (!its.empty()) send(home, its);
  }
  // Each call has a deadline of its own.
  static_cast<void>(co_await all->running.wait(Deadline::never()));
}

Co<Status> Releases::begin_fetching(kddm::SetId set, std::span<const Page> pages,
                                    std::shared_ptr<Fetching> all, Deadline deadline) {
  std::map<NodeId, std::vector<Page>> by_home;
  for (const Page page : pages) {
    const Region* const region = living(set);
    if (region == nullptr) co_return Error(Errc::not_found, "it was destroyed");
    if (!copy_of(set)->is_missing(*region, page)) continue;
    const auto home = co_await pager_.kddm().home_of(set, object_of(page), deadline);
    if (!home) co_return home.error();
    by_home[*home].push_back(page);
  }
  for (auto& [home, its] : by_home) {
    all->running.add();
    pager_.reactor().spawn(fetch_beside(fetch_from(set, home, std::move(its)), all));
  }
  co_return Status();
}

Co<Status> Releases::bring(kddm::SetId set, Page first, std::uint64_t count, Deadline deadline) {
  const auto all = std::make_shared<Fetching>(pager_.reactor());
  std::vector<Page> pages;
  for (std::uint64_t begin = 0; begin < count; begin += FetchPages::kMost) {
    pages.clear();
    const std::uint64_t end = std::min(begin + FetchPages::kMost, count);
    for (std::uint64_t i = begin; i < end; ++i) pages.push_back(Page{first.value + i});
    KRG_CO_TRY(co_await begin_fetching(set, pages, all, deadline));
    KRG_CO_TRY(co_await all->running.wait(deadline));
    co_await reactor::next_turn(pager_.reactor());
  }
  co_return all->how;
}

// What is dropped meanwhile comes by its fault.
Co<Status> Releases::take(kddm::SetId set, Page first, std::uint64_t count, Deadline deadline) {
  KRG_CO_TRY(co_await bring(set, first, count, deadline));
  const std::uint64_t end = first.value + count;
  for (std::uint64_t at = first.value; at < end;) {
    Region* const region = living(set);
    if (region == nullptr) co_return Error(Errc::not_found, "it was destroyed");
    const std::uint64_t open =
        region->pages().run(Page{at}, Access::read, std::min(end - at, kTwinsAtOnce));
    if (open > 0) copy_of(set)->begin_writing(*region, Page{at}, open);
    at += std::max<std::uint64_t>(open, 1);
    co_await reactor::next_turn(pager_.reactor());
  }
  co_return Status();
}

Co<void> Releases::bring_ahead(kddm::SetId set, Stretch ahead) {
  const Deadline deadline = pager_.reactor().after(kAttempt);
  static_cast<void>(co_await bring(set, ahead.first, ahead.count, deadline));
}

Co<Status> Releases::give_up(kddm::SetId set, Page first, std::uint64_t count, Deadline deadline) {
  const Copy copy = copy_of(set);
  auto dropping = take_news(set, copy, std::vector<Stretch>(1, Stretch{first, count}), false);
  co_await std::move(dropping);
  const std::uint64_t send = copy->sends_begun + (copy->has_outgoing() ? 1 : 0);
  auto waiting = sent(copy, send, deadline);
  co_return co_await std::move(waiting);
}

}  // namespace krg::mm
