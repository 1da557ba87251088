// frame.h: what the channels put into messages and calls of rpc. docs/design/kddm.md shows it to
// readers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "krg/wire/codec.h"
#include "krg/wire/service.h"

namespace krg::kddm {

// At the front of everything that goes by a channel.
struct FrameHeader {
  std::uint64_t seq = 0;    // From 1 in each epoch; 0: no message, or the question what has come.
  std::uint64_t ack = 0;    // All of the receiver's messages up to this one have come.
  std::uint32_t epoch = 0;  // The sender's view.
  std::uint32_t head = 0;   // Bytes of the message's head; the rest is its data.
};
static_assert(sizeof(FrameHeader) == 24 && std::is_trivially_copyable_v<FrameHeader>);
static_assert(offsetof(FrameHeader, ack) == 8 && offsetof(FrameHeader, epoch) == 16 &&
              offsetof(FrameHeader, head) == 20);

// A frame as its receiver finds it. Decoding takes any bytes, so that what is wrong with them is
// counted here and not by rpc, which would drop a notice in silence.
struct FrameBytes {
  FrameHeader header;
  wire::Bytes head;
  wire::Bytes data;
  bool sound = true;
  // Of a frame to be sent: all of it but data that have an owner, which are `data`. One piece, so
  // that it is copied into the batch at once.
  wire::Bytes record;
};

struct Frame {
  FrameBytes body;
  static void wire_fields(auto& m, auto&& visit) { visit(m.body); }
};

// At the front of a call that carries several messages. Its bulk data are `count` entries, then
// all heads, then zeros up to a multiple of kBundleAlign, then all data.
struct BundleHeader {
  std::uint64_t seq = 0;  // Of the first message; the others follow.
  std::uint64_t ack = 0;
  std::uint32_t epoch = 0;
  std::uint32_t count = 0;
};
static_assert(sizeof(BundleHeader) == 24 && std::is_trivially_copyable_v<BundleHeader>);
static_assert(offsetof(BundleHeader, ack) == 8 && offsetof(BundleHeader, epoch) == 16 &&
              offsetof(BundleHeader, count) == 20);

struct BundleEntry {
  std::uint32_t head = 0;  // Bytes.
  std::uint32_t data = 0;
};
static_assert(sizeof(BundleEntry) == 8 && std::is_trivially_copyable_v<BundleEntry>);
inline constexpr std::size_t kBundleAlign = 64;

// As its receiver finds it.
struct BundleBytes {
  BundleHeader header;
  bool sound = true;
};

struct Bundle {
  BundleBytes body;
  static void wire_fields(auto& m, auto&& visit) { visit(m.body); }
};

// What a node has of another's messages.
struct Receipt {
  Epoch epoch;                 // Of the one who answers.
  std::uint64_t received = 0;  // All up to this one; it means nothing if the epochs differ.
  // To a question only: bit i of word w tells whether `received` + 1 + 64 * w + i is held.
  std::vector<std::uint64_t> held;
  static void wire_fields(auto& m, auto&& visit) { visit(m.epoch, m.received, m.held); }
};

// Small messages and acknowledgements.
struct MessageService {
  static constexpr ServiceId kId{0x40};
  static constexpr const char* kName = "channel.message";
  using Request = Frame;
  using Reply = wire::Empty;  // Never sent.
};

// A message whose data is bulk data; without a message, the question what has come.
struct AskService {
  static constexpr ServiceId kId{0x41};
  static constexpr const char* kName = "channel.ask";
  using Request = Frame;
  using Reply = Receipt;
};

// Several messages.
struct BundleService {
  static constexpr ServiceId kId{0x42};
  static constexpr const char* kName = "channel.bundle";
  using Request = Bundle;
  using Reply = Receipt;
};

}  // namespace krg::kddm

template <>
struct krg::wire::Codec<krg::kddm::FrameBytes> {
  static constexpr std::size_t kMin = sizeof(krg::kddm::FrameHeader);
  static void put(Encoder& out, const krg::kddm::FrameBytes& f) {
    out.put_raw(f.record.data(), f.record.size());
    if (!f.data.empty()) out.put_raw(f.data.data(), f.data.size());
  }
  static void get(Decoder& in, krg::kddm::FrameBytes& f) {
    f.sound = in.left() >= sizeof f.header;
    if (f.sound) {
      in.get_raw(&f.header, sizeof f.header);
      f.sound = f.header.head <= in.left();
      if (f.sound) f.head = in.view(f.header.head);
    }
    f.data = in.view(in.left());
  }
};

template <>
struct krg::wire::Codec<krg::kddm::BundleBytes> {
  static constexpr std::size_t kMin = 0;
  static void put(Encoder& out, const krg::kddm::BundleBytes& b) {
    out.put_raw(&b.header, sizeof b.header);
  }
  static void get(Decoder& in, krg::kddm::BundleBytes& b) {
    b.sound = in.left() == sizeof b.header;
    if (b.sound) in.get_raw(&b.header, sizeof b.header);
    in.view(in.left());
  }
};
