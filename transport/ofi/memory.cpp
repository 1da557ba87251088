#include "memory.h"

#include <atomic>
#include <cstring>

#include "fabric_impl.h"
#include "krg/log/log.h"
#include "peer.h"

namespace krg::ofi {

RegionImpl::RegionImpl(FabricImpl& fabric, std::span<std::byte> memory)
    : fabric_(fabric), memory_(memory) {
  key_.magic = kRegionMagic;
  key_.id = fabric.add_region(*this);
  key_.size = memory.size();
  for (const auto& rail : fabric.rails()) {
    if (memory.empty()) break;
    auto made = rail->register_memory(memory, FI_REMOTE_READ | FI_REMOTE_WRITE);
    if (!made) {
      KRG_DEBUG("ofi: a region goes by messages: {}", made.error().message());
      continue;
    }
    const auto index = static_cast<std::size_t>(rail->kind());
    key_.key[index] = made->key;
    key_.address[index] = made->address;
    key_.direct[index] = 1;
    registrations_.push_back(std::move(*made));
  }
}

RegionImpl::~RegionImpl() { fabric_.remove_region(key_.id); }

bool RemoteRegionImpl::admit(std::uint64_t offset, std::uint64_t size, fabric::Completion& done) {
  if (!peer_.accepting()) {
    peer_.tell_later(done, Error(Errc::peer_down).with_peer(peer_.peer().node));
  } else if (offset > key_.size || size > key_.size - offset) {
    peer_.tell_later(done, Error(Errc::invalid_argument, "outside the peer's region"));
  } else {
    return true;
  }
  return false;
}

bool RemoteRegionImpl::direct() const noexcept {
  return peer_.direct() && key_.direct[static_cast<std::size_t>(peer_.rail_kind())] != 0;
}

void RemoteRegionImpl::put(std::uint64_t offset, std::span<const std::byte> from,
                           fabric::Completion& done) {
  if (!admit(offset, from.size(), done)) return;
  if (from.empty()) return peer_.tell_later(done, {});
  MemoryOp& op = peer_.add_memory_op(done);
  if (direct()) {
    const auto rail = static_cast<std::size_t>(peer_.rail_kind());
    op.write = true;
    op.local = {const_cast<std::byte*>(from.data()), from.size()};
    op.address = key_.address[rail] + offset;
    op.key = key_.key[rail];
    return peer_.start(op);
  }
  Stream stream;
  stream.kind = Kind::put;
  stream.id = op.id;
  stream.region = key_.id;
  stream.offset = offset;
  stream.size = from.size();
  stream.parts.push_back(from);
  peer_.add_stream(std::move(stream));
}

void RemoteRegionImpl::get(std::uint64_t offset, std::span<std::byte> into,
                           fabric::Completion& done) {
  if (!admit(offset, into.size(), done)) return;
  if (into.empty()) return peer_.tell_later(done, {});
  MemoryOp& op = peer_.add_memory_op(done);
  op.local = into;
  if (direct()) {
    const auto rail = static_cast<std::size_t>(peer_.rail_kind());
    op.address = key_.address[rail] + offset;
    op.key = key_.key[rail];
    return peer_.start(op);
  }
  peer_.post(Kind::get, MemoryHead{op.id, key_.id, offset, into.size(), 0, 0});
}

// Neither shm nor tcp has atomic operations that pass the target's thread by: both would emulate
// them there. So ours are messages, and atomic whatever way a peer comes.
void RemoteRegionImpl::atomic(Kind kind, const MemoryHead& head, std::uint64_t& old,
                              fabric::Completion& done) {
  if (!admit(head.offset, sizeof(std::uint64_t), done)) return;
  if (head.offset % sizeof(std::uint64_t) != 0) {
    return peer_.tell_later(done, Error(Errc::invalid_argument, "not aligned"));
  }
  MemoryOp& op = peer_.add_memory_op(done);
  op.old = &old;
  MemoryHead request = head;
  request.id = op.id;
  peer_.post(kind, request);
}

void RemoteRegionImpl::fetch_add(std::uint64_t offset, std::uint64_t operand, std::uint64_t& old,
                                 fabric::Completion& done) {
  atomic(Kind::fetch_add, {0, key_.id, offset, 8, operand, 0}, old, done);
}

void RemoteRegionImpl::compare_swap(std::uint64_t offset, std::uint64_t expected,
                                    std::uint64_t desired, std::uint64_t& old,
                                    fabric::Completion& done) {
  atomic(Kind::compare_swap, {0, key_.id, offset, 8, expected, desired}, old, done);
}

void MemoryOp::finished(int error) noexcept {
  if (!peer->connected()) return;  // The end of the peer tells it.
  Status status;
  if (error != 0) {
    status = Error(Errc::system_error, "remote memory access").with_native(error);
  }
  peer->end_memory_op(id, status);
}

// The target's side.

namespace {

std::uint64_t apply(Kind kind, std::byte* at, const MemoryHead& head) noexcept {
  auto& word = *reinterpret_cast<std::uint64_t*>(at);
  const std::atomic_ref<std::uint64_t> atomic(word);
  if (kind == Kind::fetch_add) return atomic.fetch_add(head.a);
  std::uint64_t expected = head.a;
  atomic.compare_exchange_strong(expected, head.b);
  return expected;
}

}  // namespace

// `bytes`: of a put; its head's offset is that of these bytes.
bool Peer::serve_memory(Kind kind, const MemoryHead& head, std::span<const std::byte> bytes) {
  RegionImpl* region = fabric_.region(head.region);
  const std::uint64_t size = kind == Kind::put ? bytes.size() : head.size;
  const bool whole = region != nullptr && head.offset <= region->memory().size() &&
                     size <= region->memory().size() - head.offset;
  const bool is_atomic = kind == Kind::fetch_add || kind == Kind::compare_swap;
  if (!whole || (is_atomic && (head.offset % 8 != 0 || size != 8))) {
    post(Kind::memory_done,
         Transfer{head.id, 0, static_cast<std::uint64_t>(Errc::invalid_argument)});
    return true;
  }
  std::byte* at = region->memory().data() + head.offset;
  if (is_atomic) {
    // The region's memory is aligned, if its owner means it for atomic operations.
    if (reinterpret_cast<std::uintptr_t>(at) % 8 != 0) {
      post(Kind::memory_done,
           Transfer{head.id, 0, static_cast<std::uint64_t>(Errc::invalid_argument)});
    } else {
      post(Kind::memory_done, Transfer{head.id, apply(kind, at, head), 0});
    }
  } else if (kind == Kind::put) {
    std::memcpy(at, bytes.data(), bytes.size());
    // `a` says how many bytes are still to come.
    if (head.a == 0) post(Kind::memory_done, Transfer{head.id, 0, 0});
  } else {
    Stream stream;
    stream.kind = Kind::get_data;
    stream.id = head.id;
    stream.region = head.region;
    stream.size = head.size;
    stream.parts.push_back({at, head.size});
    add_stream(std::move(stream));
  }
  return true;
}

}  // namespace krg::ofi
