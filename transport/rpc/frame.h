// frame.h: how rpc lays its bytes into fabric messages. docs/design/rpc.md shows it to readers.
//
// A small fabric message is a batch: fabric headroom, BatchHeader, then frames one after the other.
// A large message's header is a batch of one frame; its data is that frame's attachment or its
// payload.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "krg/fabric/endpoint.h"

namespace krg::rpc {

enum class Kind : std::uint8_t {
  request = 1,    // payload: [key][origin][typed]; answered by reply or error
  one_way = 2,    // the same, never answered
  reply = 3,      // payload: typed
  error = 4,      // payload: u16 code
  cancel = 5,     // the caller of `call` has given up
  forwarded = 6,  // payload: u32 node that now answers `call`
  item = 7,       // one item of a stream
  end = 8,        // no more items from this side
  window = 9,     // payload: u32 items that the receiver has taken since the last one
};

enum Flag : std::uint8_t {
  kKeyed = 1,  // a u64 key stands first in the payload
  kForwarded =
      2,  // request: then the u32 first caller; reply: comes from another node than was called
  kStream = 4,    // the request opens a stream
  kToServer = 8,  // item, end, window: from the opener of the stream
  kAttached =
      16,  // small: u32 size of the typed part, then typed, then data. large: the data follows
  kDataIsBody = 32  // large: the data is the payload, too long for a small message
};

struct BatchHeader {
  std::uint32_t epoch;  // the sender's view
  std::uint32_t
      consumed[2];  // per lane: credit-counted messages of the receiver that are dealt with
  std::uint32_t lane;
};
static_assert(sizeof(BatchHeader) == 16);

struct FrameHeader {
  std::uint32_t size;  // of the payload that follows
  std::uint16_t service;
  std::uint8_t kind;
  std::uint8_t flags;
  std::uint64_t call;  // the caller's slot and its generation
};
static_assert(sizeof(FrameHeader) == 16);

// Bytes of frames that fit into one batch.
inline constexpr std::size_t kBatchRoom =
    fabric::kMessageMax - fabric::kHeadroom - sizeof(BatchHeader);
// Credit-counted messages that may be under way to one peer, per lane (normal, control).
inline constexpr std::uint32_t kWindow[2] = {1024, 128};
inline constexpr std::uint32_t kStreamWindow = 64;

template <class T>
T load(const std::byte* from) noexcept {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

}  // namespace krg::rpc
