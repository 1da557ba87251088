// out_queue.h: the messages to one node, from send() to their acknowledgement.
//
// Records lie one after the other in chunks, and messages leave in the order in which
// they came: so a queue in steady use allocates nothing.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "frame.h"
#include "krg/base/ring_queue.h"
#include "krg/channel/channels.h"
#include "krg/channel/data.h"

namespace krg::kddm {

struct Chunk {
  static constexpr std::size_t kBytes = std::size_t{32} << 10;

  std::size_t used = 0;
  std::size_t messages = 0;
  alignas(64) std::array<std::byte, kBytes> bytes;
};

// Chunks that are free, for all queues of a node.
class ChunkPool {
 public:
  std::unique_ptr<Chunk> take();
  void give_back(std::unique_ptr<Chunk> chunk) noexcept;

 private:
  static constexpr std::size_t kKeptMax = 1024;

  std::vector<std::unique_ptr<Chunk>> free_;
};

struct OutMessage {
  std::byte* record = nullptr;  // Room for the header, then the head, then copied data.
  std::uint32_t head_size = 0;
  std::uint32_t copied_size = 0;
  wire::Bytes shared;       // Data that have an owner.
  DataRef owner;            // None: the data are in the record.
  bool large = false;       // Goes by itself, as bulk data, unless in a bundle.
  bool on_its_way = false;  // A call that carries it has not ended.

  std::size_t size() const noexcept { return std::size_t{head_size} + copied_size + shared.size(); }
  // Whether it is to wait for others.
  bool gathers() const noexcept {
    const std::size_t bytes = owner ? shared.size() : copied_size;
    return bytes >= Channels::kGatheredMin && bytes <= Channels::kGatheredMax;
  }
  wire::Bytes head() const noexcept { return {record + sizeof(FrameHeader), head_size}; }
  wire::Bytes data() const noexcept {
    if (owner) return shared;
    return {record + sizeof(FrameHeader) + head_size, copied_size};
  }
  // The record with `header` in it.
  wire::Bytes record_with(const FrameHeader& header) noexcept {
    std::memcpy(record, &header, sizeof header);
    return {record, sizeof header + head_size + copied_size};
  }
};

// The messages first() ... last(), by consecutive numbers.
class OutQueue {
 public:
  explicit OutQueue(ChunkPool& pool) noexcept : pool_(pool) {}
  OutQueue(const OutQueue&) = delete;
  OutQueue& operator=(const OutQueue&) = delete;
  ~OutQueue() { clear(); }

  bool empty() const noexcept { return first_ > last_; }
  std::size_t size() const noexcept { return static_cast<std::size_t>(last_ + 1 - first_); }
  std::uint64_t first() const noexcept { return first_; }
  std::uint64_t last() const noexcept { return last_; }
  // Requires  first() <= seq <= last().
  OutMessage& at(std::uint64_t seq) noexcept { return slots_[seq & (slots_.size() - 1)]; }

  // The new last message. Copies the head, and data that have no owner; takes the owner.
  OutMessage& push(wire::Bytes head, Data& data);
  // Requires  !empty().
  void pop() noexcept;
  // Forgets all; the next number is 1.
  void clear() noexcept;

 private:
  std::byte* room(std::size_t size);
  void grow();

  ChunkPool& pool_;
  RingQueue<std::unique_ptr<Chunk>> chunks_;  // All but the newest.
  std::unique_ptr<Chunk> newest_;
  std::vector<OutMessage> slots_;  // A power of two of them, by number.
  std::uint64_t first_ = 1;
  std::uint64_t last_ = 0;
};

}  // namespace krg::kddm
