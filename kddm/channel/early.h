// early.h: messages of one node that came before an earlier one.
//
// A ring that grows to the span that is needed and keeps its memory until clear().
#pragma once

#include <cstdint>
#include <vector>

#include "krg/rpc/buffer.h"
#include "krg/wire/codec.h"

namespace krg::kddm {

struct EarlyMessage {
  bool there = false;
  std::vector<std::byte> head;
  rpc::Buffer data;
};

class Early {
 public:
  bool empty() const noexcept { return count_ == 0; }
  std::size_t bytes() const noexcept { return bytes_; }
  // Whether `seq` is held; any number.
  bool has(std::uint64_t seq) const noexcept;
  // Requires  !has(seq), received < seq: all that is held is above `received`.
  void put(std::uint64_t received, std::uint64_t seq, wire::Bytes head, rpc::Buffer data);
  // Moves message `seq` into `into`, whose memory it takes in exchange; false if it is not held.
  bool take(std::uint64_t seq, EarlyMessage& into);
  // Which of the messages after `received` are held: Receipt::held.
  std::vector<std::uint64_t> bitmap(std::uint64_t received) const;
  void clear() noexcept;

 private:
  void grow(std::uint64_t received, std::uint64_t span);

  std::vector<EarlyMessage> slots_;  // A power of two of them, by number.
  std::uint64_t first_ = 0;          // No number below this is held,
  std::uint64_t last_ = 0;           // and none above this.
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
};

}  // namespace krg::kddm
