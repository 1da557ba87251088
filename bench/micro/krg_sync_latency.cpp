// krg_sync_latency: locks between the tasks of krgrun, beside a pthread mutex shared by processes.
//
//     krgrun --nodes N -n 2 --map-by node krg_sync_latency
//
// Rank 0 alone: lock and unlock, in turn with pthread's. Then both ranks lock and unlock one mutex
// all the time; hand a turn to each other by a condition; and meet at a barrier; each beside two
// processes that do so by pthread's. With two ranks, on two nodes: a mutex that was on the other
// node last, and one that the other one waits for, beside a call to krgd without and with a round
// trip between the nodes. Nanoseconds, medians.
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "krg/config/environment.h"
#include "krg/locks/barrier.h"
#include "krg/locks/condition.h"
#include "krg/locks/mutex.h"
#include "krg/locks/rw_lock.h"
#include "krg/task/space.h"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;
using krg::kddm::ObjectId;

constexpr int kRounds = 15;
constexpr int kBatch = 20000;
constexpr auto kHammering = 1s;

template <class T>
T must(krg::Result<T> result, const char* what) {
  if (!result) {
    std::fprintf(stderr, "%s: %s\n", what, result.error().message().c_str());
    std::exit(1);
  }
  return std::move(*result);
}

double ns_each(auto once) {
  const auto start = Clock::now();
  for (int i = 0; i < kBatch; ++i) once();
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count() / kBatch;
}
double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

// Memory that a child shares.
template <class T>
T* shared() {
  void* const memory =
      ::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::exit(1);
  return new (memory) T();
}

void init_shared(pthread_mutex_t* mutex, bool robust) {
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
  if (robust) pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(mutex, &attributes);
}

pthread_mutex_t* shared_mutex(bool robust) {
  auto* const mutex = shared<pthread_mutex_t>();
  init_shared(mutex, robust);
  return mutex;
}

void alone(krg::Locks& locks) {
  krg::Mutex mutex(locks, 0);
  krg::RwLock lock(locks, 1);
  pthread_mutex_t* const plain = shared_mutex(false);
  pthread_mutex_t* const robust = shared_mutex(true);
  std::array<std::vector<double>, 5> times;
  for (int i = 0; i < kRounds; ++i) {
    const auto with_pthread = [](pthread_mutex_t* m) {
      return ns_each([m] {
        pthread_mutex_lock(m);
        pthread_mutex_unlock(m);
      });
    };
    times[0].push_back(with_pthread(plain));
    times[1].push_back(with_pthread(robust));
    times[2].push_back(ns_each([&] {
      if (!mutex.lock() || !mutex.unlock()) std::exit(1);
    }));
    times[3].push_back(ns_each([&] { const auto held = must(lock.read(), "the lock"); }));
    times[4].push_back(ns_each([&] { const auto held = must(lock.write(), "the lock"); }));
  }
  const char* const names[] = {"pthread_mutex_ns", "pthread_robust_mutex_ns", "mutex_ns",
                               "rw_lock_read_ns", "rw_lock_write_ns"};
  for (std::size_t i = 0; i < times.size(); ++i)
    std::printf("%-26s %8.1f\n", names[i], median(times[i]));
}

struct Numbers {
  krg::kddm::Space& space;
  krg::kddm::SetId set;

  std::int64_t add(ObjectId object, std::int64_t more) {
    auto lease = must(space.grab(set, object), "a number");
    std::int64_t value = 0;
    std::memcpy(&value, lease.bytes().data(), sizeof value);
    value += more;
    std::memcpy(lease.bytes().data(), &value, sizeof value);
    return value;
  }
  void meet(ObjectId object, std::int64_t all) {
    add(object, 1);
    while (add(object, 0) < all) std::this_thread::sleep_for(2ms);
  }
};

std::int64_t hammer(krg::Locks& locks) {
  krg::Mutex mutex(locks, 2);
  std::int64_t times = 0;
  const auto end = Clock::now() + kHammering;
  while (Clock::now() < end) {
    const auto held = must(mutex.guard(), "the mutex");
    ++times;
  }
  return times;
}

// --- From one node to the other -----------------------------------------------------------------

constexpr int kHops = 200;

double ns_since(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

// A wake-up for which nobody waits is a call to krgd, and one from there to the key's home: the
// least and the most of eight keys are a call without and with a round trip between the nodes.
std::array<double, 2> raw_calls(krg::Locks& locks) {
  std::vector<double> all;
  for (std::uint64_t index = 0; index < locks.count(); ++index) {
    krg::Condition nobody(locks, index);
    std::vector<double> times;
    for (int i = 0; i < kHops; ++i) {
      const auto start = Clock::now();
      if (!nobody.notify_one()) std::exit(1);
      times.push_back(ns_since(start));
    }
    all.push_back(median(times));
  }
  const auto [least, most] = std::minmax_element(all.begin(), all.end());
  return {*least, *most};
}

// In turn, so that it always was on the other node last, and nobody wants it.
double remote_lock(krg::Locks& locks, std::int64_t rank) {
  krg::Mutex mutex(locks, 5);
  krg::Barrier barrier(locks, 4, 2);
  std::vector<double> times;
  for (int i = 0; i < kHops; ++i) {
    must(barrier.arrive_and_wait(), "the barrier");
    if (i % 2 != rank) continue;
    const auto start = Clock::now();
    if (!mutex.lock() || !mutex.unlock()) std::exit(1);
    times.push_back(ns_since(start));
  }
  return median(times);
}

// From before rank 0 unlocks what rank 1 waits for, until that has it. One clock, of the machine.
double hand_over(krg::Locks& locks, Numbers& numbers, std::int64_t rank) {
  krg::Mutex mutex(locks, 6);
  krg::Barrier barrier(locks, 4, 2);
  constexpr ObjectId kUnlocked{5};
  std::vector<double> times;
  for (int i = 0; i < kHops; ++i) {
    if (rank == 0) must(mutex.lock(), "the mutex");
    must(barrier.arrive_and_wait(), "the barrier");
    if (rank == 1) must(mutex.lock(), "the mutex");
    const std::int64_t now = Clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
    if (rank == 1) {
      times.push_back(static_cast<double>(now - numbers.add(kUnlocked, 0)));
    } else {
      std::this_thread::sleep_for(1ms);
      const std::int64_t last = numbers.add(kUnlocked, 0);
      const std::int64_t end = Clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
      numbers.add(kUnlocked, end - last);
    }
    if (!mutex.unlock()) std::exit(1);
    must(barrier.arrive_and_wait(), "the barrier");
  }
  return rank == 1 ? median(times) : 0;
}

void between_nodes(krg::Locks& locks, Numbers& numbers, std::int64_t rank) {
  if (rank == 0) {
    const auto calls = raw_calls(locks);
    std::printf("%-26s %8.1f\n%-26s %8.1f\n", "krgd_call_ns", calls[0], "remote_call_ns", calls[1]);
  }
  const double remote = remote_lock(locks, rank);
  const double over = hand_over(locks, numbers, rank);
  if (rank == 0) std::printf("%-26s %8.1f\n", "mutex_remote_ns", remote);
  if (rank == 1) std::printf("%-26s %8.1f\n", "mutex_hand_over_ns", over);
}

// --- Two that wait for each other ---------------------------------------------------------------

constexpr int kTurns = 400;
constexpr int kMeetings = 400;

double ns_per(int times, auto all) {
  const auto start = Clock::now();
  all();
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count() / times;
}

// Of 2 * kTurns turns: those of `me`.
double turns(krg::Locks& locks, Numbers& numbers, std::int64_t me) {
  krg::Mutex mutex(locks, 2);
  krg::Condition condition(locks, 3);
  constexpr ObjectId kTurn{3};
  return ns_per(2 * kTurns, [&] {
    for (int i = 0; i < kTurns; ++i) {
      const auto held = must(mutex.guard(), "the mutex");
      must(condition.wait_for(mutex, [&] { return numbers.add(kTurn, 0) % 2 == me; }), "the turn");
      numbers.add(kTurn, 1);
      must(krg::Result<int>(condition.notify_one() ? 0 : 1), "the other's turn");
    }
  });
}

double meetings(krg::Locks& locks, std::uint32_t parties) {
  krg::Barrier barrier(locks, 4, parties);
  must(barrier.arrive_and_wait(), "the barrier");
  return ns_per(kMeetings, [&] {
    for (int i = 0; i < kMeetings; ++i) must(barrier.arrive_and_wait(), "the barrier");
  });
}

struct Pthreads {
  pthread_mutex_t mutex;
  pthread_cond_t condition;
  pthread_barrier_t barrier;
  int turn;
};

double pthread_turns(Pthreads& with, int me) {
  return ns_per(2 * kTurns, [&] {
    for (int i = 0; i < kTurns; ++i) {
      pthread_mutex_lock(&with.mutex);
      while (with.turn % 2 != me) pthread_cond_wait(&with.condition, &with.mutex);
      ++with.turn;
      pthread_cond_signal(&with.condition);
      pthread_mutex_unlock(&with.mutex);
    }
  });
}

double pthread_meetings(Pthreads& with) {
  return ns_per(kMeetings, [&] {
    for (int i = 0; i < kMeetings; ++i) pthread_barrier_wait(&with.barrier);
  });
}

// This process and a child of it: {a turn, a meeting}.
std::array<double, 2> with_pthread() {
  auto* const with = shared<Pthreads>();
  init_shared(&with->mutex, false);
  pthread_condattr_t condition;
  pthread_condattr_init(&condition);
  pthread_condattr_setpshared(&condition, PTHREAD_PROCESS_SHARED);
  pthread_cond_init(&with->condition, &condition);
  pthread_barrierattr_t barrier;
  pthread_barrierattr_init(&barrier);
  pthread_barrierattr_setpshared(&barrier, PTHREAD_PROCESS_SHARED);
  pthread_barrier_init(&with->barrier, &barrier, 2);
  const pid_t child = ::fork();
  if (child == 0) {
    pthread_turns(*with, 1);
    pthread_meetings(*with);
    ::_exit(0);
  }
  const std::array<double, 2> times = {pthread_turns(*with, 0), pthread_meetings(*with)};
  ::waitpid(child, nullptr, 0);
  return times;
}

// The first two ranks hand the turn around, all meet.
void together(krg::Locks& locks, Numbers& numbers, std::int64_t rank, std::int64_t tasks) {
  constexpr int kTimes = 5;
  std::array<std::vector<double>, 4> times;
  for (int i = 0; i < kTimes; ++i) {
    if (rank == 0) {
      const auto pthread = with_pthread();
      times[0].push_back(pthread[0]);
      times[2].push_back(pthread[1]);
    }
    numbers.meet(ObjectId{4}, tasks * (i + 1));
    if (rank < 2 && tasks > 1) times[1].push_back(turns(locks, numbers, rank));
    times[3].push_back(meetings(locks, static_cast<std::uint32_t>(tasks)));
  }
  if (rank != 0) return;
  const char* const names[] = {"pthread_condition_turn_ns", "condition_turn_ns",
                               "pthread_barrier_2_ns", "barrier_ns"};
  for (std::size_t i = 0; i < times.size(); ++i) {
    if (!times[i].empty()) std::printf("%-26s %8.1f\n", names[i], median(times[i]));
  }
}

}  // namespace

int main() {
  const auto environment = krg::config::Environment::of_process();
  const auto rank = environment.get("KRG_RANK");
  const auto size = environment.get("KRG_SIZE");
  if (!rank || !size) {
    std::fputs("krg_sync_latency: to be started by krgrun\n", stderr);
    return 2;
  }
  const std::int64_t tasks = std::atoi(std::string(*size).c_str());
  const auto space = must(krg::kddm::Space::connect(), "the space");
  const auto locks = must(krg::Locks::open(*space, "bench.locks", 8), "the locks");
  krg::kddm::SetOptions options;
  options.object_bytes = sizeof(std::int64_t);
  Numbers numbers{*space, must(space->open("bench.numbers", options), "the numbers")};
  if (*rank == "0") alone(*locks);
  numbers.meet(ObjectId{0}, tasks);
  const std::int64_t mine = hammer(*locks);
  numbers.add(ObjectId{2}, mine);
  numbers.meet(ObjectId{1}, tasks);
  together(*locks, numbers, std::atoi(std::string(*rank).c_str()), tasks);
  if (tasks == 2) between_nodes(*locks, numbers, *rank == "0" ? 0 : 1);
  if (*rank != "0") return 0;
  const std::int64_t all = numbers.add(ObjectId{2}, 0);
  std::printf(
      "%-26s %8.1f  (rank 0: %.0f %%)\n", "mutex_hammered_ns",
      std::chrono::duration<double, std::nano>(kHammering).count() / static_cast<double>(all),
      100.0 * static_cast<double>(mine) / static_cast<double>(all));
  return 0;
}
