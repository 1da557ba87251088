// team.h: the memory and the meeting points of a numeric program, the same for threads and tasks.
//
// Model    `size` members work on shared arrays between barriers. They are threads of one process
//          (native_team.h) or tasks of krgrun on one or more nodes (krg_team.h); the program's
//          source is the same. Members are spread over the nodes in runs: 0, 1 at node 0 and so on.
//          All members call array(), barrier(), sum(), start() and stop() in the same order.
// Threads  a Team is one member's, and of one thread.
// Blocks   array(), barrier(), sum(), start(), stop() until all members have come; the end of the
//          process if krgd fails: a measurement that goes on would say nothing.
// Source   bench/app/README.md
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace krg::bench {

// What nodes send to each other.
struct Traffic {
  std::uint64_t messages = 0;
  std::uint64_t bytes = 0;

  Traffic& operator+=(const Traffic& other) noexcept {
    messages += other.messages;
    bytes += other.bytes;
    return *this;
  }
};

class Team {
 public:
  static constexpr std::size_t kPage = 4096;

  // Requires  size is a multiple of nodes, rank < size.
  Team(unsigned rank, unsigned size, unsigned nodes) noexcept
      : rank_(rank), size_(size), nodes_(nodes) {}
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;
  virtual ~Team() = default;

  unsigned rank() const noexcept { return rank_; }
  unsigned size() const noexcept { return size_; }
  unsigned nodes() const noexcept { return nodes_; }
  unsigned node_of(unsigned rank) const noexcept { return rank / (size_ / nodes_); }
  bool is_here(unsigned rank) const noexcept { return node_of(rank) == node_of(rank_); }
  // Of `count` things in order, the first one of member `rank`; of `size` the end.
  std::size_t share(std::size_t count, unsigned rank) const noexcept {
    return count * rank / size_;
  }

  // Zeros, from a page's begin, that all members share. The first part is at home at the first
  // node, and so on. It lasts as long as the team.
  template <class T>
  T* array(std::size_t count) {
    return static_cast<T*>(allocate(count * sizeof(T)));
  }
  virtual void barrier() = 0;
  // The sum of what all members say; a barrier too.
  std::uint64_t sum(std::uint64_t value);

  // Hints: of a part of an array that this member is about to read, or to write.
  virtual void will_read(const void*, std::size_t) {}
  virtual void will_write(const void*, std::size_t) {}

  // What is measured lies between these two.
  void start();
  void stop();
  double seconds() const noexcept { return seconds_; }
  // Of all nodes, known to member 0. A barrier more than the program has made is in it.
  const Traffic& traffic() const noexcept { return total_; }

 private:
  // What a member tells the others, on a page of its own.
  struct alignas(kPage) Seat {
    std::uint64_t value;
    Traffic traffic;
  };

  virtual void* allocate(std::size_t bytes) = 0;
  // What this member's node has sent so far, said by one member of the node: the others say 0.
  virtual Traffic sent() { return {}; }
  Seat* seats(unsigned turn);

  const unsigned rank_, size_, nodes_;
  Seat* seats_ = nullptr;  // Two rows, used in turn: so a sum needs one barrier.
  unsigned turn_ = 0;
  std::chrono::steady_clock::time_point begin_;
  Traffic before_, total_;
  double seconds_ = 0;
};

}  // namespace krg::bench
