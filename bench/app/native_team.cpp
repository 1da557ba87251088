#include "native_team.h"

#include <barrier>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace krg::bench {
namespace {

// What the members share.
struct Box {
  explicit Box(unsigned size) : meeting(size) {}

  std::barrier<> meeting;
  std::mutex mutex;
  std::vector<std::unique_ptr<void, void (*)(void*)>> arrays;
};

class NativeTeam final : public Team {
 public:
  NativeTeam(unsigned rank, unsigned size, Box& box) noexcept : Team(rank, size, 1), box_(box) {}

  void barrier() override { box_.meeting.arrive_and_wait(); }

 private:
  // The first member that comes makes it.
  void* allocate(std::size_t bytes) override {
    const std::scoped_lock lock(box_.mutex);
    if (next_ == box_.arrays.size()) {
      const std::size_t whole = (bytes + kPage - 1) / kPage * kPage;
      void* const memory = std::aligned_alloc(kPage, whole);
      if (memory == nullptr) std::abort();
      std::memset(memory, 0, whole);
      box_.arrays.emplace_back(memory, std::free);
    }
    return box_.arrays[next_++].get();
  }

  Box& box_;
  std::size_t next_ = 0;
};

}  // namespace

void run_natively(unsigned size, const std::function<void(Team&)>& member) {
  Box box(size);
  std::vector<std::jthread> threads;
  for (unsigned rank = 0; rank < size; ++rank) {
    threads.emplace_back([&, rank] {
      NativeTeam team(rank, size, box);
      member(team);
    });
  }
}

}  // namespace krg::bench
