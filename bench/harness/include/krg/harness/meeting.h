// harness/meeting.h: where the two processes of a bench exchange a few bytes before they are
// connected.
//
// Model    memory shared since before the fork. The n-th exchange of one side pairs with the n-th
//          of the other.
// Threads  one thread in each process.
// Blocks   exchange() until the other side has called it too; the program's watchdog ends a wait in
//          vain.
// Source   bench/harness/README.md
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace krg::harness {

class Meeting {
 public:
  // Maps the shared memory; to be made before the fork.
  Meeting();
  Meeting(const Meeting&) = delete;
  Meeting& operator=(const Meeting&) = delete;
  ~Meeting();

  // To be called once in each process, after the fork: which of the two sides this is.
  void take_side(unsigned side) noexcept { side_ = side; }

  static constexpr std::size_t kBlobMax = 4096;
  static constexpr std::size_t kExchangesMax = 64;

  // Gives `mine` to the other side and returns what it gave.
  // Requires  mine.size() <= kBlobMax; at most kExchangesMax calls.
  std::vector<std::byte> exchange(std::span<const std::byte> mine);
  std::string exchange(const std::string& mine);
  // Returns once the other side has called it too.
  void barrier() { exchange(std::span<const std::byte>{}); }

 private:
  struct Shared;
  Shared* shared_;
  unsigned side_ = 0;
  std::size_t next_ = 0;
};

}  // namespace krg::harness
