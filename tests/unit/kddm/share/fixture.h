// A node's store and tasks that share it, in one process.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <memory>

#include "krg/share/local_store.h"
#include "krg/share/node_store.h"
#include "krg/testing/matchers.h"

namespace krg::kddm {

inline constexpr SetId kSet{4711};

inline StoreOptions small_store() {
  StoreOptions options;
  options.geometry = {.slots = 64, .tasks = 4, .data_bytes = 4u << 20};
  options.budget_bytes = options.geometry.data_bytes;
  return options;
}

// A task: its side of the store, and how often it rang.
struct TestTask {
  TaskIndex index = kNoTask;
  std::unique_ptr<LocalStore> store;
  std::atomic<int> rings{0};
};

inline UniqueFd copy_of(int fd) { return UniqueFd(::fcntl(fd, F_DUPFD_CLOEXEC, 0)); }

// As a process of its own has it, or a thread of krgd.
enum class Mapping { own, of_krgd };

inline std::unique_ptr<TestTask> make_task(NodeStore& node, Mapping mapping = Mapping::own) {
  auto task = std::make_unique<TestTask>();
  auto index = node.attach();
  EXPECT_OK(index);
  task->index = *index;
  const Doorbell bell{[](void* who) noexcept { ++static_cast<TestTask*>(who)->rings; }, task.get()};
  auto store = mapping == Mapping::of_krgd
                   ? LocalStore::open_in_krgd(node, *index, bell)
                   : LocalStore::open({copy_of(node.directory_fd()), copy_of(node.shared_fd()),
                                       node.geometry(), *index},
                                      bell);
  EXPECT_OK(store);
  task->store = std::move(*store);
  return task;
}

struct Store {
  explicit Store(const StoreOptions& options = small_store())
      : node(std::move(*NodeStore::create(options))) {
    node.serve_until(Deadline::never().at());
  }

  // A new object, thawed; its bytes are all `fill`.
  SlotId make(ObjectId object, std::uint64_t size, Access access, int fill = 0) {
    auto slot = node.allocate(kSet, object, size);
    EXPECT_OK(slot);
    if (size > 0) std::memset(node.bytes(*slot).data(), fill, size);
    EXPECT_OK(node.thaw(*slot, access));
    return *slot;
  }
  std::unique_ptr<TestTask> task(Mapping mapping = Mapping::own) {
    return make_task(node, mapping);
  }

  NodeStore node;
};

}  // namespace krg::kddm
