// Rank 0's child holds an object for writing and is killed; rank 1, on another node, waits for it.
// Prints how long rank 1 went on waiting after the kill, in milliseconds.
#include <krg/error/must.h>
#include <krg/task/space.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

namespace {

using namespace std::chrono_literals;
using krg::kddm::ObjectId;
using krg::kddm::SetId;
using krg::kddm::SetOptions;
using krg::kddm::Space;

constexpr ObjectId kHeld{0}, kReady{1}, kKilled{2};

std::int64_t now_ns() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}

SetId open_set(Space& space) {
  SetOptions options;
  options.object_bytes = sizeof(std::int64_t);
  return must(space.open("test.dead_task", options), "the set");
}

void write(Space& space, SetId set, ObjectId object, std::int64_t value) {
  auto lease = must(space.grab(set, object), "an object");
  std::memcpy(lease.bytes().data(), &value, sizeof value);
}
std::int64_t read(Space& space, SetId set, ObjectId object) {
  const auto lease = must(space.get(set, object), "an object");
  std::int64_t value = 0;
  std::memcpy(&value, lease.bytes().data(), sizeof value);
  return value;
}
std::int64_t wait_for(Space& space, SetId set, ObjectId object) {
  for (;;) {
    if (const std::int64_t value = read(space, set, object); value != 0) return value;
    std::this_thread::sleep_for(2ms);
  }
}

[[noreturn]] void hold() {
  const auto space = must(Space::connect(), "the child");
  const SetId set = open_set(*space);
  const auto lease = must(space->grab(set, kHeld), "the child's object");
  lease.bytes()[0] = std::byte{1};
  write(*space, set, kReady, 1);
  for (;;) ::pause();
}

int kill_the_holder() {
  const pid_t child = ::fork();
  if (child == 0) hold();
  const auto space = must(Space::connect(), "rank 0");
  const SetId set = open_set(*space);
  wait_for(*space, set, kReady);
  std::this_thread::sleep_for(300ms);
  const std::int64_t at = now_ns();
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  write(*space, set, kKilled, at);
  // What it was writing is as it left it.
  return read(*space, set, kHeld) == 1 ? 0 : 1;
}

int wait_for_it() {
  const auto space = must(Space::connect(), "rank 1");
  const SetId set = open_set(*space);
  wait_for(*space, set, kReady);
  std::int64_t got = 0;
  {
    const auto lease = must(space->grab(set, kHeld), "what the child held");
    got = now_ns();
  }
  const std::int64_t killed = wait_for(*space, set, kKilled);
  if (got < killed) {
    std::fprintf(stderr, "it was not held\n");
    return 1;
  }
  std::printf("waited %.1f ms after the death\n", static_cast<double>(got - killed) * 1e-6);
  return got - killed < 1'000'000'000 ? 0 : 1;
}

}  // namespace

int main() {
  const char* const rank = std::getenv("KRG_RANK");
  if (rank == nullptr) return 2;
  return std::strcmp(rank, "0") == 0 ? kill_the_holder() : wait_for_it();
}
