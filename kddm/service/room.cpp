#include "room.h"

#include <algorithm>

#include "backing.h"
#include "service.h"

namespace krg::kddm {
namespace {

constexpr std::size_t kBatch = 32;
// A flush that takes longer waits for somebody; others may be quicker.
constexpr Duration kFlushPatience = std::chrono::milliseconds(500);
constexpr Duration kAskPatience = std::chrono::milliseconds(100);
// After a round that freed nothing, unless somebody asks for room.
constexpr Duration kRest = std::chrono::milliseconds(20);
// Batches one after the other of which nothing can be had: it is needed, or others want it.
constexpr unsigned kVainMax = 8;
// Nodes that are asked for room in one round.
constexpr std::size_t kAskMax = 16;

bool is_idle(const HolderEntry& entry) noexcept {
  return entry.readers == 0 && !entry.writer && entry.holder.asks == Asks::nothing &&
         !entry.holder.contended && !entry.waiting;
}

}  // namespace

bool is_needed(const Home& home, NodeId node, unsigned copies_wanted) noexcept {
  if (home.state != HomeState::idle || !home.copies.contains(node)) return false;
  return home.exclusive || home.copies.size() - 1 < copies_wanted;
}

Room::Room(Service& service, std::uint64_t limit) noexcept
    : service_(service), limit_(limit), ended_(service.reactor()) {
  ended_.set();
}

std::uint64_t Room::limit() const noexcept {
  if (limit_ != 0 || service_.store() == nullptr) return limit_;
  return service_.store()->bytes_budget();
}

std::uint64_t Room::used() const noexcept { return service_.used_bytes() + promised_; }

bool Room::fits(std::uint64_t bytes, For what) const noexcept {
  return limit() == 0 || used() + bytes <= (what == For::copy ? limit() : high());
}

std::uint64_t Room::spare_bytes(std::uint64_t asker) const noexcept {
  if (limit() == 0) return ~std::uint64_t{0};
  const std::uint64_t below = high() > used() ? high() - used() : 0;
  // All may be above their high marks. One that can take nothing any more can not even read.
  const std::uint64_t most = limit() > used() ? limit() - used() : 0;
  const std::uint64_t even = asker > used() ? std::min((asker - used()) / 2, most) : 0;
  return std::max(below, even);
}

std::uint64_t Room::surplus() const noexcept {
  const std::uint64_t all = used() + asked_;
  return limit() == 0 || all <= low() ? 0 : all - low();
}

void Room::look() noexcept {
  if (limit() == 0 || used() <= high() || service_.reactor().now() < rest_until_) return;
  begin_round();
}

Co<Status> Room::make(std::uint64_t bytes, For what, Deadline deadline) {
  while (!fits(bytes, what)) {
    const Promise asked(asked_, bytes);
    const Status some = co_await make_some(deadline);
    if (!some && !fits(bytes, what)) co_return some;
  }
  co_return Status();
}

Co<Status> Room::make_some(Deadline deadline) {
  begin_round();
  KRG_CO_TRY(co_await ended_.wait(deadline));
  if (freed_ == 0) co_return Error(Errc::no_space, "this node is full of shared objects");
  co_return Status();
}

void Room::begin_round() noexcept {
  if (!ended_.is_set()) return;
  ended_.clear();
  freed_ = 0;
  service_.reactor().spawn(round());
}

Co<void> Room::round() {
  co_await give_up_copies();
  if (surplus() > 0) co_await page_out();
  if (surplus() > 0) co_await move_away();
  if (freed_ == 0) rest_until_ = service_.reactor().now() + kRest;
  ended_.set();
}

Co<void> Room::give_up_copies() {
  for (unsigned vain = 0; vain < kVainMax && surplus() > 0;) {
    Victims victims = pick(Copy::read, surplus());
    if (victims.empty()) co_return;
    const std::uint64_t freed = co_await flush(std::move(victims), kTry | kNoTouch, kNoNode);
    vain = freed == 0 ? vain + 1 : 0;
    freed_ += freed;
  }
}

Co<void> Room::page_out() {
  for (unsigned vain = 0; vain < kVainMax && surplus() > 0;) {
    Victims victims = pick(Copy::write, surplus(), true);
    if (victims.empty()) victims = pick(Copy::read, surplus(), true);
    if (victims.empty()) co_return;
    std::uint64_t freed = 0;
    reactor::WaitGroup group(service_.reactor());
    group.add(static_cast<unsigned>(victims.size()));
    for (const Victim& victim : victims) {
      service_.reactor().spawn(page_out_one(victim, group, freed));
    }
    // As in flush().
    static_cast<void>(co_await group.wait(Deadline::never()));
    vain = freed == 0 ? vain + 1 : 0;
    freed_ += freed;
  }
}

Co<void> Room::page_out_one(Victim victim, reactor::WaitGroup& group, std::uint64_t& freed) {
  const Deadline deadline = service_.reactor().after(kFlushPatience);
  const Status out = co_await service_.backing().page_out(*victim.set, victim.object, deadline);
  if (out) {
    freed += victim.bytes;
    service_.counters().evicted->add();
  }
  group.done();
}

Co<void> Room::move_away() {
  const std::size_t others = service_.members().size() - 1;
  for (std::size_t asked = 0; asked < std::min(others, kAskMax) && surplus() > 0; ++asked) {
    const NodeId peer = next_peer();
    const AskRoom::Request question{used()};
    const auto room = co_await service_.rpc().call<AskRoom>(
        peer, question, {.deadline = service_.reactor().after(kAskPatience)});
    std::uint64_t left = room ? room->bytes : 0;
    while (left > 0 && surplus() > 0) {
      const std::uint64_t bytes = std::min(left, surplus());
      Victims victims = pick(Copy::write, bytes);
      if (victims.empty()) victims = pick(Copy::read, bytes);
      std::uint64_t sum = 0;
      std::erase_if(victims, [&](const Victim& victim) {
        if (sum + victim.bytes > left) return true;
        sum += victim.bytes;
        return false;
      });
      if (victims.empty()) break;
      left -= sum;
      const std::uint64_t freed = co_await flush(std::move(victims), kTry, peer);
      if (freed == 0) break;
      freed_ += freed;
    }
  }
}

Co<std::uint64_t> Room::flush(Victims victims, std::uint16_t flags, NodeId to) {
  std::uint64_t freed = 0;
  // It might go to a node that leaves.
  if (service_.drain_of_others().any_leaves()) co_return freed;
  reactor::WaitGroup group(service_.reactor());
  group.add(static_cast<unsigned>(victims.size()));
  for (const Victim& victim : victims) {
    service_.reactor().spawn(flush_one(victim, flags, to, group, freed));
  }
  // Each ends by its own deadline.
  static_cast<void>(co_await group.wait(Deadline::never()));
  co_return freed;
}

Co<void> Room::flush_one(Victim victim, std::uint16_t flags, NodeId to, reactor::WaitGroup& group,
                         std::uint64_t& freed) {
  const Drain::Moving moving(service_.drain_of_others());
  const Message message{.kind = Kind::op_flush, .flags = flags, .node = to};
  const Status given = co_await Op(service_, *victim.set, victim.object, message,
                                   service_.reactor().after(kFlushPatience));
  if (given) {
    freed += victim.bytes;
    Counters& counters = service_.counters();
    (to == kNoNode ? counters.evicted : counters.moved)->add();
  }
  group.done();
}

Room::Victims Room::pick(Copy kind, std::uint64_t bytes, bool backed) {
  Victims victims;
  if (service_.store() != nullptr) pick_in_store(kind, bytes, backed, victims);
  pick_on_heap(kind, bytes, backed, victims);
  return victims;
}

void Room::pick_in_store(Copy kind, std::uint64_t bytes, bool backed, Victims& victims) {
  NodeStore& store = *service_.store();
  slots_.clear();
  const Access access = kind == Copy::write ? Access::write : Access::read;
  store.victims(bytes, 0, slots_, access);
  for (const SlotId slot : slots_) {
    if (victims.size() == kBatch) return;
    Set* const set = service_.find_set(store.set_of(slot));
    const Copies::Seen seen = service_.seen_at(set, slot);
    if (seen.holder.copy != kind || (seen.awake != nullptr && !is_idle(*seen.awake))) continue;
    if (backed && !Backing::is_backed(*set)) continue;
    victims.push_back({set, store.object_of(slot), store.bytes(slot).size()});
  }
}

// Each copy gets a second chance if it was used since the clock's hand came by last.
void Room::pick_on_heap(Copy kind, std::uint64_t bytes, bool backed, Victims& victims) {
  std::uint64_t found = 0;
  for (const Victim& victim : victims) found += victim.bytes;
  Set* set = service_.find_set(hand_set_);
  if (set == nullptr) set = service_.next_set(nullptr);
  const std::size_t rounds = 2 * service_.set_count() + 1;
  for (std::size_t i = 0; i < rounds && set != nullptr; ++i) {
    const bool wanted = !backed || Backing::is_backed(*set);
    for (; wanted && hand_place_ < set->holders.places(); ++hand_place_) {
      if (found >= bytes || victims.size() == kBatch) {
        hand_set_ = set->id;
        return;
      }
      HolderEntry& entry = set->holders.place(hand_place_);
      if (entry.holder.copy != kind || entry.slot != kNoSlot || !is_idle(entry)) continue;
      if (std::exchange(entry.used, false)) continue;
      victims.push_back({set, entry.id, Block::footprint(entry.block.size())});
      found += victims.back().bytes;
    }
    hand_place_ = 0;
    set = service_.next_set(set);
  }
  hand_set_ = set == nullptr ? kNoSet : set->id;
}

NodeId Room::next_peer() noexcept {
  const cluster::NodeSet& members = service_.members();
  NodeId first = kNoNode, next = kNoNode;
  for (const NodeId node : members) {
    if (node == service_.self()) continue;
    if (first == kNoNode) first = node;
    if (next == kNoNode && hand_peer_ != kNoNode && node > hand_peer_) next = node;
  }
  return hand_peer_ = next == kNoNode ? first : next;
}

}  // namespace krg::kddm
