#include "kddm_local.h"

#include <pthread.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstring>
#include <memory>
#include <vector>

#include "kddm_readers.h"
#include "kddm_timing.h"
#include "krg/harness/program.h"
#include "krg/share/local_store.h"
#include "krg/share/node_store.h"

namespace krg::bench {
namespace {

enum class How { get, grab, get_by_handle, grab_by_handle, both_by_handle, freeze };

constexpr std::size_t kManyTasks = 128;

// A store of this process, with one task: this process.
class Local final : public harness::Contestant {
 public:
  explicit Local(How how) : how_(how) {}

  Result<harness::Sample> measure(const harness::Job& job) override {
    if (!task_) {
      KRG_TRY(make(job.size));
    }
    kddm::LocalStore& store = *task_;
    switch (how_) {
      case How::get:
        return time_batches(job, [&](std::size_t i) {
          const kddm::ReadLease lease = store.try_read(kSet, kddm::ObjectId{i});
          return lease && touch(lease.bytes());
        });
      case How::grab:
        return time_batches(job, [&](std::size_t i) {
          const kddm::WriteLease lease = store.try_write(kSet, kddm::ObjectId{i});
          return lease && touch(lease.bytes());
        });
      case How::get_by_handle:
        return time_batches(job, [&](std::size_t i) {
          const kddm::ReadLease lease = store.try_read(handles_[i]);
          return lease && touch(lease.bytes());
        });
      case How::grab_by_handle:
        return time_batches(job, [&](std::size_t i) {
          const kddm::WriteLease lease = store.try_write(handles_[i]);
          return lease && touch(lease.bytes());
        });
      case How::both_by_handle:
        return time_batches(job, [&](std::size_t i) {
          {
            const kddm::ReadLease lease = store.try_read(handles_[i]);
            if (!lease || !touch(lease.bytes())) return false;
          }
          const kddm::WriteLease lease = store.try_write(handles_[i]);
          return lease && touch(lease.bytes());
        });
      case How::freeze:
        KRG_TRY(make_many());
        return time_batches(job, [&](std::size_t i) {
          if (!store.try_read(handles_[i])) return false;
          const kddm::SlotId slot = handles_[i].slot;
          return node_->freeze(slot).idle() && node_->thaw(slot, kddm::Access::write);
        });
    }
    return Error(Errc::invalid_argument);
  }

 private:
  // Tasks that have used their tables, so that krgd has to look at them.
  Status make_many() {
    while (node_->tasks() < kManyTasks) {
      KRG_TRY_ASSIGN(const kddm::TaskIndex index, node_->attach());
      KRG_TRY_ASSIGN(auto task, kddm::LocalStore::open_in_krgd(*node_, index, {}));
      if (!task->try_read(handles_[0])) return Error(Errc::corrupt, "a local hit was none");
    }
    return {};
  }

  Status make(std::size_t size) {
    kddm::StoreOptions options;
    options.geometry = {.slots = 2 * kObjects, .tasks = kManyTasks, .data_bytes = 256u << 20};
    options.budget_bytes = options.geometry.data_bytes;
    KRG_TRY_ASSIGN(kddm::NodeStore node, kddm::NodeStore::create(options));
    node_ = std::make_unique<kddm::NodeStore>(std::move(node));
    node_->serve_until(Deadline::never().at());
    for (std::size_t i = 0; i < kObjects; ++i) {
      KRG_TRY_ASSIGN(const kddm::SlotId slot, node_->allocate(kSet, kddm::ObjectId{i}, size));
      std::memset(node_->bytes(slot).data(), 0, size);
      KRG_TRY(node_->thaw(slot, kddm::Access::write));
      handles_[i] = node_->handle(slot);
    }
    KRG_TRY_ASSIGN(const kddm::TaskIndex index, node_->attach());
    KRG_TRY_ASSIGN(task_, kddm::LocalStore::open(
                              {UniqueFd(::dup(node_->directory_fd())),
                               UniqueFd(::dup(node_->shared_fd())), node_->geometry(), index},
                              {}));
    return {};
  }

  const How how_;
  std::array<kddm::Handle, kObjects> handles_{};
  std::unique_ptr<kddm::NodeStore> node_;
  std::unique_ptr<kddm::LocalStore> task_;
};

// As many locks, each with the bytes it guards. Shared between processes, as the store is.
template <class Lock>
class Locks final : public harness::Contestant {
 public:
  Result<harness::Sample> measure(const harness::Job& job) override {
    if (bytes_.empty()) bytes_.resize(kObjects * job.size);
    return time_batches(job, [&](std::size_t i) {
      const std::span<std::byte> bytes(bytes_.data() + i * job.size, job.size);
      return locks_[i].use([&] { return touch(bytes); }, bytes);
    });
  }

 private:
  std::vector<Lock> locks_{kObjects};
  std::vector<std::byte> bytes_;
};

struct alignas(64) ReadLock {
  ReadLock() {
    pthread_rwlockattr_t shared;
    ::pthread_rwlockattr_init(&shared);
    ::pthread_rwlockattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    ::pthread_rwlock_init(&lock, &shared);
  }
  bool use(auto, std::span<const std::byte> bytes) {
    if (::pthread_rwlock_rdlock(&lock) != 0) return false;
    const bool done = touch(bytes);
    return ::pthread_rwlock_unlock(&lock) == 0 && done;
  }
  pthread_rwlock_t lock;
};

struct alignas(64) ReadThenWriteLock : ReadLock {
  bool use(auto write, std::span<const std::byte> bytes) {
    if (!ReadLock::use(write, bytes) || ::pthread_rwlock_wrlock(&lock) != 0) return false;
    const bool done = write();
    return ::pthread_rwlock_unlock(&lock) == 0 && done;
  }
};

struct alignas(64) Mutex {
  Mutex() {
    pthread_mutexattr_t shared;
    ::pthread_mutexattr_init(&shared);
    ::pthread_mutexattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    ::pthread_mutex_init(&lock, &shared);
  }
  bool use(auto write, std::span<const std::byte>) {
    if (::pthread_mutex_lock(&lock) != 0) return false;
    const bool done = write();
    return ::pthread_mutex_unlock(&lock) == 0 && done;
  }
  pthread_mutex_t lock;
};

// What no correct reader can do without: one more, one less.
struct alignas(64) Count {
  bool use(auto, std::span<const std::byte> bytes) {
    readers.fetch_add(1);
    const bool done = touch(bytes);
    readers.fetch_sub(1);
    return done;
  }
  std::atomic<std::uint32_t> readers{0};
};

struct alignas(64) Flag {
  bool use(auto write, std::span<const std::byte>) {
    if (taken.exchange(1) != 0) return false;
    const bool done = write();
    taken.store(0, std::memory_order_release);
    return done;
  }
  std::atomic<std::uint32_t> taken{0};
};

// A line of memory for each task, looked at in turn.
class Lines final : public harness::Contestant {
 public:
  Result<harness::Sample> measure(const harness::Job& job) override {
    return time_batches(job, [&](std::size_t) {
      bool found = false;
      for (const Flag& line : lines_) found = found || line.taken.load() != 0;
      return !found;
    });
  }

 private:
  std::vector<Flag> lines_{kManyTasks};
};

template <class T, class... Arguments>
harness::MakeContestant make(Arguments... arguments) {
  return [=] { return std::make_unique<T>(arguments...); };
}

}  // namespace

void add_local_rows(harness::Program& program) {
  const auto match = [&](const std::string& row, How how, std::size_t size,
                         std::vector<harness::Entrant> peers) {
    harness::Match m;
    m.server = false;
    m.entrants = std::move(peers);
    m.entrants.insert(m.entrants.begin(), {"krg", make<Local>(how)});
    m.rows = {{row, "ns", {.size = size}}};
    program.add(std::move(m));
  };
  const std::vector<harness::Entrant> readers = {{"pthread rwlock", make<Locks<ReadLock>>()},
                                                 {"std::atomic", make<Locks<Count>>()}};
  const std::vector<harness::Entrant> writers = {{"pthread mutex", make<Locks<Mutex>>()},
                                                 {"std::atomic", make<Locks<Flag>>()}};
  for (const std::size_t size : program.sizes_or({64})) {
    match("local_get_put_ns", How::get, size, readers);
    match("local_get_put_ns, handle", How::get_by_handle, size, readers);
    match("local_grab_put_ns", How::grab, size, writers);
    match("local_grab_put_ns, handle", How::grab_by_handle, size, writers);
    match("local_get_grab_ns, handle", How::both_by_handle, size,
          {{"pthread rwlock", make<Locks<ReadThenWriteLock>>()}});
    harness::Match shared;
    shared.entrants = {{"krg", shared_object()},
                       {"pthread rwlock", shared_rwlock()},
                       {"std::atomic", shared_count()}};
    shared.rows = {{"local_get_put_ns, 2 readers of one", "ns", {.size = size}}};
    program.add(std::move(shared));
    match("get_freeze_thaw_ns, 128 tasks", How::freeze, size, {{"128 lines", make<Lines>()}});
  }
}

}  // namespace krg::bench
