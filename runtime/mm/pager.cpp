#include "pager.h"

#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "krg/log/log.h"
#include "krg/reactor/event.h"
#include "releases.h"

namespace krg::mm {
namespace {

// How long one attempt to fetch a page may take, and how often what stands in the way is looked at
// again: a fault has no deadline, and waits as long as the task lives.
constexpr Duration kAttempt = std::chrono::seconds(10);
constexpr Duration kAgain = std::chrono::milliseconds(10);
// So long a full node is nothing to tell of: somebody may be about to make room.
constexpr Duration kFullForAWhile = std::chrono::seconds(1);

Page page_of(kddm::ObjectId object) noexcept { return Page{object.value}; }
kddm::ObjectId object_of(Page page) noexcept { return kddm::ObjectId{page.value}; }

}  // namespace

Pager::~Pager() = default;

// --- Regions ------------------------------------------------------------------------------------

kddm::SetOptions Pager::options_of(const RegionInfo& info) {
  kddm::SetOptions options;
  options.object_bytes = kPageBytes;
  options.object_count = info.capacity / kPageBytes;
  options.copies = info.copies;
  options.linker = kLinkerName;
  switch (info.placement) {
    case Placement::first_touch:
      break;
    case Placement::block:
      options.policy = kddm::HomePolicy::linker;
      break;
    case Placement::cyclic:
      options.policy = kddm::HomePolicy::round_robin;
      options.nodes = info.nodes;
      break;
    case Placement::node:
      options.policy = kddm::HomePolicy::fixed;
      options.home = info.home;
      break;
  }
  const std::vector<std::byte> data = wire::encode(info);
  options.linker_data.assign(reinterpret_cast<const char*>(data.data()), data.size());
  return options;
}

Result<RegionInfo> Pager::info_of(const kddm::SetOptions& options) {
  if (options.linker != kLinkerName) return Error(Errc::invalid_argument, "a set of other objects");
  KRG_TRY_ASSIGN(RegionInfo info,
                 wire::decode<RegionInfo>(std::as_bytes(std::span(options.linker_data))));
  if (options.object_bytes != kPageBytes || options.variable_size || info.bytes == 0 ||
      info.bytes > info.capacity || info.capacity > kRegionBytesMax ||
      options.object_count != info.capacity / kPageBytes || info.bytes % kPageBytes != 0 ||
      info.capacity % kPageBytes != 0 || info.address % kPageBytes != 0) {
    return Error(Errc::invalid_argument, "pages are objects of 4,096 bytes, 2^28 at most");
  }
  if (info.placement > Placement::node || info.consistency > Consistency::local ||
      (info.placement == Placement::block && info.nodes.empty())) {
    return Error(Errc::invalid_argument, "pages at nodes that are not named");
  }
  return info;
}

NodeId Pager::preferred_home(kddm::SetId set, kddm::ObjectId object) const noexcept {
  const auto at = blocks_.find(set);
  if (at == blocks_.end()) return kNoNode;
  const Blocks& blocks = at->second;
  return blocks.nodes.nth(object.value / blocks.pages % blocks.nodes.size());
}

Result<Region*> Pager::region(kddm::SetId set, const kddm::SetOptions& options) {
  if (Region* const known = find(set)) {
    if (known->ended()) return Error(Errc::not_found, "the region was destroyed");
    return known;
  }
  KRG_TRY_ASSIGN(RegionInfo info, info_of(options));
  info.set = set;
  KRG_TRY_ASSIGN(std::unique_ptr<Region> made, Region::make(reactor_, std::move(info)));
  return (regions_[set] = std::move(made)).get();
}

Region* Pager::find(kddm::SetId set) noexcept {
  const auto at = regions_.find(set);
  return at == regions_.end() ? nullptr : at->second.get();
}

Status Pager::accepts(const kddm::SetOptions& options) const {
  const auto info = info_of(options);
  return info ? Status() : Status(info.error());
}

void Pager::begin(kddm::SetId set, const kddm::SetOptions& options) {
  // Where pages are at home does not depend on whether this node has memory for them.
  const auto info = info_of(options);
  if (info && info->placement == Placement::block) {
    const std::uint64_t nodes = info->nodes.size();
    blocks_[set] = {(info->bytes / kPageBytes + nodes - 1) / nodes, info->nodes};
  }
  const auto made = region(set, options);
  if (!made) KRG_WARN("set {}: its pages lie on the heap: {}", set.value, made.error().message());
}

Co<Status> Pager::first_touch(kddm::SetId set, kddm::ObjectId object, Bytes into) {
  Region* const region = find(set);
  const bool placed = region != nullptr && region->is_place(page_of(object), into.data());
  if (placed) co_return region->refill(page_of(object));
  co_return co_await Linker::first_touch(set, object, into);  // On the heap.
}

void Pager::end(kddm::SetId set) noexcept {
  pins_.drop(set);
  if (Region* const region = find(set)) region->end();
  if (releases_ != nullptr) releases_->end(set);
  blocks_.erase(set);
  forget_if_idle(set);
}

void Pager::forget_if_idle(kddm::SetId set) noexcept {
  const auto at = regions_.find(set);
  if (at == regions_.end()) return;
  const Region& region = *at->second;
  if (region.ended() && region.idle() && region.tasks() == 0) regions_.erase(at);
}

// --- What the protocol wants --------------------------------------------------------------------

Region* Pager::residence_of(kddm::SetId set) noexcept {
  Region* const region = find(set);
  const bool is_sequential =
      region != nullptr && region->info().consistency == Consistency::sequential;
  return is_sequential ? region : nullptr;
}

std::span<std::byte> Pager::place(kddm::SetId set, kddm::ObjectId object) noexcept {
  Region* const region = find(set);
  if (region == nullptr) return {};
  if (region->info().consistency == Consistency::sequential) return region->place(page_of(object));
  region->traffic().placed(page_of(object));
  return {};
}

void Pager::let_go(kddm::SetId set) noexcept {
  if (Region* const region = residence_of(set)) region->let_go();
  forget_if_idle(set);
}

void Pager::write(kddm::SetId set, kddm::ObjectId object,
                  std::span<const std::byte> from) noexcept {
  if (Region* const region = residence_of(set)) region->write(page_of(object), from);
}

void Pager::read(kddm::SetId set, kddm::ObjectId object, std::span<std::byte> into) noexcept {
  if (Region* const region = residence_of(set)) region->read(page_of(object), into);
}

bool Pager::is_open(kddm::SetId set, kddm::ObjectId object) const noexcept {
  const auto at = regions_.find(set);
  if (at == regions_.end()) return false;
  const Region& region = *at->second;
  return region.info().consistency == Consistency::sequential &&
         region.pages().access(page_of(object)) != Access::none;
}

void Pager::protect(kddm::SetId set, kddm::ObjectId object) noexcept {
  if (Region* const region = residence_of(set)) region->protect(page_of(object));
}

void Pager::vacate(kddm::SetId set, kddm::ObjectId object) noexcept {
  if (Region* const region = residence_of(set)) region->vacate(page_of(object));
}

bool Pager::may_move(kddm::SetId set, kddm::ObjectId) const noexcept {
  const auto at = regions_.find(set);
  return at == regions_.end() || !at->second->info().stays;
}

void Pager::cool(kddm::SetId set, kddm::ObjectId object) noexcept {
  if (Region* const region = find(set)) region->cool(page_of(object));
}

bool Pager::is_warm(kddm::SetId set, kddm::ObjectId object) const noexcept {
  const auto at = regions_.find(set);
  return at != regions_.end() && at->second->is_warm(page_of(object));
}

// --- What the tasks want ------------------------------------------------------------------------

void Pager::on_fault(Region& region, Page page, const Pages::Waiting& who) {
  if (region.info().consistency != Consistency::sequential) {
    return releases_->on_fault(region, page, who);
  }
  Stream& stream = region.seated(who.seat)->stream();
  const std::uint64_t most = stream.on_fault(page, who.write);
  std::uint64_t mapped = 1;
  switch (region.pages().fault(page, who)) {
    case Pages::Answer::map:
      mapped = region.open(page, who, most);
      break;
    case Pages::Answer::wait:
      break;
    case Pages::Answer::get:
    case Pages::Answer::grab:
      reactor_.spawn(fetch(region.info().set, page, who.write));
  }
  const Stretch ahead = stream.on_mapped(page, mapped, region.pages().count());
  if (ahead.count > 0) reactor_.spawn(bring(region.info().set, ahead, who.write));
}

bool Pager::let_in(Region& region, Page page, bool write) {
  region.traffic().given(page, write);
  if (write && region.info().copies > 1) region.note_unsafe(page);
  return region.grant(page, write ? Access::write : Access::read);
}

Co<void> Pager::bring(kddm::SetId set, Stretch ahead, bool write) {
  const kddm::ObjectId first = object_of(ahead.first);
  // What others use, and what nobody has touched yet, is not worth it before it is asked for.
  const kddm::OpOptions options{
      .deadline = reactor_.after(kAttempt), .try_only = true, .no_touch = !write};
  kddm::Range range = write ? kddm_->grab_range(set, first, ahead.count, options)
                            : kddm_->get_range(set, first, ahead.count, options);
  while (!range.done()) {
    const Page page = page_of(range.object());
    const auto lease = co_await range.next();
    if (!lease) continue;
    Region* const region = find(set);
    if (region == nullptr || region->ended()) co_return;
    // Who has asked for it meanwhile has a fetch of its own, which goes on for who is left.
    static_cast<void>(let_in(*region, page, write));
  }
}

void Pager::on_end(Region& region, Seat seat) noexcept {
  const pid_t pid = region.seated(seat)->task().pid;
  reactor_.spawn(remove_later(region.info().set, seat, pid));
}

Co<void> Pager::remove_later(kddm::SetId set, Seat seat, pid_t pid) {
  Region* const region = find(set);
  if (region == nullptr) co_return;
  const Mapping* const mapping = region->seated(seat);
  if (mapping != nullptr && mapping->task().pid == pid) region->remove(seat);
  releases_->on_detach(*region);
  forget_if_idle(set);
}

bool Pager::is_passing(const Error& why) const noexcept {
  switch (why.code()) {
    case Errc::timed_out:
    case Errc::no_quorum:
    case Errc::no_space:
    case Errc::no_memory:
    case Errc::not_connected:
    case Errc::peer_down:
    case Errc::unreachable:
    case Errc::shutting_down:
    case Errc::stale:
      return true;
    default:
      return false;
  }
}

void Pager::give_up(Region& region, Page page, const Error& why) {
  KRG_ERROR("region {} page {} on node {}: {}; who touches it gets SIGBUS", region.info().name,
            page.value, self_.value, why.message());
  for (const Pages::Waiting& who : region.pages().failed(page)) {
    if (Mapping* const mapping = region.seated(who.seat)) mapping->poison(page);
  }
}

void Pager::give_up_for_want_of_room(Region& region, Page page) {
  constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
  const kddm::MemoryUse use = kddm_->memory_use();
  KRG_ERROR("node {}: {} of {} MiB of its memory budget are used, {}", self_.value, use.used / kMiB,
            use.limit / kMiB,
            region.info().stays ? "and the region's pages are to stay here (--no-remote-memory)"
                                : "and no other node has room");
  give_up(region, page, Error(Errc::no_space, "no room for it in time"));
}

Co<void> Pager::fetch(kddm::SetId set, Page page, bool write) {
  const reactor::Soon soon(reactor_);
  bool told = false;
  TimePoint full_since{};
  for (;;) {
    const kddm::OpOptions within{.deadline = reactor_.after(kAttempt)};
    auto fetching = write ? kddm_->grab(set, object_of(page), within)
                          : kddm_->get(set, object_of(page), within);
    auto lease = co_await std::move(fetching);
    Region* const region = find(set);
    if (region == nullptr || region->ended() || !region->pages().is_wanted(page)) {
      if (region != nullptr) static_cast<void>(region->pages().failed(page));
      co_return;
    }
    if (!lease && is_passing(lease.error())) {
      const bool full = lease.error().code() == Errc::no_space;
      const TimePoint now = reactor_.now();
      if (!full || full_since == TimePoint{}) full_since = full ? now : TimePoint{};
      if (full && now - full_since >= patience_) co_return give_up_for_want_of_room(*region, page);
      const bool worth_telling = !full || now - full_since >= kFullForAWhile;
      if (worth_telling && !std::exchange(told, true)) {
        KRG_WARN("region {} page {} on node {}: {}; trying again", region->info().name, page.value,
                 self_.value, lease.error().message());
      }
      co_await reactor::sleep_for(reactor_, kAgain);
      continue;
    }
    if (!lease) co_return give_up(*region, page, lease.error());
    write = let_in(*region, page, write);
    const std::uint32_t hold = write ? 0 : region->pages().hold_us(page);
    if (hold > 0) holds_.keep(std::move(*lease), std::chrono::microseconds(hold));
    if (write) continue;
    if (!region->is_inside(page)) break;
    co_return;
  }
  // The region was made smaller meanwhile: the page is not to come back when that grows.
  const kddm::OpOptions within{.deadline = reactor_.after(kAttempt)};
  static_cast<void>(co_await kddm_->remove(set, object_of(page), within));
}

}  // namespace krg::mm
