// waits_task ping ROUNDS | semaphore ROUNDS | barrier ROUNDS | reduce ROUNDS | once | alone |
// threads | killed: tasks on several nodes that wait for each other.
#include <krg/locks/barrier.h>
#include <krg/locks/condition.h>
#include <krg/locks/futex.h>
#include <krg/locks/mutex.h>
#include <krg/locks/once.h>
#include <krg/locks/semaphore.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "lock_task.h"

namespace {

using namespace std::chrono_literals;
using krg::Barrier;
using krg::Condition;
using krg::Errc;
using krg::Futex;
using krg::Latch;
using krg::must;
using krg::Mutex;
using krg::Once;
using krg::Semaphore;
using krg::kddm::ObjectId;
using krg::testing::expect;
using krg::testing::now_ns;
using krg::testing::number_of;
using krg::testing::Task;

// Of the set of numbers.
constexpr ObjectId kTurn{0}, kReady{1}, kSecond{2}, kGot{3}, kKilled{4}, kAgain{5};
// Of the locks.
constexpr std::uint64_t kMutex = 0, kCondition = 1, kSemaphore = 2, kBarrier = 3, kLatch = 4,
                        kOnce = 5, kFutex = 6, kOther = 7;

void done(krg::Status status, const char* what) {
  if (!status) std::fprintf(stderr, "%s: %s\n", what, status.error().message().c_str());
  expect(static_cast<bool>(status), what);
}

// Each in its turn.
int ping(int rounds) {
  const Task task;
  const int tasks = number_of("KRG_SIZE"), rank = number_of("KRG_RANK");
  Mutex mutex(*task.locks, kMutex);
  Condition condition(*task.locks, kCondition);
  const std::int64_t begin = now_ns();
  for (int i = 0; i < rounds; ++i) {
    const auto guard = must(mutex.guard(), "the mutex");
    const std::int64_t mine = std::int64_t{i} * tasks + rank;
    expect(must(condition.wait_for(mutex, [&] { return task.read(kTurn) == mine; }), "the turn"),
           "its turn comes in time");
    task.write(kTurn, mine + 1);
    done(condition.notify_all(), "the next one's turn");
  }
  const double us = static_cast<double>(now_ns() - begin) * 1e-3 / (rounds * tasks);
  if (rank == tasks - 1) std::printf("right: %d turns, %.1f us each\n", rounds * tasks, us);
  return 0;
}

std::uint32_t add(Futex& futex, std::int32_t more) {
  const auto before = must(
      futex.update([&](std::uint32_t v) { return v + static_cast<std::uint32_t>(more); }), "a sum");
  return before + static_cast<std::uint32_t>(more);
}

// Never more inside than there are permits.
int semaphore(int rounds) {
  const Task task;
  const int tasks = number_of("KRG_SIZE");
  Semaphore permits(*task.locks, kSemaphore, 2);
  Futex inside(*task.locks, kFutex, 0), count(*task.locks, kFutex, 1);
  Latch all(*task.locks, kLatch, static_cast<std::uint64_t>(tasks));
  for (int i = 0; i < rounds; ++i) {
    done(permits.acquire(), "a permit");
    expect(add(inside, 1) <= 2, "no more than two inside");
    add(count, 1);
    add(inside, -1);
    done(permits.release(), "giving it back");
  }
  done(all.count_down(), "the end");
  if (number_of("KRG_RANK") != 0) return 0;
  done(all.wait(), "everybody's end");
  expect(must(permits.value(), "the value") == 2, "all permits are back");
  expect(must(count.load(), "the count") == static_cast<std::uint32_t>(tasks * rounds),
         "the count");
  std::printf("right: %d permits\n", tasks * rounds);
  return 0;
}

// Nobody goes on before all have come, and one of them is the last.
int barrier(int rounds) {
  const Task task;
  const auto tasks = static_cast<std::uint32_t>(number_of("KRG_SIZE"));
  Barrier barrier(*task.locks, kBarrier, tasks);
  Futex come(*task.locks, kFutex, 0), last(*task.locks, kOther, 0);
  for (std::uint32_t i = 1; i <= static_cast<std::uint32_t>(rounds); ++i) {
    if (i % 8 == 1) add(come, 1);
    if (must(barrier.arrive_and_wait(), "the barrier") == Barrier::Arrived::last) add(last, 1);
    const std::uint32_t counted = (i + 7) / 8 * tasks;
    if (i % 8 == 1) {
      const std::uint32_t so_far = must(come.load(), "who has come");
      expect(so_far >= counted && so_far < counted + tasks, "all have come, and none is ahead");
    }
  }
  must(barrier.arrive_and_wait(), "the barrier");
  if (number_of("KRG_RANK") != 0) return 0;
  const std::uint32_t lasts = must(last.load(), "how often one was last");
  expect(lasts == static_cast<std::uint32_t>(rounds), "one is last in each round");
  std::printf("right: %d rounds\n", rounds);
  return 0;
}

// Each gives its numbers, and gets those of all.
int reduce(int rounds) {
  const Task task;
  const auto tasks = static_cast<std::uint32_t>(number_of("KRG_SIZE"));
  const int rank = number_of("KRG_RANK");
  Barrier barrier(*task.locks, kBarrier, tasks);
  for (int i = 0; i < rounds; ++i) {
    std::array<std::int64_t, 2> whole = {rank, -i};
    done(barrier.all_reduce(krg::Reduce::sum, whole), "a sum");
    const std::int64_t all = tasks;
    expect(whole[0] == all * (all - 1) / 2 && whole[1] == -i * all, "the sums");
    whole = {rank + i, rank};
    done(barrier.all_reduce(krg::Reduce::max, whole), "the largest");
    expect(whole[0] == all - 1 + i && whole[1] == all - 1, "the largest ones");
    std::array<double, 1> real = {0.5 + rank};
    done(barrier.all_reduce(krg::Reduce::min, real), "the least");
    expect(real[0] == 0.5, "the least one");
  }
  std::array<std::int64_t, Barrier::kReduceMost + 1> many{};
  expect(barrier.all_reduce(krg::Reduce::sum, many).error().code() == Errc::invalid_argument,
         "more values than one round takes");
  if (rank == 0) std::printf("right: %d sums\n", rounds);
  return 0;
}

// By one of all, also if the first one dies in it.
int once() {
  if (number_of("KRG_RANK") == 0) {
    const pid_t child = ::fork();
    if (child == 0) {
      const Task task;
      static_cast<void>(Once(*task.locks, kOnce).call([]() -> krg::Status { ::_exit(7); }));
      ::_exit(1);
    }
    int how = 0;
    expect(::waitpid(child, &how, 0) == child && WEXITSTATUS(how) == 7, "the child was in it");
  }
  const Task task;
  const auto tasks = static_cast<std::uint32_t>(number_of("KRG_SIZE"));
  Barrier barrier(*task.locks, kBarrier, tasks);
  must(barrier.arrive_and_wait(), "the barrier");
  Futex times(*task.locks, kFutex);
  Once one(*task.locks, kOnce);
  if (number_of("KRG_RANK") == 0) {
    const auto fails = [] { return krg::Status(krg::Error(Errc::no_space)); };
    expect(one.call(fails).error().code() == Errc::no_space, "the work's error");
  }
  must(barrier.arrive_and_wait(), "the barrier");
  const auto work = [&] {
    add(times, 1);
    return krg::Status();
  };
  for (int i = 0; i < 3; ++i) done(one.call(work), "once");
  expect(must(times.load(), "how often") == 1, "once");
  must(barrier.arrive_and_wait(), "the barrier");
  if (number_of("KRG_RANK") == 0) std::puts("once right");
  return 0;
}

void takes_about(std::chrono::milliseconds time, auto what) {
  const std::int64_t before = now_ns();
  what();
  // krgd counts from the beginning of its turn.
  expect(now_ns() - before >= (time - 10ms) / 1ns, "it waits about as long as it should");
}

// What one task sees.
int alone() {
  const Task task;
  Mutex mutex(*task.locks, kMutex);
  Condition condition(*task.locks, kCondition);
  expect(condition.wait(mutex, 50ms).error().code() == Errc::denied, "waiting without the mutex");
  must(mutex.lock(), "the mutex");
  takes_about(50ms, [&] {
    expect(must(condition.wait(mutex, 50ms), "a wait").timed_out, "nobody notifies");
  });
  expect(!must(condition.wait_for(
                   mutex, [] { return false; }, 50ms),
               "a wait"),
         "never");
  done(mutex.unlock(), "the mutex was had again");
  done(condition.notify_one(), "nobody waits");

  Semaphore permits(*task.locks, kSemaphore, 1);
  done(permits.try_acquire(), "the permit");
  expect(permits.try_acquire().error().code() == Errc::would_block, "no second one");
  takes_about(50ms, [&] {
    expect(permits.acquire(50ms).error().code() == Errc::timed_out, "no second one, later");
  });
  done(permits.release(Semaphore::kMax), "up to the most");
  expect(permits.release(1).error().code() == Errc::limit_reached, "not more than the most");
  expect(permits.release(0).error().code() == Errc::invalid_argument, "not nothing");

  Barrier two(*task.locks, kBarrier, 2);
  takes_about(50ms, [&] {
    expect(two.arrive_and_wait(50ms).error().code() == Errc::timed_out, "the other is missing");
  });
  expect(two.arrive_and_wait(10ms).error().code() == Errc::timed_out, "the first one has left");
  Latch latch(*task.locks, kLatch, 2);
  expect(latch.wait(10ms).error().code() == Errc::timed_out, "closed");
  done(latch.count_down(), "one");
  expect(!must(latch.is_open(), "a look"), "still closed");
  done(latch.count_down(5), "more than it takes");
  expect(must(latch.is_open(), "a look"), "open");
  done(latch.wait(0ms), "an open latch");

  Futex futex(*task.locks, kFutex, 3), beside(*task.locks, kFutex, 4);
  expect(futex.wait(1, 50ms).error().code() == Errc::would_block, "another value");
  expect(futex.wait(0, 50ms).error().code() == Errc::timed_out, "nobody wakes");
  std::atomic<bool> over{false};
  std::thread waiter([&] {
    done(futex.wait(0, 30s, 0b10), "woken");
    over = true;
  });
  // It may also pass between its ticket and its wait: then no wake-up counts it.
  while (!over) {
    expect(must(futex.wake(1, 0b100), "another bit") == 0, "not by another bit");
    expect(must(beside.wake(), "beside") == 0, "not by another word");
    must(futex.wake(1, 0b110), "the bit");
    std::this_thread::sleep_for(1ms);
  }
  waiter.join();
  std::puts("alone right");
  return 0;
}

// More of them wait than a lane has places.
int threads() {
  const Task task;
  constexpr int kThreads = 150;
  Latch latch(*task.locks, kLatch, 1);
  std::atomic<int> through{0};
  std::vector<std::thread> all;
  for (int i = 0; i < kThreads; ++i) {
    all.emplace_back([&] {
      done(latch.wait(), "the latch");
      ++through;
    });
  }
  std::this_thread::sleep_for(500ms);
  expect(through == 0, "it is closed");
  done(latch.count_down(), "opening it");
  for (std::thread& thread : all) thread.join();
  expect(through == kThreads, "all go through");
  std::puts("threads right");
  return 0;
}

// In a process of its own.
pid_t wait_in_a_child(ObjectId ready, std::optional<ObjectId> after = {}) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  const Task task;
  if (after) task.wait_for(*after);
  task.write(ready, 1);
  done(Semaphore(*task.locks, kSemaphore, 0).acquire(), "a child's permit");
  for (;;) ::pause();
}

// The first of those who wait is stopped, woken, and killed before it can take what it was woken
// for; a further one is killed while it waits.
int kill_waiters() {
  const pid_t stopped = wait_in_a_child(kReady);
  const Task task;
  Semaphore permits(*task.locks, kSemaphore, 0);
  task.wait_for(kReady);
  std::this_thread::sleep_for(300ms);
  ::kill(stopped, SIGSTOP);
  task.write(kSecond, 1);
  std::this_thread::sleep_for(300ms);
  done(permits.release(), "a permit");
  std::this_thread::sleep_for(200ms);
  expect(task.read(kGot) == 0, "the stopped one has been woken");
  task.write(kKilled, now_ns());
  ::kill(stopped, SIGKILL);
  ::waitpid(stopped, nullptr, 0);
  task.wait_for(kGot);
  return 0;
}

int kill_a_waiter() {
  const pid_t child = wait_in_a_child(kAgain, kGot);
  const Task task;
  task.wait_for(kAgain);
  std::this_thread::sleep_for(600ms);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  done(Semaphore(*task.locks, kSemaphore, 0).release(), "a permit");
  return 0;
}

int be_next() {
  const Task task;
  Semaphore permits(*task.locks, kSemaphore, 0);
  task.wait_for(kSecond);
  done(permits.acquire(20s), "what the dead one was woken for");
  const std::int64_t took = now_ns() - task.wait_for(kKilled);
  task.write(kGot, 1);
  task.wait_for(kAgain);
  std::this_thread::sleep_for(300ms);
  done(permits.acquire(20s), "after another one was killed");
  std::printf("passed on %.1f ms after the death\n", static_cast<double>(took) * 1e-6);
  return took < 5'000'000'000 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  const int count = argc > 2 ? std::atoi(argv[2]) : 0;
  if (number_of("KRG_RANK") < 0) return 2;
  const int rank = number_of("KRG_RANK");
  if (verb == "ping") return ping(count);
  if (verb == "semaphore") return semaphore(count);
  if (verb == "barrier") return barrier(count);
  if (verb == "reduce") return reduce(count);
  if (verb == "once") return once();
  if (verb == "alone") return alone();
  if (verb == "threads") return threads();
  if (verb == "killed") return rank == 0 ? kill_waiters() : rank == 1 ? be_next() : kill_a_waiter();
  return 2;
}
