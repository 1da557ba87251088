// A world as bytes: to be hashed, kept and compared. Equal worlds have equal bytes.
#include <algorithm>

#include "world.h"

namespace krg::kddm::check {
namespace {

class Writer {
 public:
  explicit Writer(std::vector<std::uint8_t>& out) : out_(out) {}
  template <class T>
  void operator()(const T& value) {
    if constexpr (requires { value.value; }) {
      (*this)(value.value);
    } else {
      out_.push_back(static_cast<std::uint8_t>(value));
    }
  }

 private:
  std::vector<std::uint8_t>& out_;
};

class Reader {
 public:
  explicit Reader(const std::uint8_t* in) : in_(in) {}
  template <class T>
  void operator()(T& value) {
    if constexpr (requires { value.value; }) {
      (*this)(value.value);
      if (value.value == 0xff) value = T{kNoNode.value};
    } else {
      value = static_cast<T>(*in_++);
    }
  }
  // Signed, or wider than a byte.
  std::uint8_t byte() { return *in_++; }

 private:
  const std::uint8_t* in_;
};

void bytes(Writer& io, const CopySet& set) {
  unsigned bits = 0;
  set.for_each([&](NodeId node) { bits |= 1u << node.value; });
  io(bits);
}
void bytes(Reader& io, CopySet& set) {
  set.clear();
  const unsigned bits = io.byte();
  for (unsigned n = 0; n < 8; ++n) {
    if ((bits >> n & 1) != 0) set.insert(NodeId{n});
  }
}

void wide(Writer& io, const std::uint16_t& value) {
  io(value & 0xff);
  io(value >> 8);
}
void wide(Reader& io, std::uint16_t& value) {
  const unsigned low = io.byte();
  value = static_cast<std::uint16_t>(low | io.byte() << 8);
}

template <class Io>
void fields(Io& io, auto& m) requires requires {
  m.status;
}
{
  io(m.kind), io(m.copy), io(m.status), wide(io, m.flags), io(m.from), io(m.node);
  io(m.epoch), io(m.count), io(m.op), io(m.version);
}

template <class Io>
void fields(Io& io, auto& h) requires requires {
  h.readers;
}
{
  io(h.version), io(h.op), io(h.readers), io(h.via), io(h.copy), io(h.asks);
  io(h.writer), io(h.granted), io(h.contended);
}
void acks(Writer& io, const Holder& h) { io(h.acks + 100); }
void acks(Reader& io, Holder& h) { h.acks = io.byte() - 100; }

template <class Io>
void fields(Io& io, auto& h) requires requires {
  h.spares;
}
{
  io(h.state), io(h.phase), io(h.exclusive), io(h.barred), io(h.noted), io(h.known), io(h.asleep);
  io(h.told);
  io(h.pending), io(h.missing), io(h.owner), io(h.source), io(h.version);
  io(h.request.node), io(h.request.dest), wide(io, h.request.flags), io(h.request.kind);
  bytes(io, h.copies), bytes(io, h.spares);
}

template <class Io>
void fields(Io& io, auto& t) requires requires {
  t.mark;
}
{ io(t.state), io(t.op), io(t.object), io(t.left), io(t.mark), io(t.removed); }

template <class Io>
void fields(Io& io, auto& g) requires requires {
  g.floor;
}
{ io(g.low), io(g.high), io(g.next), io(g.floor), io(g.lost), io(g.absent_too), io(g.founded); }

}  // namespace

void World::save(std::vector<std::uint8_t>& out) const {
  Writer io(out);
  io(epoch_), io(kills_), io(joins_), io(issued_);
  for (unsigned n = 0; n < config_.nodes; ++n) {
    const Node& node = nodes_[n];
    io(node.alive), io(node.epoch), io(node.died), io(node.born);
    for (unsigned o = 0; o < config_.objects; ++o) {
      io(node.parts[o].holder.asks), io(node.asked[o]);
    }
    if (!node.alive) continue;  // What the dead have asked for may still be done.
    for (unsigned t = 0; t < config_.tasks; ++t) fields(io, node.tasks[t]);
    for (unsigned o = 0; o < config_.objects; ++o) {
      const Part& part = node.parts[o];
      io(node.values[o]), io(node.filling[o]);
      fields(io, part.holder), acks(io, part.holder), fields(io, part.home);
      io(part.waiting ? part.waiting->size() : 0);
      if (!part.waiting) continue;
      for (const Message& message : *part.waiting) fields(io, message);
    }
  }
  for (const auto& queue : channels_) {
    io(queue.size());
    for (const Parcel& parcel : queue) fields(io, parcel.message), io(parcel.value);
  }
  for (unsigned o = 0; o < config_.objects; ++o) {
    const Ghost& ghost = ghosts_[o];
    fields(io, ghost);
    for (unsigned shift = 0; shift < 32; shift += 8) io(ghost.absent >> shift & 0xff);
    for (unsigned value = 0; value < ghost.next; ++value) io(ghost.writer[value]);
  }
}

void World::load(const std::uint8_t* in) {
  Reader io(in);
  io(epoch_), io(kills_), io(joins_), io(issued_);
  for (unsigned n = 0; n < config_.nodes; ++n) {
    Node& node = nodes_[n];
    io(node.alive), io(node.epoch), io(node.died), io(node.born);
    for (unsigned o = 0; o < config_.objects; ++o) {
      io(node.parts[o].holder.asks), io(node.asked[o]);
    }
    if (!node.alive) continue;
    for (unsigned t = 0; t < config_.tasks; ++t) fields(io, node.tasks[t]);
    for (unsigned o = 0; o < config_.objects; ++o) {
      Part& part = node.parts[o];
      io(node.values[o]), io(node.filling[o]);
      fields(io, part.holder), acks(io, part.holder), fields(io, part.home);
      const unsigned waiting = io.byte();
      part.waiting.reset();
      if (waiting == 0) continue;
      part.waiting = std::make_unique<std::vector<Message>>(waiting);
      for (Message& message : *part.waiting) fields(io, message);
    }
  }
  make_members();
  for (auto& queue : channels_) {
    queue.resize(io.byte());
    for (Parcel& parcel : queue) fields(io, parcel.message), io(parcel.value);
  }
  for (unsigned o = 0; o < config_.objects; ++o) {
    Ghost& ghost = ghosts_[o];
    fields(io, ghost);
    ghost.absent = 0;
    for (unsigned shift = 0; shift < 32; shift += 8) {
      ghost.absent |= std::uint32_t{io.byte()} << shift;
    }
    for (unsigned value = 0; value < ghost.next; ++value) io(ghost.writer[value]);
  }
}

}  // namespace krg::kddm::check
