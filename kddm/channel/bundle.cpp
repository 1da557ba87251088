// Several messages in one call: a fabric moves a megabyte much faster than many pages one by one.
#include <algorithm>
#include <cstring>
#include <utility>

#include "channels_impl.h"

namespace krg::kddm {
namespace {

// Where the bytes of a bundle are.
struct Layout {
  Layout(std::size_t count, std::size_t heads, std::size_t data) noexcept
      : heads_at(count * sizeof(BundleEntry)),
        data_at((heads_at + heads + kBundleAlign - 1) & ~(kBundleAlign - 1)),
        size(data_at + data) {}

  std::size_t heads_at;
  std::size_t data_at;
  std::size_t size;
};

BundleEntry entry_at(wire::Bytes bundle, std::size_t index) noexcept {
  BundleEntry entry;
  std::memcpy(&entry, bundle.data() + index * sizeof entry, sizeof entry);
  return entry;
}

// Appends `bytes` at `at`.
void put(std::byte*& at, wire::Bytes bytes) noexcept {
  if (!bytes.empty()) std::memcpy(at, bytes.data(), bytes.size());
  at += bytes.size();
}

}  // namespace

// What waits for the turn's end: in bundles, but for what would be few bytes in one.
void Channels::Impl::send_gathered(ChannelPeer& peer) {
  peer.ListNode<GatheringTag>::unlink();
  if (peer.gathered_from == 0) return;
  std::uint64_t next = std::max(std::exchange(peer.gathered_from, 0), peer.out.first());
  while (next <= peer.sent) {
    std::uint64_t end = next;
    std::size_t heads = 0, data = 0, gathers = 0;
    for (; end <= peer.sent && end - next < kBundleMessagesMax; ++end) {
      const OutMessage& message = peer.out.at(end);
      const std::size_t more = message.data().size();
      if (more > kGatheredMax) break;
      const Layout layout(end + 1 - next, heads + message.head_size, data + more);
      if (layout.size > kBundleBytesMax) break;
      heads += message.head_size;
      data += more;
      if (message.gathers()) ++gathers;
    }
    const bool many = gathers >= 2 && heads + data >= kBundleBytesMin;
    if (many && send_bundle(peer, next, end - 1, heads, data)) {
      next = end;
      continue;
    }
    for (end = std::max(end, next + 1); next < end; ++next) transmit(peer, next, peer.out.at(next));
  }
}

// False: no memory.
bool Channels::Impl::send_bundle(ChannelPeer& peer, std::uint64_t first, std::uint64_t last,
                                 std::size_t heads, std::size_t data) {
  const auto count = static_cast<std::uint32_t>(last + 1 - first);
  const Layout layout(count, heads, data);
  rpc::Buffer bulk = rpc_.buffers().take(layout.size);
  if (bulk.size() != layout.size) return false;
  std::byte* const begin = bulk.bytes().data();
  std::byte* entry = begin;
  std::byte* head = begin + layout.heads_at;
  std::byte* bytes = begin + layout.data_at;
  std::memset(bytes - kBundleAlign, 0, kBundleAlign);  // Before the heads, which may reach there.
  for (std::uint64_t seq = first; seq <= last; ++seq) {
    OutMessage& message = peer.out.at(seq);
    message.on_its_way = true;
    const BundleEntry sizes{message.head_size, static_cast<std::uint32_t>(message.data().size())};
    std::memcpy(entry, &sizes, sizeof sizes);
    entry += sizeof sizes;
    put(head, message.head());
    put(bytes, message.data());
  }
  const FrameHeader frame = header_for(peer, first, 0);
  expect_ack(peer);
  ++stats_.bundles;
  stats_.bundled += count;
  auto* const transfer = new Transfer(rpc_, peer, {first, frame.ack, frame.epoch, count},
                                      std::move(bulk), reactor_.after(options_.large_limit));
  peer.transfers.push_back(*transfer);
  transfer->begin();
  return true;
}

// Its messages are taken one by one, as if each had come by itself.
bool Channels::Impl::take_bundle(const fabric::Identity& from, const BundleBytes& bundle,
                                 const rpc::Buffer& bulk) {
  const BundleHeader& header = bundle.header;
  const wire::Bytes bytes = bulk.bytes();
  if (!bundle.sound || header.seq == 0 || header.count == 0 || header.count > kBundleMessagesMax ||
      bytes.size() > kBundleBytesMax || bytes.size() < header.count * sizeof(BundleEntry)) {
    return malformed(from);
  }
  std::size_t heads = 0, data = 0;
  for (std::uint32_t i = 0; i < header.count; ++i) {
    const BundleEntry entry = entry_at(bytes, i);
    if (entry.head > kHeadMax || entry.data > kGatheredMax) return malformed(from);
    heads += entry.head;
    data += entry.data;
  }
  const Layout layout(header.count, heads, data);
  if (layout.size != bytes.size()) return malformed(from);
  wire::Bytes heads_left = bytes.subspan(layout.heads_at, heads);
  wire::Bytes data_left = bytes.subspan(layout.data_at);
  for (std::uint32_t i = 0; i < header.count; ++i) {
    const BundleEntry entry = entry_at(bytes, i);
    const FrameHeader one{header.seq + i, header.ack, header.epoch, entry.head};
    const FrameBytes frame{
        one, heads_left.first(entry.head), data_left.first(entry.data), true, {}};
    if (!take(from, frame, nullptr)) return false;
    heads_left = heads_left.subspan(entry.head);
    data_left = data_left.subspan(entry.data);
  }
  return true;
}

}  // namespace krg::kddm
