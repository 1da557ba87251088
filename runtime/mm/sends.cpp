// What a node has written goes to the pages' homes.
#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include "krg/log/log.h"
#include "mutants.h"
#include "releases.h"

namespace krg::mm {
namespace {

// Of one attempt, and how often what stands in the way is looked at again.
constexpr Duration kAttempt = std::chrono::seconds(10);
constexpr Duration kAgain = std::chrono::milliseconds(10);
constexpr Duration kLeft = std::chrono::seconds(60);
// Pages that are captured, or packed, without a pause.
constexpr std::size_t kAtOnce = 256;
// More runs of pages than a log has room for are one.
constexpr std::size_t kRunsMost = Notices::kBytes / sizeof(std::uint64_t);

std::vector<Stretch> runs_of(const Outgoing& outgoing) {
  std::vector<Stretch> runs;
  runs.reserve(outgoing.parts.size() + outgoing.named.size());
  for (const Page page : outgoing.named) {
    if (!has(Mutant::unnamed_alone)) runs.push_back({page, 1});
  }
  for (const Outgoing::Part& part : outgoing.parts) runs.push_back({part.page, 1});
  unite(runs);
  if (runs.size() <= kRunsMost) return runs;
  const Stretch& last = runs.back();
  return {{runs[0].first, last.first.value + last.count - runs[0].first.value}};
}

}  // namespace

// What goes to one home.
struct Releases::Parcel {
  NodeId home = kNoNode;
  std::vector<Outgoing::Part> parts;  // What is not there yet.
  std::vector<Page> lost;
  Status how;
};

// --- Releasing ----------------------------------------------------------------------------------

Co<Status> Releases::release(kddm::SetId set, Deadline deadline) {
  const Copy copy = copy_of(set);
  const std::vector<Page> dirty = copy->dirty();
  for (std::size_t begin = 0; begin < dirty.size(); begin += kAtOnce) {
    if (begin > 0) co_await reactor::next_turn(pager_.reactor());
    Region* const region = living(set);
    if (region == nullptr) co_return Error(Errc::not_found, "it was destroyed");
    const std::size_t count = std::min(kAtOnce, dirty.size() - begin);
    copy->capture(*region, std::span(dirty).subspan(begin, count));
    // Most releases go as one.
    if (begin % (kAtOnce * 4) == kAtOnce * 3) start_sending(set, copy);
  }
  co_await name_quiet(set, copy);
  Region* const region = living(set);
  if (region != nullptr && !has_room()) copy->share_some(*region, kAtOnce);
  const std::uint64_t send = copy->sends_begun + (copy->has_outgoing() ? 1 : 0);
  start_sending(set, copy);
  auto waiting = sent(copy, send, deadline);
  co_return co_await std::move(waiting);
}

Co<Status> Releases::sent(Copy copy, std::uint64_t send, Deadline deadline) {
  while (copy->sends_done < send) {
    if (copy->ended) co_return Error(Errc::not_found, "the region was destroyed");
    KRG_CO_TRY(co_await copy->changed().wait(deadline));
  }
  co_return copy->failed_at == send ? copy->failed : Status();
}

Co<void> Releases::release_later(kddm::SetId set) {
  if (living(set) == nullptr) co_return;
  static_cast<void>(co_await release(set, pager_.reactor().after(kLeft)));
}

void Releases::start_sending(kddm::SetId set, const Copy& copy) {
  if (copy->sending || !copy->has_outgoing()) return;
  copy->sending = true;
  pager_.reactor().spawn(send_all(set, copy));
}

Co<void> Releases::send_all(kddm::SetId set, Copy copy) {
  const reactor::Soon soon(pager_.reactor());
  while (copy->has_outgoing() && !copy->ended) {
    Outgoing outgoing = copy->take_outgoing();
    ++copy->sends_begun;
    const Epoch epoch = pager_.kddm().epoch();
    if (has(Mutant::early_notice)) co_await post(set, *copy, outgoing);
    const Status how = co_await send(set, *copy, outgoing);
    copy->arrived_home(outgoing);
    if (has(Mutant::unawaited_release)) {
      ++copy->sends_done;
      copy->tell();
    }
    // Before it is known which pages these were, nobody looks for what was written.
    if (!copy->ended && !has(Mutant::early_notice)) co_await post(set, *copy, outgoing);
    if (!has(Mutant::unawaited_release)) ++copy->sends_done;
    if (!how) {
      copy->failed = how;
      copy->failed_at = copy->sends_done;
    }
    copy->tell();
    if (outgoing.named.empty()) continue;
    pager_.reactor().spawn(make_alone(set, copy, std::move(outgoing.named), epoch));
  }
  copy->sending = false;
}

// --- Sending ------------------------------------------------------------------------------------

Co<std::vector<Releases::Parcel>> Releases::pack(kddm::SetId set,
                                                 std::vector<Outgoing::Part> parts) {
  std::map<NodeId, Parcel> by_home;
  std::size_t done = 0;
  for (const Outgoing::Part& part : parts) {
    const kddm::ObjectId object{part.page.value};
    const Deadline deadline = pager_.reactor().after(kAttempt);
    const auto home = co_await pager_.kddm().home_of(set, object, deadline);
    Parcel& parcel = by_home[home ? *home : kNoNode];
    parcel.home = home ? *home : kNoNode;
    parcel.parts.push_back(part);
    if (!home) parcel.how = home.error();
    if (++done % kAtOnce == 0) co_await reactor::next_turn(pager_.reactor());
  }
  std::vector<Parcel> parcels;
  for (auto& [home, parcel] : by_home) parcels.push_back(std::move(parcel));
  co_return parcels;
}

Co<Status> Releases::send(kddm::SetId set, RegionCopy& copy, const Outgoing& outgoing) {
  Status all;
  bool told = false;
  std::vector<Outgoing::Part> left = outgoing.parts;
  while (!left.empty() && !copy.ended) {
    auto packing = pack(set, std::exchange(left, {}));
    std::vector<Parcel> parcels = co_await std::move(packing);
    reactor::WaitGroup sending(pager_.reactor());
    for (Parcel& parcel : parcels) {
      if (parcel.home == kNoNode) continue;
      sending.add();
      pager_.reactor().spawn(send_parcel(set, outgoing, parcel, sending));
    }
    // Each call has a deadline of its own.
    static_cast<void>(co_await sending.wait(Deadline::never()));
    for (const Parcel& parcel : parcels) {
      if (!parcel.lost.empty()) {
        all = Error(Errc::lost, "pages that were written died with their node");
        lose(set, copy, parcel.lost);
      }
      left.insert(left.end(), parcel.parts.begin(), parcel.parts.end());
      if (parcel.how || std::exchange(told, true)) continue;
      KRG_WARN("set {}: what was written does not get home: {}; trying again", set.value,
               parcel.how.error().message());
    }
    if (!left.empty()) co_await reactor::sleep_for(pager_.reactor(), kAgain);
  }
  co_return all;
}

Co<void> Releases::send_parcel(kddm::SetId set, const Outgoing& outgoing, Parcel& parcel,
                               reactor::WaitGroup& all) {
  while (!parcel.parts.empty()) {
    std::size_t count = 0, size = 0;
    for (; count < parcel.parts.size(); ++count) {
      const std::size_t more = parcel.parts[count].size;
      if (count > 0 && size + more > ApplyDiffs::kBytes) break;
      size += more;
    }
    rpc::Buffer data = peers_.rpc->buffers().take(size);
    if (data.capacity() < size) {
      parcel.how = Error(Errc::no_memory);
      break;
    }
    data.resize(size);
    std::size_t at = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const Outgoing::Part& part = parcel.parts[i];
      std::memcpy(data.bytes().data() + at, outgoing.bytes.data() + part.begin, part.size);
      at += part.size;
    }
    const ApplyDiffs::Request request{set};
    const rpc::CallOptions options{.deadline = pager_.reactor().after(kAttempt)};
    rpc::Bulk bulk(std::move(data));
    const auto reply =
        co_await peers_.rpc->call_data<ApplyDiffs>(parcel.home, request, options, std::move(bulk));
    if (!reply) {
      parcel.how = reply.error();
      break;
    }
    const std::vector<Page>& lost = reply->reply.lost;
    parcel.lost.insert(parcel.lost.end(), lost.begin(), lost.end());
    parcel.parts.erase(parcel.parts.begin(), parcel.parts.begin() + static_cast<long>(count));
  }
  all.done();
}

Co<void> Releases::post(kddm::SetId set, RegionCopy& copy, const Outgoing& outgoing) {
  if (has(Mutant::unsent_notice) && outgoing.parts.size() == 1) co_return;
  const PostNotices::Request request{set, pager_.self(), runs_of(outgoing)};
  bool told = false;
  while (!copy.ended) {
    const Deadline deadline = pager_.reactor().after(kAttempt);
    auto asking = homes_.ask_keeper<PostNotices>(set, request, deadline);
    const auto reply = co_await std::move(asking);
    if (reply) co_return;
    if (!std::exchange(told, true)) {
      KRG_WARN("set {}: what was written does not get known: {}; trying again", set.value,
               reply.error().message());
    }
    co_await reactor::sleep_for(pager_.reactor(), kAgain);
  }
}

// Who touches them from now on gets SIGBUS, here as elsewhere.
void Releases::lose(kddm::SetId set, RegionCopy& copy, const std::vector<Page>& pages) {
  Region* const region = living(set);
  if (region == nullptr) return;
  for (const Page page : pages) {
    KRG_ERROR("region {} page {} on node {}: what was written is lost with the page's home",
              region->info().name, page.value, pager_.self().value);
    copy.drop(*region, {page, 1});
  }
}

}  // namespace krg::mm
