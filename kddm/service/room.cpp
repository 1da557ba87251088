#include "room.h"

#include <algorithm>

#include "backing.h"
#include "service.h"

namespace krg::kddm {
namespace {

constexpr std::size_t kBatch = 64;
// Of a round, before it looks at everything.
constexpr std::uint64_t kLooks = 8 * Clock::kStep;
// A flush that takes longer waits for somebody; others may be quicker.
constexpr Duration kFlushPatience = std::chrono::milliseconds(500);
constexpr Duration kAskPatience = std::chrono::milliseconds(100);
// After a round that freed nothing, unless somebody asks for room.
constexpr Duration kRest = std::chrono::milliseconds(20);
// Batches one after the other of which nothing can be had: it is needed, or others want it.
constexpr unsigned kVainMax = 8;
// Nodes that are asked for room in one round.
constexpr std::size_t kAskMax = 16;

}  // namespace

bool is_needed(const Home& home, NodeId node, unsigned copies_wanted) noexcept {
  if (home.state != HomeState::idle || !home.copies.contains(node)) return false;
  return home.exclusive || home.copies.size() - 1 < copies_wanted;
}

Room::Room(Service& service, std::uint64_t limit) noexcept
    : service_(service), limit_(limit), ended_(service.reactor()), clock_(service) {
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
  const TimePoint begin = service_.reactor().now();
  co_await deal_with(kLooks);
  // What is not found so may still be there.
  if (freed_ == 0 && surplus() > 0 && begin >= thorough_from_) {
    co_await deal_with(clock_.looks_for_all());
    const TimePoint end = service_.reactor().now();
    if (freed_ == 0) thorough_from_ = end + 4 * (end - begin);
  }
  if (freed_ == 0) rest_until_ = service_.reactor().now() + kRest;
  ended_.set();
}

Co<void> Room::deal_with(std::uint64_t looks) {
  co_await give_up_copies(looks);
  if (surplus() > 0) co_await page_out(looks);
  if (surplus() > 0) co_await move_away(looks);
}

Co<void> Room::give_up_copies(std::uint64_t looks) {
  for (unsigned vain = 0; vain < kVainMax && surplus() > 0;) {
    Victims victims = co_await find({.kind = Copy::read, .bytes = surplus()}, looks);
    if (victims.empty()) co_return;
    const std::uint64_t freed = co_await flush(std::move(victims), kTry | kNoTouch, kNoNode);
    vain = freed == 0 ? vain + 1 : 0;
    freed_ += freed;
  }
}

Co<void> Room::page_out(std::uint64_t looks) {
  for (unsigned vain = 0; service_.has_backed() && vain < kVainMax && surplus() > 0;) {
    Prey prey{.kind = Copy::write, .bytes = surplus(), .backed = true};
    Victims victims = co_await find(prey, looks);
    prey.kind = Copy::read;
    if (victims.empty()) victims = co_await find(prey, looks);
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

Co<void> Room::move_away(std::uint64_t looks) {
  const std::size_t others = service_.members().size() - 1;
  for (std::size_t asked = 0; asked < std::min(others, kAskMax) && surplus() > 0; ++asked) {
    const NodeId peer = next_peer();
    const AskRoom::Request question{used()};
    const auto room = co_await service_.rpc().call<AskRoom>(
        peer, question, {.deadline = service_.reactor().after(kAskPatience)});
    std::uint64_t left = room ? room->bytes : 0;
    while (left > 0 && surplus() > 0) {
      Prey prey{.kind = Copy::write, .bytes = std::min(left, surplus()), .moves = true};
      Victims victims = co_await find(prey, looks);
      prey.kind = Copy::read;
      if (victims.empty()) victims = co_await find(prey, looks);
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

Co<Victims> Room::find(Prey prey, std::uint64_t looks) {
  Victims victims;
  if (service_.store() != nullptr) pick_in_store(prey, victims);
  clock_.pick(prey, kBatch, victims);
  for (std::uint64_t looked = Clock::kStep; victims.empty() && looked < looks;) {
    co_await reactor::sleep_for(service_.reactor(), Duration::zero());
    clock_.pick(prey, kBatch, victims);
    looked += Clock::kStep;
  }
  co_return victims;
}

void Room::pick_in_store(const Prey& prey, Victims& victims) {
  NodeStore& store = *service_.store();
  slots_.clear();
  const Access access = prey.kind == Copy::write ? Access::write : Access::read;
  store.victims(prey.bytes, 0, slots_, access);
  for (const SlotId slot : slots_) {
    if (victims.size() == kBatch) return;
    Set* const set = service_.find_set(store.set_of(slot));
    const Copies::Seen seen = service_.seen_at(set, slot);
    if (seen.holder.copy != prey.kind || (seen.awake != nullptr && !is_idle(*seen.awake))) continue;
    if (prey.backed && !Backing::is_backed(*set)) continue;
    victims.push_back({set, store.object_of(slot), store.bytes(slot).size()});
  }
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
