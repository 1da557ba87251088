// meet_krg ROUNDS MILLISECONDS: barriers, all-reduces of one number, and one lock that all tasks of
// krgrun want. meet_mpi does the same by MPI; meet.sh runs both in turn.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "krg/config/environment.h"
#include "krg/error/must.h"
#include "krg/locks/barrier.h"
#include "krg/locks/mutex.h"
#include "krg/task/space.h"

namespace {

using Clock = std::chrono::steady_clock;

double us_each(Clock::time_point begin, int rounds) {
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count() / rounds;
}

std::int64_t sum_of(krg::Barrier& barrier, std::int64_t value) {
  std::array<std::int64_t, 1> values = {value};
  must(barrier.all_reduce(krg::Reduce::sum, values), "a sum");
  return values[0];
}

std::int64_t hammer(krg::Mutex& mutex, std::chrono::milliseconds time) {
  std::int64_t times = 0;
  for (const auto end = Clock::now() + time; Clock::now() < end; ++times) {
    static_cast<void>(must(mutex.lock(), "the lock"));
    must(mutex.unlock(), "the lock");
  }
  return times;
}

int number_of(const krg::config::Environment& environment, const char* name) {
  const auto text = environment.get(name);
  return text ? std::atoi(std::string(*text).c_str()) : -1;
}

}  // namespace

int main(int argc, char** argv) {
  const auto environment = krg::config::Environment::of_process();
  const int rank = number_of(environment, "KRG_RANK"), tasks = number_of(environment, "KRG_SIZE");
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 0;
  const std::chrono::milliseconds time(argc > 2 ? std::atoi(argv[2]) : 0);
  if (rank < 0 || tasks <= 0 || rounds <= 0) {
    std::fputs("meet_krg: to be started by krgrun, with a number of rounds\n", stderr);
    return 2;
  }
  const auto space = must(krg::kddm::Space::connect(), "the space");
  const auto locks = must(krg::Locks::open(*space, "bench.meet", 2), "the locks");
  krg::Barrier barrier(*locks, 0, static_cast<std::uint32_t>(tasks));
  krg::Mutex mutex(*locks, 1);
  for (int i = 0; i < 20; ++i) must(barrier.arrive_and_wait(), "the barrier");
  auto begin = Clock::now();
  for (int i = 0; i < rounds; ++i) must(barrier.arrive_and_wait(), "the barrier");
  const double barrier_us = us_each(begin, rounds);
  begin = Clock::now();
  for (int i = 0; i < rounds; ++i) {
    const std::int64_t right = std::int64_t{tasks} * (tasks - 1) / 2 + std::int64_t{i} * tasks;
    if (sum_of(barrier, rank + i) != right) return 1;
  }
  const double reduce_us = us_each(begin, rounds);
  const std::int64_t all = sum_of(barrier, hammer(mutex, time));
  if (rank != 0) return 0;
  const double seconds = std::chrono::duration<double>(time).count();
  std::printf("meet barrier_us %.1f reduce_us %.1f locks_per_s %.0f\n", barrier_us, reduce_us,
              seconds > 0 ? static_cast<double>(all) / seconds : 0.0);
  return 0;
}
