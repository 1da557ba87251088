// release_task counters|lock|passing|readers|semaphore|local|changes|threads ROUNDS: regions of
// release consistency as tasks on several nodes use them. Ends with "right" from every rank.
#include <krg/locks/barrier.h>
#include <krg/locks/locks.h>
#include <krg/locks/mutex.h>
#include <krg/locks/rw_lock.h>
#include <krg/locks/semaphore.h>
#include <krg/region/bulk.h>
#include <krg/task/space.h>

#include <array>
#include <string>
#include <vector>

#include "region_task.h"

namespace {

using krg::Consistency;

constexpr std::size_t kPage = 4096, kWords = kPage / 8, kPages = 6;

class Work {
 public:
  Work(const std::string& test, unsigned rounds, Consistency consistency)
      : rounds(rounds), region(open("release." + test, consistency)) {}

  // A word that is written and read plainly.
  volatile std::uint64_t& at(std::size_t page, std::size_t k) const {
    return reinterpret_cast<std::uint64_t*>(region.data() + page * kPage)[k];
  }
  void expect(bool right, const char* what) {
    if (right) return;
    if (++wrong <= 5) std::fprintf(stderr, "rank %u: not so: %s\n", rank_of_this(), what);
  }
  void meet() {
    krg::Barrier all(*locks, 0, ranks());
    must(all.arrive_and_wait(), "the barrier");
  }

  const unsigned rounds;
  std::unique_ptr<krg::kddm::Space> space = must(krg::kddm::Space::connect(), "the space");
  std::unique_ptr<krg::Locks> locks =
      must(krg::Locks::open(*space, "release.locks", 4), "the locks");
  krg::Region region;
  unsigned wrong = 0;

 private:
  static krg::Region open(const std::string& name, Consistency consistency) {
    krg::RegionShape shape;
    shape.consistency = consistency;
    const krg::Status made = krg::Region::create(name, kPages * 2 * kPage, shape);
    if (!made && made.error().code() != krg::Errc::already_exists) must(made, "making the region");
    return must(krg::Region::attach(name), "the region");
  }
};

// Each rank has words and bytes of its own in all pages, and writes them while others write theirs;
// after the barrier everybody sees all of them. In between it acquires what others are about to
// write: its own is not undone by that.
void counters(Work& w) {
  const unsigned self = rank_of_this(), all = ranks();
  auto* const bytes = reinterpret_cast<volatile std::uint8_t*>(w.region.data() + kPages * kPage);
  for (unsigned round = 1; round <= w.rounds; ++round) {
    for (std::size_t page = 0; page < kPages; ++page) {
      for (std::size_t k = self; k < kWords; k += all) {
        w.expect(w.at(page, k) == round - 1, "a word of this rank is as it left it");
        w.at(page, k) = round;
        if (k == self && round % 3 == page % 3) must(w.region.acquire(), "acquiring");
      }
    }
    bytes[self] = static_cast<std::uint8_t>(round);
    w.meet();
    for (std::size_t page = 0; page < kPages; ++page) {
      for (std::size_t k = round % 7; k < kWords; k += 7) {
        w.expect(w.at(page, k) == round, "a word of another rank is what it wrote");
      }
    }
    for (unsigned rank = 0; rank < all; ++rank) {
      w.expect(bytes[rank] == (round & 255), "a byte of another rank is what it wrote");
    }
    w.meet();
  }
}

// What a lock guards is counted up by everybody, on two pages, and a third is never equal to them
// outside of it.
void lock(Work& w) {
  krg::Mutex mutex(*w.locks, 1);
  for (unsigned round = 0; round < w.rounds; ++round) {
    const auto guard = must(mutex.guard(), "the mutex");
    const std::uint64_t count = w.at(0, 5);
    w.expect(w.at(1, 9) == count && w.at(2, 500) == 2 * count, "what the lock guards fits");
    w.at(0, 5) = count + 1;
    w.at(1, 9) = count + 1;
    w.at(2, 500) = 2 * count + 2;
    w.at(3, rank_of_this()) = round;
  }
  w.meet();
  w.expect(w.at(0, 5) == std::uint64_t{ranks()} * w.rounds, "every round was counted");
}

// Rank 0 writes a message, then that it is there, each under the lock; who sees the second sees the
// first.
void passing(Work& w) {
  krg::Mutex mutex(*w.locks, 1);
  for (std::uint64_t seen = 0; seen < w.rounds;) {
    const auto guard = must(mutex.guard(), "the mutex");
    if (rank_of_this() == 0) {
      ++seen;
      w.at(seen % 2, 7) = seen;
      w.at(3, 3) = seen;
      continue;
    }
    const std::uint64_t found = w.at(3, 3);
    w.expect(found >= seen, "what is there does not go back");
    w.expect(w.at(found % 2, 7) == found, "the message is there");
    seen = found;
  }
}

void readers(Work& w) {
  krg::RwLock both(*w.locks, 2);
  for (unsigned round = 0; round < w.rounds; ++round) {
    if (round % 4 == rank_of_this() % 4) {
      const auto guard = must(both.write(), "to write");
      const std::uint64_t value = w.at(0, 0) + 1;
      w.at(0, 0) = value;
      w.at(4, 100) = value;
    } else {
      const auto guard = must(both.read(), "to read");
      w.expect(w.at(0, 0) == w.at(4, 100), "no writer is inside");
    }
  }
}

// A token goes round; who has it has seen all that those before it wrote.
void semaphore(Work& w) {
  krg::Semaphore token(*w.locks, 3, 1);
  for (unsigned round = 0; round < w.rounds; ++round) {
    must(token.acquire(), "the token");
    w.at(round % kPages, 1) = w.at(round % kPages, 1) + 1;
    must(token.release(), "giving it back");
  }
  w.meet();
  std::uint64_t sum = 0;
  for (std::size_t page = 0; page < kPages; ++page) sum += w.at(page, 1);
  w.expect(sum == std::uint64_t{ranks()} * w.rounds, "every round was counted");
}

// Ranks are on one node or another by their number: with two nodes, even and odd.
void local(Work& w) {
  const unsigned self = rank_of_this();
  w.expect(w.at(0, self) == 0, "zeros at first");
  w.at(0, self) = self + 1;
  w.meet();
  for (unsigned rank = 0; rank < ranks(); ++rank) {
    const bool is_here = rank % 2 == self % 2;
    w.expect(w.at(0, rank) == (is_here ? rank + 1 : 0), "what this node wrote, and no more");
  }
}

// Bulk operations, a change of size and rights, while every node has copies.
void changes(Work& w) {
  const unsigned self = rank_of_this();
  const std::size_t bytes = w.region.size(), half = bytes / 2;
  for (unsigned round = 1; round <= w.rounds; ++round) {
    const auto value = static_cast<std::byte>(round);
    if (round % ranks() == self) must(krg::fill(w.region, 0, bytes, value), "filling");
    w.meet();
    must(krg::prefetch(w.region, 0, bytes), "prefetching");
    for (std::size_t i = self; i < bytes; i += 61) {
      w.expect(w.region.data()[i] == value, "what was filled in is there");
    }
    w.meet();
    must(krg::advise(w.region, 0, half, krg::Advice::dont_need), "giving up");
    w.at(1, self) = round;  // Not released yet when the region is cut.
    if (round % ranks() == self) {
      must(w.region.resize(half), "making it smaller");
      must(w.region.resize(bytes), "making it larger");
    }
    w.meet();
    w.expect(w.region.data()[half - 1] == value, "what was not cut off is there");
    for (std::size_t i = half; i < bytes; i += 1021) {
      w.expect(w.region.data()[i] == std::byte{0}, "what was cut off is zeros");
    }
    for (unsigned rank = 0; rank < ranks(); ++rank) {
      w.expect(w.at(1, rank) == round, "what was written beside that is there");
    }
    w.meet();
  }
}

// Threads of each rank release and acquire at the same time.
void threads(Work& w) {
  constexpr unsigned kThreads = 3;
  const unsigned self = rank_of_this(), all = ranks() * kThreads;
  std::array<unsigned, kThreads> wrong{};
  std::vector<std::thread> running;
  for (unsigned t = 0; t < kThreads; ++t) {
    running.emplace_back([&, t] {
      krg::Barrier meeting(*w.locks, 0, all);
      const std::size_t mine = self * kThreads + t;
      for (unsigned round = 1; round <= w.rounds; ++round) {
        for (std::size_t page = 0; page < kPages; ++page) w.at(page, mine) = round;
        must(meeting.arrive_and_wait(), "the barrier");
        for (std::size_t page = 0; page < kPages; ++page) {
          for (std::size_t k = 0; k < all; ++k) wrong[t] += w.at(page, k) != round;
        }
        must(meeting.arrive_and_wait(), "the barrier");
      }
    });
  }
  for (std::thread& one : running) one.join();
  for (const unsigned found : wrong) w.expect(found == 0, "every thread saw every other's word");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string test = argc > 1 ? argv[1] : "counters";
  const unsigned rounds = argc > 2 ? static_cast<unsigned>(std::atoi(argv[2])) : 100;
  Work work(test, rounds, test == "local" ? Consistency::local : Consistency::release);
  if (test == "counters") counters(work);
  if (test == "lock") lock(work);
  if (test == "passing") passing(work);
  if (test == "readers") readers(work);
  if (test == "semaphore") semaphore(work);
  if (test == "local") local(work);
  if (test == "changes") changes(work);
  if (test == "threads") threads(work);
  std::puts(work.wrong == 0 ? "right" : "wrong");
  return work.wrong == 0 ? 0 : 1;
}
