// What the tasks of these tests have in common: numbers that all share, and locks.
#pragma once

#include <krg/error/must.h>
#include <krg/locks/locks.h>
#include <krg/task/space.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <thread>

namespace krg::testing {

inline std::int64_t now_ns() {
  return std::chrono::steady_clock::now().time_since_epoch() / std::chrono::nanoseconds(1);
}
inline int number_of(const char* variable) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? -1 : std::atoi(text);
}
inline void expect(bool right, const char* what) {
  if (right) return;
  std::fprintf(stderr, "not so: %s\n", what);
  std::exit(1);
}
// What a task has: numbers that all share, each read and written by leases of its own, and locks.
struct Task {
  std::unique_ptr<kddm::Space> space = must(kddm::Space::connect(), "the space");
  kddm::SetId set = must(space->open("test.numbers", numbers()), "the numbers");
  std::unique_ptr<Locks> locks = must(Locks::open(*space, "test.locks", 8), "the locks");

  static kddm::SetOptions numbers() {
    kddm::SetOptions options;
    options.object_bytes = sizeof(std::int64_t);
    return options;
  }
  std::int64_t read(kddm::ObjectId object) const {
    const auto lease = must(space->get(set, object), "a number");
    std::int64_t value = 0;
    std::memcpy(&value, lease.bytes().data(), sizeof value);
    return value;
  }
  void write(kddm::ObjectId object, std::int64_t value) const {
    auto lease = must(space->grab(set, object), "a number");
    std::memcpy(lease.bytes().data(), &value, sizeof value);
  }
  std::int64_t wait_for(kddm::ObjectId object, std::int64_t least = 1) const {
    for (;;) {
      if (const std::int64_t value = read(object); value >= least) return value;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
};

}  // namespace krg::testing
