// What the programs of these tests share: who they are, and how they meet.
#pragma once

#include <krg/error/must.h>
#include <krg/region/region.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>

inline unsigned rank_of_this() {
  const char* const rank = std::getenv("KRG_RANK");
  return rank == nullptr ? 0 : static_cast<unsigned>(std::atoi(rank));
}
inline unsigned ranks() {
  const char* const size = std::getenv("KRG_SIZE");
  return size == nullptr ? 1 : static_cast<unsigned>(std::atoi(size));
}

using Word = std::atomic<std::uint64_t>;

// The `i`-th page's word `k`.
inline Word& word(const krg::Region& region, std::size_t page, std::size_t k = 0) {
  return *reinterpret_cast<Word*>(region.data() + page * 4096 + k * sizeof(Word));
}

// Waits in small sleeps: with more tasks than cores who spins keeps out whom it waits for.
template <class Condition>
void wait_until(Condition&& condition) {
  for (int spins = 0; !condition(); ++spins) {
    if (spins > 50) std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

// A barrier in a page of its own: each rank has a counter there.
class Meeting {
 public:
  Meeting(const krg::Region& region, std::size_t page) : region_(region), page_(page) {}
  void meet() {
    ++round_;
    word(region_, page_).fetch_add(1);
    wait_until([&] { return word(region_, page_).load() >= round_ * ranks(); });
  }

 private:
  const krg::Region& region_;
  const std::size_t page_;
  std::uint64_t round_ = 0;
};
