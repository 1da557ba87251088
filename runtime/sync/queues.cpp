#include "queues.h"

#include <algorithm>

namespace krg::sync {

// Each part times an odd number, then the high bits into the low ones (splitmix64's last step).
std::size_t Queues::Hash::operator()(const Key& key) const noexcept {
  std::uint64_t h = key.set.value * 0x9e3779b97f4a7c15u;
  h = (h ^ h >> 32 ^ key.object.value) * 0xbf58476d1ce4e5b9u;
  h = (h ^ h >> 29 ^ key.word) * 0x94d049bb133111ebu;
  return static_cast<std::size_t>(h ^ h >> 31);
}

void Queues::begin(Epoch epoch) {
  now_ = {epoch, 0};
  marks_.fill(0);
  queues_.clear();
}

bool Queues::enter(const Key& key, const Ticket& ticket, const Waiter& waiter) {
  if (ticket.epoch != now_.epoch || mark_of(key) > ticket.count) return false;
  queues_[key].push_back(waiter);
  return true;
}

void Queues::leave(const Key& key, NodeId node, std::uint64_t id) {
  const auto at = queues_.find(key);
  if (at == queues_.end()) return;
  std::erase_if(at->second, [&](const Waiter& w) { return w.node == node && w.id == id; });
  if (at->second.empty()) queues_.erase(at);
}

std::vector<Waiter> Queues::wake(const Key& key, std::uint32_t count, std::uint32_t bits) {
  mark_of(key) = ++now_.count;
  return wake_others(key, count, bits);
}

std::vector<Waiter> Queues::wake_others(const Key& key, std::uint32_t count, std::uint32_t bits) {
  std::vector<Waiter> woken;
  const auto at = queues_.find(key);
  if (at == queues_.end()) return woken;
  std::deque<Waiter>& queue = at->second;
  auto kept = queue.begin();
  auto next = queue.begin();
  for (; next != queue.end() && woken.size() < count; ++next) {
    if ((next->bits & bits) != 0) {
      woken.push_back(*next);
    } else {
      *kept++ = *next;
    }
  }
  queue.erase(kept, next);
  if (queue.empty()) queues_.erase(at);
  return woken;
}

std::size_t Queues::waiters(const Key& key) const noexcept {
  const auto at = queues_.find(key);
  return at == queues_.end() ? 0 : at->second.size();
}

}  // namespace krg::sync
