#include "side.h"

#include <algorithm>
#include <cstring>

#include "network.h"

namespace krg::sim {
namespace {

// Large messages up to this size may travel with their header, as real providers send them.
constexpr std::size_t kEagerMax = 8192;

std::size_t total(std::span<const std::span<const std::byte>> parts) {
  std::size_t size = 0;
  for (const auto& part : parts) size += part.size();
  return size;
}

void gather(std::span<const std::span<const std::byte>> parts, std::vector<std::byte>& into) {
  into.clear();
  for (const auto& part : parts) into.insert(into.end(), part.begin(), part.end());
}

}  // namespace

// A large message at its receiver.
class Side::Large final : public fabric::LargeMessage {
 public:
  Large(Side& side, Packet& packet)
      : side_(side),
        from_(packet.from),
        from_side_(packet.from_side),
        size_(packet.size),
        is_eager_(packet.is_eager),
        op_(packet.op) {
    if (is_eager_) data_ = std::move(packet.data);
  }
  std::size_t size() const noexcept override { return size_; }
  void receive(std::span<std::byte> into, fabric::Completion& done) override;
  void discard() override;

 private:
  void leave() {
    side_.held_.remove_if([this](const auto& large) { return large.get() == this; });
  }

  Side& side_;
  const std::uint32_t from_;
  const std::uint64_t from_side_;
  const std::size_t size_;
  const bool is_eager_;
  const OpRef op_;
  std::vector<std::byte> data_;
};

void Side::Large::receive(std::span<std::byte> into, fabric::Completion& done) {
  KRG_ASSERT(into.size() == size_);
  Side& side = side_;
  if (is_eager_) {
    if (size_ > 0) std::memcpy(into.data(), data_.data(), size_);
    leave();
    // Both are allowed; who relies on one of them is found out.
    if (side.network().random().chance(500)) return done.on_complete({});
    return side.tell_soon(side.begin(done), {});
  }
  const OpRef receiver = side.begin(done);
  receiver.op->into = into;
  Packet& fetched = side.packet(Kind::fetched);
  std::swap(fetched.from, fetched.to);
  fetched.to_side = side.id;
  fetched.from_side = from_side_;
  fetched.op = op_;
  fetched.receiver_op = receiver;
  fetched.size = size_;
  leave();
  side.network().send(fetched);
}

void Side::Large::discard() {
  Side& side = side_;
  if (!is_eager_) {
    Packet& told = side.packet(Kind::told);
    told.op = op_;
    side.network().send(told);
  }
  leave();
  side.fabric_.touch();
}

Side::Side(SimFabric& fabric, std::uint64_t id, fabric::Identity peer)
    : id(id), fabric_(fabric), peer_(peer) {
  network().add(*this);
}

Side::~Side() {
  while (!incoming.empty()) network().recycle(incoming.pop_front());
  network().remove(*this);
}

Network& Side::network() noexcept { return fabric_.network(); }

Packet& Side::packet(Kind kind) {
  Packet& packet = network().new_packet();
  packet.kind = kind;
  packet.from = fabric_.node();
  packet.to = peer_.node.value;
  packet.from_side = id;
  packet.to_side = other;
  return packet;
}

OpRef Side::begin(fabric::Completion& done) {
  const OpRef ref = network().new_op(done);
  operations_.push_back(*ref.op);
  return ref;
}

void Side::tell_soon(OpRef op, Status status) {
  Packet& told = packet(Kind::told);
  told.to = told.from;
  told.to_side = id;
  told.op = op;
  told.status = status;
  network().send_now(told);
}

Status Side::writable(std::size_t size, bool is_large) {
  if (state != State::up || !fabric_.alive()) return Error(Errc::peer_down).with_peer(peer_.node);
  if (in_flight_ + size + kMessageCost <= kWindowBytes && (!is_large || larges_ < kWindowLarges)) {
    return {};
  }
  refused_ = true;
  return Errc::would_block;
}

Result<fabric::Sent> Side::send(std::span<std::byte> message, fabric::Completion& done) {
  KRG_ASSERT(message.size() >= fabric::kHeadroom && message.size() <= fabric::kMessageMax);
  KRG_TRY(writable(message.size(), false));
  in_flight_ += message.size() + kMessageCost;
  Packet& packet = this->packet(Kind::message);
  packet.size = message.size() + kMessageCost;
  const auto content = message.subspan(fabric::kHeadroom);
  // The headroom is the fabric's: nobody may keep anything there.
  std::ranges::fill(message.first(fabric::kHeadroom), std::byte{0xfa});
  if (!network().random().chance(network().options().pending_per_mille)) {
    packet.content.assign(content.begin(), content.end());
    network().send_in_order(packet);
    return fabric::Sent::done;
  }
  packet.unread = content;
  packet.op = begin(done);
  network().send_in_order(packet);
  return fabric::Sent::pending;
}

Status Side::send_large(std::span<std::byte> header,
                        std::span<const std::span<const std::byte>> parts,
                        fabric::Completion& done) {
  KRG_ASSERT(header.size() >= fabric::kHeadroom && header.size() <= fabric::kLargeHeaderMax);
  KRG_ASSERT(parts.size() <= 16);
  const std::size_t size = total(parts);
  const bool is_eager = size <= kEagerMax && network().random().chance(500);
  const std::size_t cost = header.size() + (is_eager ? size : 0);
  KRG_TRY(writable(cost, true));
  in_flight_ += cost + kMessageCost;
  ++larges_;
  Packet& packet = this->packet(Kind::large);
  const auto content = header.subspan(fabric::kHeadroom);
  packet.content.assign(content.begin(), content.end());
  packet.size = size;
  packet.operand = cost + kMessageCost;
  packet.is_eager = is_eager;
  const OpRef op = begin(done);
  op.op->is_large = true;
  op.op->part_count = parts.size();
  std::ranges::copy(parts, op.op->parts.begin());
  if (is_eager) {
    gather(parts, packet.data);
    tell_soon(op, {});
  } else {
    packet.op = op;
  }
  network().send_in_order(packet);
  return {};
}

void Side::cancel(fabric::Completion& operation) noexcept {
  for (Op& op : operations_) {
    if (op.done != &operation || !op.is_large || op.cancelled) continue;
    op.cancelled = true;
    return tell_soon({&op, op.generation}, Errc::cancelled);
  }
}

void Side::close() noexcept {
  if (state != State::up || !fabric_.alive()) return;
  state = State::closing;
  network().send_in_order(packet(Kind::fin));
  fabric_.touch();
}

void Side::on_accept(std::uint64_t other_side, Incarnation incarnation) {
  other = other_side;
  peer_.incarnation = incarnation;
  state = State::up;
}

void Side::return_credit(std::size_t size) {
  owed_ += size;
  if (owed_ < kCreditBytes) return;
  Packet& credit = packet(Kind::credit);
  credit.size = std::exchange(owed_, 0);
  network().send(credit);
}

void Side::on_message(const Packet& packet) {
  return_credit(packet.size);
  fabric_.sink().on_message(*this, packet.content);
}

void Side::on_large(Packet& packet) {
  return_credit(packet.operand);
  Large& large = *held_.emplace_back(std::make_unique<Large>(*this, packet));
  fabric_.sink().on_large(*this, packet.content, large);
}

void Side::on_fin() {
  fin_seen_ = true;
  close();
  fabric_.touch();
}

void Side::on_credit(std::size_t size) {
  KRG_ASSERT(size <= in_flight_);
  in_flight_ -= size;
  tell_writable();
}

void Side::on_told(Op& op, Status status) {
  fabric::Completion& done = *op.done;
  if (op.is_large) --larges_;
  network().release(op);
  fabric_.touch();
  done.on_complete(status);
  tell_writable();
}

void Side::tell_writable() {
  if (!refused_ || state != State::up) return;
  if (in_flight_ > kWindowBytes / 2 || larges_ > kWindowLarges / 2) return;
  refused_ = false;
  fabric_.sink().on_writable(*this);
}

bool Side::finished() const noexcept {
  return state == State::closing && fin_seen_ && held_.empty() && operations_.empty();
}

void Side::end_operations(Error why) {
  held_.clear();
  while (!operations_.empty()) {
    Op& op = operations_.front();
    fabric::Completion& done = *op.done;
    network().release(op);
    done.on_complete(why);
  }
}

Result<std::unique_ptr<fabric::RemoteRegion>> Side::attach(std::span<const std::byte> bytes) {
  RegionKey key;
  if (bytes.size() != sizeof key) return Error(Errc::invalid_argument, "not a region's key");
  std::memcpy(&key, bytes.data(), sizeof key);
  if (key.magic != RegionKey::kMagic || key.node != peer_.node.value ||
      key.incarnation != peer_.incarnation.value) {
    return Error(Errc::invalid_argument, "not a region of this peer");
  }
  return std::unique_ptr<fabric::RemoteRegion>(std::make_unique<SimRemoteRegion>(*this, key));
}

}  // namespace krg::sim
