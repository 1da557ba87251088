#include "safe.h"

#include <algorithm>
#include <utility>

namespace krg::mm {
namespace {

constexpr std::size_t kAtOnce = 64;

}  // namespace

void Safe::serve(gate::Server& gate) {
  gate.serve<calls::Sync>([this](gate::Call& call, calls::Sync::Request request) {
    return sync(call, std::move(request));
  });
}

Co<Result<wire::Empty>> Safe::sync(gate::Call& call, calls::Sync::Request request) {
  Region* region = pager_.find(request.set);
  if (region == nullptr || region->ended()) co_return Error(Errc::not_found, "no such region");
  const std::vector<Page> pages = region->take_unsafe();
  Round round(pager_.reactor());
  for (std::size_t at = 0; at < pages.size();) {
    const std::size_t end = std::min(at + kAtOnce, pages.size());
    round.group.add(static_cast<unsigned>(end - at));
    for (; at < end; ++at) {
      pager_.reactor().spawn(sync_one(request.set, pages[at], call.deadline(), round));
    }
    // Each ends by the call's deadline.
    static_cast<void>(co_await round.group.wait(Deadline::never()));
  }
  region = pager_.find(request.set);
  if (region == nullptr || region->ended()) co_return Error(Errc::not_found, "it was destroyed");
  for (const Page page : round.left) region->note_unsafe(page);
  if (!round.how) co_return round.how.error();
  co_return wire::Empty{};
}

Co<void> Safe::sync_one(kddm::SetId set, Page page, Deadline deadline, Round& round) {
  const kddm::OpOptions within{.deadline = deadline};
  const Status how = co_await pager_.kddm().sync(set, kddm::ObjectId{page.value}, within);
  // What another node has removed meanwhile has nothing to keep.
  const bool failed = !how && how.error().code() != Errc::not_found;
  if (failed && round.how) round.how = how;
  // Nobody else is there to have a copy, so nobody will notice the next write.
  Region* const region = pager_.find(set);
  const bool alone = region != nullptr && region->pages().access(page) == Access::write;
  if (failed || alone) round.left.push_back(page);
  round.group.done();
}

}  // namespace krg::mm
