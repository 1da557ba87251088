// mutex_task count ROUNDS | hammer MILLISECONDS | readers ROUNDS | dead_writer | kinds | death:
// locks as tasks on several nodes use them.
#include <krg/locks/mutex.h>
#include <krg/locks/rw_lock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>

#include "lock_task.h"

namespace {

using namespace std::chrono_literals;
using krg::Errc;
using krg::must;
using krg::Mutex;
using krg::MutexKind;
using krg::RwLock;
using krg::Taken;
using krg::kddm::ObjectId;
using krg::testing::expect;
using krg::testing::now_ns;
using krg::testing::number_of;
using krg::testing::Task;

// Of the set of numbers beside the locks.
constexpr ObjectId kCount{0}, kInside{1}, kDone{2}, kReady{3}, kKilled{4};

// The numbers are read under one lease and written under another, so only the mutex makes it add
// up.
int count(int rounds) {
  const Task task;
  const int tasks = number_of("KRG_SIZE");
  Mutex mutex(*task.locks, 3);
  for (int i = 0; i < rounds; ++i) {
    const auto guard = must(mutex.guard(), "the mutex");
    expect(!guard.owner_died(), "nobody has died");
    expect(task.read(kInside) == 0, "nobody else is inside");
    task.write(kInside, 1);
    task.write(kCount, task.read(kCount) + 1);
    task.write(kInside, 0);
  }
  {
    const auto guard = must(mutex.guard(), "the mutex");
    task.write(kDone, task.read(kDone) + 1);
  }
  if (number_of("KRG_RANK") != 0) return 0;
  task.wait_for(kDone, tasks);
  const std::int64_t all = task.read(kCount);
  expect(all == std::int64_t{tasks} * rounds, "every round was counted");
  std::printf("right: %d tasks, %lld rounds\n", tasks, static_cast<long long>(all));
  return 0;
}

// All want one mutex all the time: none of them waits for long.
int hammer(int milliseconds) {
  const Task task;
  const int tasks = number_of("KRG_SIZE");
  Mutex mutex(*task.locks, 3);
  {
    const auto guard = must(mutex.guard(), "the mutex");
    task.write(kReady, task.read(kReady) + 1);
  }
  task.wait_for(kReady, tasks);
  std::int64_t times = 0, longest = 0;
  const std::int64_t end = now_ns() + std::int64_t{milliseconds} * 1'000'000;
  for (std::int64_t before = now_ns(); before < end; ++times) {
    const auto guard = must(mutex.guard(), "the mutex");
    const std::int64_t after = now_ns();
    longest = std::max(longest, after - before);
    before = after;
  }
  // Far above what the windows of all nodes add up to; a machine may be busy.
  expect(longest < 5'000'000'000, "nobody starves");
  const auto guard = must(mutex.guard(), "the mutex");
  task.write(kCount, task.read(kCount) + times);
  const std::int64_t worst = std::max(longest / 1000, task.read(kInside));
  task.write(kInside, worst);
  const std::int64_t done = task.read(kDone) + 1;
  task.write(kDone, done);
  if (done == tasks) {
    std::printf("right: %d tasks, %.0f locks per s, longest wait %.1f ms\n", tasks,
                1e3 * static_cast<double>(task.read(kCount)) / milliseconds,
                static_cast<double>(worst) * 1e-3);
  }
  return 0;
}

// A writer makes two numbers equal that differ in between; readers never see them differ.
int readers(int rounds) {
  const Task task;
  RwLock lock(*task.locks, 6);
  for (int i = 0; i < rounds; ++i) {
    if (i % 4 == 0) {
      const auto guard = must(lock.write(), "to write");
      const std::int64_t value = task.read(kCount) + 1;
      task.write(kCount, value);
      task.write(kInside, value);
      continue;
    }
    const auto guard = must(lock.read(), "to read");
    expect(task.read(kCount) == task.read(kInside), "no writer is inside");
  }
  {
    const auto guard = must(lock.write(), "to write");
    task.write(kDone, task.read(kDone) + 1);
  }
  if (number_of("KRG_RANK") != 0) return 0;
  const int tasks = number_of("KRG_SIZE");
  task.wait_for(kDone, tasks);
  expect(task.read(kCount) == std::int64_t{tasks} * ((rounds + 3) / 4), "every round was counted");
  const auto one = must(lock.read(), "to read");
  const auto two = must(lock.try_read(), "two readers together");
  expect(lock.try_write().error().code() == Errc::would_block, "no writer beside readers");
  expect(lock.write(50ms).error().code() == Errc::timed_out, "a writer waits for readers");
  std::printf("right: %d readers and writers\n", tasks);
  return 0;
}

// Dies while it writes.
void die_writing() {
  const pid_t child = ::fork();
  if (child == 0) {
    const Task task;
    const auto guard = must(RwLock(*task.locks, 7).write(), "a child's lock");
    ::_exit(0);
  }
  int how = 0;
  expect(::waitpid(child, &how, 0) == child && how == 0, "the child has had it");
}

int dead_writer() {
  die_writing();
  const Task task;
  RwLock lock(*task.locks, 7);
  expect(lock.read().error().native() == EOWNERDEAD, "readers are refused");
  expect(must(lock.write(), "to write").owner_died(), "a writer is told");
  expect(lock.read().error().native() == EOWNERDEAD, "readers are still refused");
  {
    auto guard = must(lock.write(), "to write");
    expect(guard.owner_died(), "the next writer is told too");
    guard.make_consistent();
  }
  static_cast<void>(must(lock.read(), "put right"));
  expect(!must(lock.write(), "to write").owner_died(), "put right for writers");
  std::puts("dead writer right");
  return 0;
}

void in_another_thread(const auto& body) { std::thread(body).join(); }

int kinds() {
  const Task task;
  Mutex normal(*task.locks, 0);
  Mutex recursive(*task.locks, 1, MutexKind::recursive);
  Mutex checked(*task.locks, 2, MutexKind::error_check);
  for (Mutex mutex : {normal, recursive, checked}) {
    expect(mutex.unlock().error().native() == EPERM, "unlocking what nobody has");
    expect(must(mutex.lock(), "free") == Taken::clean, "free at first");
    in_another_thread([&] {
      expect(mutex.unlock().error().native() == EPERM, "unlocking another thread's");
      expect(mutex.try_lock().error().code() == Errc::would_block, "trying another thread's");
      const std::int64_t before = now_ns();
      expect(mutex.lock(50ms).error().code() == Errc::timed_out, "waiting for another thread");
      // krgd counts from the beginning of its turn.
      expect(now_ns() - before >= 40'000'000, "it waits about as long as it should");
    });
    expect(static_cast<bool>(mutex.unlock()), "unlock");
    in_another_thread([&] {
      must(mutex.try_lock(), "free again");
      expect(static_cast<bool>(mutex.unlock()), "unlock");
    });
  }
  must(normal.lock(), "free");
  expect(normal.try_lock().error().code() == Errc::would_block, "trying one's own");
  expect(normal.lock(50ms).error().code() == Errc::timed_out, "normal: waiting for oneself");
  expect(static_cast<bool>(normal.unlock()), "unlock");
  must(checked.lock(), "free");
  expect(checked.lock().error().native() == EDEADLK, "error_check: locking again");
  expect(static_cast<bool>(checked.unlock()), "unlock");
  must(recursive.lock(), "free");
  must(recursive.lock(), "again");
  expect(static_cast<bool>(recursive.unlock()), "unlock once");
  in_another_thread([&] {
    expect(recursive.try_lock().error().code() == Errc::would_block, "recursive: held still");
  });
  expect(static_cast<bool>(recursive.unlock()), "unlock twice");
  std::puts("kinds right");
  return 0;
}

[[noreturn]] void hold() {
  const Task task;
  Mutex mutex(*task.locks, 5);
  must(mutex.lock(), "the child's mutex");
  task.write(kReady, 1);
  for (;;) ::pause();
}

int kill_the_holder() {
  const pid_t child = ::fork();
  if (child == 0) hold();
  const Task task;
  task.wait_for(kReady);
  std::this_thread::sleep_for(300ms);
  const std::int64_t at = now_ns();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  task.write(kKilled, at);
  // Rank 1 unlocks its first time with things put right, its second time without.
  task.wait_for(kDone);
  Mutex mutex(*task.locks, 5);
  expect(mutex.lock().error().native() == ENOTRECOVERABLE, "not recoverable");
  return 0;
}

// Dies with the mutex.
void die_holding() {
  const pid_t child = ::fork();
  if (child == 0) {
    const Task task;
    Mutex mutex(*task.locks, 5);
    must(mutex.lock(), "a child's mutex");
    ::_exit(0);
  }
  int how = 0;
  expect(::waitpid(child, &how, 0) == child && how == 0, "the child has had it");
}

int be_told() {
  const Task task;
  task.wait_for(kReady);
  Mutex mutex(*task.locks, 5);
  expect(must(mutex.lock(), "the dead one's mutex") == Taken::owner_died, "told of the death");
  const std::int64_t got = now_ns();
  const std::int64_t killed = task.wait_for(kKilled);
  expect(got >= killed, "it was held until then");
  expect(static_cast<bool>(mutex.make_consistent()) && static_cast<bool>(mutex.unlock()), "unlock");
  expect(must(mutex.lock(), "put right") == Taken::clean, "put right");
  expect(static_cast<bool>(mutex.unlock()), "unlock");
  die_holding();
  expect(must(mutex.lock(), "the second dead one's") == Taken::owner_died, "told again");
  expect(static_cast<bool>(mutex.unlock()), "unlock without putting it right");
  expect(mutex.lock().error().native() == ENOTRECOVERABLE, "not recoverable");
  task.write(kDone, 1);
  std::printf("told %.1f ms after the death\n", static_cast<double>(got - killed) * 1e-6);
  return got - killed < 1'500'000'000 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string verb = argc > 1 ? argv[1] : "";
  const int rank = number_of("KRG_RANK");
  if (rank < 0) return 2;
  if (verb == "count" && argc > 2) return count(std::atoi(argv[2]));
  if (verb == "hammer" && argc > 2) return hammer(std::atoi(argv[2]));
  if (verb == "readers" && argc > 2) return readers(std::atoi(argv[2]));
  if (verb == "dead_writer") return dead_writer();
  if (verb == "kinds") return kinds();
  if (verb == "death") return rank == 0 ? kill_the_holder() : be_told();
  return 2;
}
