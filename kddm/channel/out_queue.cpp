#include "out_queue.h"

#include <cstring>
#include <utility>

#include "krg/base/assert.h"
#include "krg/channel/channels.h"

namespace krg::kddm {

static_assert(Chunk::kBytes >= sizeof(FrameHeader) + Channels::kHeadMax + Channels::kSmallMax);

std::unique_ptr<Chunk> ChunkPool::take() {
  if (free_.empty()) return std::make_unique<Chunk>();
  std::unique_ptr<Chunk> chunk = std::move(free_.back());
  free_.pop_back();
  return chunk;
}

void ChunkPool::give_back(std::unique_ptr<Chunk> chunk) noexcept {
  if (free_.size() >= kKeptMax) return;
  chunk->used = chunk->messages = 0;
  free_.push_back(std::move(chunk));
}

std::byte* OutQueue::room(std::size_t size) {
  if (newest_ != nullptr && Chunk::kBytes - newest_->used < size) {
    chunks_.push_back(std::move(newest_));
  }
  if (newest_ == nullptr) newest_ = pool_.take();
  ++newest_->messages;
  return newest_->bytes.data() + std::exchange(newest_->used, newest_->used + size);
}

OutMessage& OutQueue::push(wire::Bytes head, Data& data) {
  KRG_ASSERT(head.size() <= Channels::kHeadMax);
  if (size() == slots_.size()) [[unlikely]] {
    grow();
  }
  ++last_;
  OutMessage& message = at(last_);
  const wire::Bytes bytes = data.bytes();
  message.large = head.size() + bytes.size() > Channels::kSmallMax;
  message.on_its_way = false;
  message.shared = {};
  const bool copied = !data.owner() && !message.large;
  message.head_size = static_cast<std::uint32_t>(head.size());
  message.copied_size = copied ? static_cast<std::uint32_t>(bytes.size()) : 0;
  message.record = room(sizeof(FrameHeader) + head.size() + message.copied_size);
  std::byte* const into = message.record + sizeof(FrameHeader);
  if (!head.empty()) std::memcpy(into, head.data(), head.size());
  if (copied) {
    if (!bytes.empty()) std::memcpy(into + head.size(), bytes.data(), bytes.size());
  } else {
    if (!data.owner()) {
      const auto copy = std::make_shared<std::vector<std::byte>>(bytes.begin(), bytes.end());
      data = Data::shared(copy, *copy);
    }
    message.shared = data.bytes();
    message.owner = std::move(data.owner());
  }
  return message;
}

void OutQueue::pop() noexcept {
  KRG_DASSERT(!empty());
  if (OutMessage& gone = at(first_); gone.owner) gone.owner.reset();
  ++first_;
  std::unique_ptr<Chunk>& oldest = chunks_.empty() ? newest_ : chunks_.front();
  if (--oldest->messages > 0) return;
  pool_.give_back(std::move(oldest));
  if (!chunks_.empty()) (void)chunks_.pop_front();
}

void OutQueue::clear() noexcept {
  while (!empty()) pop();
  first_ = 1;
  last_ = 0;
}

void OutQueue::grow() {
  std::vector<OutMessage> bigger(slots_.empty() ? 8 : slots_.size() * 2);
  for (std::uint64_t seq = first_; seq <= last_; ++seq) {
    bigger[seq & (bigger.size() - 1)] = std::move(at(seq));
  }
  slots_.swap(bigger);
}

}  // namespace krg::kddm
