#include "channel_node.h"

#include <algorithm>
#include <cstring>

#include "krg/reactor/event.h"

namespace krg::cluster_test {
namespace {

constexpr std::uint64_t kNever = ~std::uint64_t{0};  // The number of what nobody is to be given.

// At the front of each head.
struct Mark {
  std::uint64_t number;
  std::uint64_t salt;
  std::uint32_t head_size;
  std::uint32_t data_size;
};

void fill(std::span<std::byte> bytes, std::uint64_t salt) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    bytes[i] = static_cast<std::byte>((salt >> (i % 7)) + i);
  }
}

bool is_filled(std::span<const std::byte> bytes, std::uint64_t salt) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (bytes[i] != static_cast<std::byte>((salt >> (i % 7)) + i)) return false;
  }
  return true;
}

std::string name(const ChannelLife& life) {
  return std::to_string(life.node.value) + "." + std::to_string(life.incarnation.value);
}

}  // namespace

ChannelNode::ChannelNode(sim::World& world, ChannelLedger& ledger, ChannelLife life,
                         const kddm::ChannelOptions& options)
    : world_(world),
      ledger_(ledger),
      life_(life),
      end_(world, {.self = {life.node, life.incarnation}}),
      channels_(end_.rpc(), *this, options) {
  end_.reactor().spawn(talk());
  end_.reactor().spawn(follow_views());
}

void ChannelNode::enter(const cluster::View& view) {
  if (view.epoch <= channels_.epoch()) return;
  view_ = &view;
  const bool outer = std::exchange(inside_, true);
  channels_.set_view(view);
  inside_ = outer;
}

void ChannelNode::enter_newest(bool maybe_skip) {
  if (ledger_.views.empty() || ledger_.views_wait) return;
  const std::size_t next = channels_.epoch().value;  // Views stand by epoch, from 1.
  if (next >= ledger_.views.size()) return;
  const bool skip = maybe_skip && world_.random().chance(500);
  enter(skip ? ledger_.views.back() : ledger_.views[next]);
}

Co<void> ChannelNode::follow_views() {
  while (true) {
    const auto pause = std::chrono::microseconds(world_.random().below(12'000));
    co_await reactor::sleep_for(end_.reactor(), pause);
    enter_newest(true);
  }
}

Co<void> ChannelNode::talk() {
  while (true) {
    const bool busy = world_.random().chance(900);
    const auto pause = std::chrono::microseconds(world_.random().below(busy ? 1000 : 10'000));
    co_await reactor::sleep_for(end_.reactor(), pause);
    if (ledger_.quiet) continue;
    const NodeId to{static_cast<std::uint32_t>(world_.random().below(world_.size()))};
    const std::uint64_t burst = world_.random().chance(50) ? 80 : 4;
    const bool pages = world_.random().chance(100);  // Many of a turn go in bundles.
    for (std::uint64_t left = world_.random().below(burst) + 1; left > 0; --left) {
      send_one(to, pages && world_.random().chance(800));
    }
  }
}

kddm::Data ChannelNode::make_data(std::size_t size, std::uint64_t salt,
                                  std::vector<std::byte>& room) {
  if (size == 0) return {};
  if (world_.random().chance(400)) {
    room.resize(size);
    fill(room, salt);
    return kddm::Data::copied(room);
  }
  ChannelLedger& ledger = ledger_;
  ++ledger.owners;
  const std::shared_ptr<std::vector<std::byte>> bytes(new std::vector<std::byte>(size),
                                                      [&ledger](std::vector<std::byte>* v) {
                                                        --ledger.owners;
                                                        delete v;
                                                      });
  fill(*bytes, salt);
  return kddm::Data::shared(bytes, *bytes);
}

void ChannelNode::send_one(NodeId to, bool page) {
  sim::Random& random = world_.random();
  Mark mark{kNever, random.next(), 0, 0};
  const cluster::Member* me = view_ == nullptr ? nullptr : view_->find(life_.node);
  const cluster::Member* you = view_ == nullptr ? nullptr : view_->find(to);
  if (me != nullptr && me->incarnation == life_.incarnation && you != nullptr) {
    mark.number = ++ledger_.ways[{life_, {to, you->incarnation}, view_->epoch}].sent;
  }
  mark.head_size = static_cast<std::uint32_t>(
      sizeof mark + random.below(random.chance(30) ? kddm::Channels::kHeadMax - sizeof mark : 64));
  const std::uint64_t kind = random.below(100);
  mark.data_size = static_cast<std::uint32_t>(kind < 50   ? 0
                                              : kind < 80 ? random.below(300)
                                              : kind < 95 ? random.below(9000)
                                                          : random.below(100'000));
  if (page) mark.data_size = static_cast<std::uint32_t>(random.between(1000, 9000));
  std::vector<std::byte> head(mark.head_size), room;
  std::memcpy(head.data(), &mark, sizeof mark);
  fill(std::span(head).subspan(sizeof mark), mark.salt);
  kddm::Data data = make_data(mark.data_size, mark.salt, room);
  const bool outer = std::exchange(inside_, true);
  channels_.send(to, head, std::move(data));
  inside_ = outer;
  if (!room.empty()) std::fill(room.begin(), room.end(), std::byte{0});
}

void ChannelNode::on_message(NodeId from, Epoch epoch, wire::Bytes head, kddm::Arrived data) {
  if (std::exchange(inside_, true)) ledger_.complain("on_message() within another call");
  const std::string where = " at " + name(life_) + " from node " + std::to_string(from.value);
  Mark mark{};
  if (head.size() < sizeof mark) return ledger_.complain("a damaged head" + where);
  std::memcpy(&mark, head.data(), sizeof mark);
  if (mark.head_size != head.size() || !is_filled(head.subspan(sizeof mark), mark.salt) ||
      mark.data_size != data.size() || !is_filled(data.bytes(), mark.salt)) {
    ledger_.complain("a damaged message" + where);
  }
  const cluster::Member* const member = view_ == nullptr ? nullptr : view_->find(from);
  if (member == nullptr || epoch != view_->epoch) {
    ledger_.complain("a message of another view" + where);
  } else {
    auto& way = ledger_.ways[{{from, member->incarnation}, life_, epoch}];
    if (mark.number != way.delivered + 1 || mark.number > way.sent) {
      ledger_.complain("message " + std::to_string(mark.number) + " after " +
                       std::to_string(way.delivered) + " of " + std::to_string(way.sent) + where);
    }
    ++way.delivered;
  }
  if (world_.random().chance(200) && !data.empty()) kept_.push_back(data.take(rpc().buffers()));
  if (kept_.size() > 8) kept_.erase(kept_.begin());
  if (!ledger_.quiet && world_.random().chance(300)) send_one(from);
  if (world_.random().chance(5)) enter_newest(true);
  inside_ = false;
}

std::string ChannelNode::left_over() {
  const std::string where = " at " + name(life_);
  if (channels_.unacknowledged() != 0) {
    return std::to_string(channels_.unacknowledged()) + " messages are not acknowledged" + where;
  }
  if (rpc().pending_calls() != 0) {
    return std::to_string(rpc().pending_calls()) + " calls are pending" + where;
  }
  if (rpc().buffers().in_use() != 0) {
    return std::to_string(rpc().buffers().in_use()) + " buffers are in use" + where;
  }
  if (channels_.stats().malformed != 0) return "messages were called malformed" + where;
  return {};
}

}  // namespace krg::cluster_test
