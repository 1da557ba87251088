#include "homes.h"

#include <algorithm>
#include <cstring>
#include <random>
#include <utility>

#include "krg/log/log.h"
#include "krg/mm/diff.h"
#include "krg/reactor/event.h"

namespace krg::mm {
namespace {

// Object i: the notices of the region that is set i.
constexpr kddm::SetId kLogs{20};
// Who asked asks again after that.
constexpr Duration kLimit = std::chrono::seconds(10);
// Pages that are served without a pause.
constexpr std::size_t kAtOnce = 32;

kddm::ObjectId object_of(kddm::SetId set) noexcept { return kddm::ObjectId{set.value}; }

// Two logs of one region have the same one once in 2^64 times.
std::uint64_t new_epoch() {
  std::random_device device;
  const std::uint64_t high = device();
  return std::max<std::uint64_t>(high << 32 | device(), 1);
}

}  // namespace

void Homes::join(rpc::Rpc& rpc) {
  rpc_ = &rpc;
  rpc.serve<FetchPages>([this](rpc::Incoming& in, FetchPages::Request request) {
    return fetch(in, std::move(request));
  });
  rpc.serve<ApplyDiffs>([this](rpc::Incoming& in, ApplyDiffs::Request request) {
    return apply(in, std::move(request));
  });
  rpc.serve<PostNotices>(
      [this](rpc::Incoming&, PostNotices::Request request) { return post(std::move(request)); });
  rpc.serve<ReadNotices>(
      [this](rpc::Incoming&, ReadNotices::Request request) { return read(std::move(request)); });
}

Deadline Homes::soon() const noexcept { return pager_.reactor().after(kLimit); }

Co<Status> Homes::learn(kddm::SetId set) {
  if (pager_.find(set) == nullptr) {
    const auto options = co_await pager_.kddm().options_of(set, soon());
    if (!options) co_return options.error();
    KRG_CO_TRY(pager_.region(set, *options));
  }
  const Region* const region = pager_.find(set);
  if (region == nullptr || region->ended()) co_return Error(Errc::not_found, "no such region");
  if (region->info().consistency == Consistency::release) co_return Status();
  co_return Error(Errc::invalid_argument, "a region of another consistency");
}

// --- Pages --------------------------------------------------------------------------------------

Co<Result<FetchPages::Reply>> Homes::fetch(rpc::Incoming& in, FetchPages::Request request) {
  if (request.pages.size() > FetchPages::kMost) co_return Error(Errc::protocol_error, "pages");
  KRG_CO_TRY(co_await learn(request.set));
  rpc::Buffer data = rpc_->buffers().take(request.pages.size() * kPageBytes);
  if (data.capacity() < request.pages.size() * kPageBytes) co_return Error(Errc::no_memory);
  FetchPages::Reply reply;
  std::size_t size = 0;
  for (std::size_t i = 0; i < request.pages.size(); ++i) {
    const kddm::OpOptions options{.deadline = soon(), .no_touch = true};
    const kddm::ObjectId object{request.pages[i].value};
    if (in.from() != pager_.self()) on_use_(request.set, request.pages[i]);
    const auto lease = co_await pager_.kddm().get(request.set, object, options);
    // Until the lease was there the page may have been captured, and named.
    if (in.from() != pager_.self()) on_use_(request.set, request.pages[i]);
    const Errc code = lease ? Errc::ok : lease.error().code();
    if (code == Errc::not_found) reply.untouched |= std::uint64_t{1} << i;
    if (code == Errc::lost) reply.lost |= std::uint64_t{1} << i;
    if (!lease && code != Errc::not_found && code != Errc::lost) co_return lease.error();
    if (lease && lease->bytes().size() != kPageBytes) co_return Error(Errc::corrupt, "a page");
    if (lease) {
      std::memcpy(data.bytes().data() + size, lease->bytes().data(), kPageBytes);
      size += kPageBytes;
    }
    if (i % kAtOnce == kAtOnce - 1) co_await reactor::next_turn(pager_.reactor());
  }
  data.resize(size);
  if (size > 0) in.attach(std::move(data));
  co_return reply;
}

Co<Result<ApplyDiffs::Reply>> Homes::apply(rpc::Incoming& in, ApplyDiffs::Request request) {
  const rpc::Buffer data = std::move(in.attachment());
  Diffs diffs(data.bytes());
  if (!diffs.is_right()) co_return Error(Errc::protocol_error, "diffs");
  KRG_CO_TRY(co_await learn(request.set));
  ApplyDiffs::Reply reply;
  Diffs::One one;
  for (std::size_t done = 1; diffs.next(one); ++done) {
    const Region* const region = pager_.find(request.set);
    // What is behind the region's end is zeros, should it grow again.
    if (region == nullptr || !region->is_inside(one.page)) continue;
    const kddm::OpOptions options{.deadline = soon()};
    const kddm::ObjectId object{one.page.value};
    if (in.from() != pager_.self()) on_use_(request.set, one.page);
    auto lease = co_await pager_.kddm().grab(request.set, object, options);
    if (in.from() != pager_.self()) on_use_(request.set, one.page);
    if (!lease && lease.error().code() != Errc::lost) co_return lease.error();
    // What a node had sent before it died must not come after what others write since.
    if (!pager_.kddm().members().contains(in.from())) co_return Error(Errc::peer_down);
    if (!lease) {
      reply.lost.push_back(one.page);
      continue;
    }
    const std::span<std::byte> bytes = lease->writable();
    if (bytes.size() != kPageBytes) co_return Error(Errc::corrupt, "a page");
    Diffs::apply(one, bytes.first<kPageBytes>());
    if (done % kAtOnce == 0) co_await reactor::next_turn(pager_.reactor());
  }
  co_return reply;
}

// --- Notices ------------------------------------------------------------------------------------

Co<Status> Homes::make_log(Deadline deadline) {
  kddm::SetOptions options;
  options.object_bytes = Notices::kBytes;
  const auto made = co_await pager_.kddm().create(options, deadline, kLogs);
  if (!made && made.error().code() != Errc::already_exists) co_return made.error();
  co_return Status();
}

Co<void> Homes::forget(kddm::SetId set, Deadline deadline) {
  const kddm::OpOptions within{.deadline = deadline};
  static_cast<void>(co_await pager_.kddm().remove(kLogs, object_of(set), within));
}

Co<Result<NodeId>> Homes::of_notices(kddm::SetId set, Deadline deadline) {
  co_return co_await pager_.kddm().home_of(kLogs, object_of(set), deadline);
}

Co<Result<kddm::Lease>> Homes::log_of(kddm::SetId set, bool write) {
  kddm::Kddm& kddm = pager_.kddm();
  const kddm::ObjectId object = object_of(set);
  for (;;) {
    const kddm::OpOptions options{.deadline = soon(), .no_touch = !write};
    auto taking = write ? kddm.grab(kLogs, object, options) : kddm.get(kLogs, object, options);
    auto lease = co_await std::move(taking);
    const Errc code = lease ? Errc::ok : lease.error().code();
    if (lease && Notices(lease->bytes()).epoch() != 0) co_return lease;
    if (lease && write) {
      NoticesWriter(lease->writable()).begin(new_epoch());
      co_return lease;
    }
    if (code == Errc::lost) {
      KRG_WARN("the notices of set {} died with their node: all copies of its pages go", set.value);
      const kddm::OpOptions within{.deadline = soon()};
      const Status removed = co_await kddm.remove(kLogs, object, within);
      if (!removed && removed.error().code() != Errc::not_found) co_return removed.error();
    } else if (code != Errc::ok && (write || code != Errc::not_found)) {
      co_return lease.error();
    }
    // Also who only reads begins a log that is not there: what was before it, nobody knows.
    write = true;
  }
}

Co<Result<wire::Empty>> Homes::post(PostNotices::Request request) {
  for (const Stretch& run : request.runs) {
    const std::uint64_t most = kRegionBytesMax / kPageBytes;
    if (run.count > most || run.first.value > most) co_return Error(Errc::protocol_error, "runs");
  }
  KRG_CO_TRY_ASSIGN(kddm::Lease lease, co_await log_of(request.set, true));
  NoticesWriter(lease.writable()).append(request.node, request.runs);
  co_return wire::Empty{};
}

Co<Result<ReadNotices::Reply>> Homes::read(ReadNotices::Request request) {
  KRG_CO_TRY_ASSIGN(const kddm::Lease lease, co_await log_of(request.set, false));
  News news = Notices(lease.bytes()).since(request.node, request.heard);
  co_return ReadNotices::Reply{news.now, news.all, std::move(news.runs)};
}

}  // namespace krg::mm
