#include "team.h"

namespace krg::bench {

Team::Seat* Team::seats(unsigned turn) {
  if (seats_ == nullptr) seats_ = array<Seat>(2 * std::size_t{size_});
  return seats_ + turn % 2 * size_;
}

std::uint64_t Team::sum(std::uint64_t value) {
  Seat* const row = seats(turn_++);
  row[rank_].value = value;
  barrier();
  std::uint64_t all = 0;
  for (unsigned rank = 0; rank < size_; ++rank) all += row[rank].value;
  return all;
}

void Team::start() {
  sum(0);  // The seats are there before anything is counted.
  before_ = sent();
  barrier();
  begin_ = std::chrono::steady_clock::now();
}

void Team::stop() {
  barrier();
  seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin_).count();
  const Traffic after = sent();
  Seat* const row = seats(turn_++);
  row[rank_].traffic = {after.messages - before_.messages, after.bytes - before_.bytes};
  barrier();
  total_ = {};
  for (unsigned rank = 0; rank < size_; ++rank) total_ += row[rank].traffic;
}

}  // namespace krg::bench
