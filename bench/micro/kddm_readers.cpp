#include "kddm_readers.h"

#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstring>
#include <new>
#include <string>

#include "kddm_timing.h"
#include "krg/share/local_store.h"
#include "krg/share/node_store.h"
#include "krg/shm/segment.h"

namespace krg::bench {
namespace {

// How the other process gets a descriptor of this one.
std::string path_of(int fd) {
  return "/proc/" + std::to_string(::getpid()) + "/fd/" + std::to_string(fd);
}

kddm::StoreOptions options() {
  kddm::StoreOptions store;
  store.geometry = {.slots = 16, .tasks = 4, .data_bytes = 1u << 20};
  store.budget_bytes = store.geometry.data_bytes;
  return store;
}

class SharedObject final : public harness::Contestant {
 public:
  Status open(harness::Side side, harness::Meeting& meeting) override {
    return side == harness::Side::server ? open_krgd(meeting) : open_task(meeting);
  }
  void serve(const harness::Job&, const harness::Baton& baton) override {
    while (baton.held()) {
      const kddm::ReadLease lease = task_->try_read(handle_);
      if (lease) touch(lease.bytes());
    }
  }
  Result<harness::Sample> measure(const harness::Job& job) override {
    return time_batches(job, [&](std::size_t) {
      const kddm::ReadLease lease = task_->try_read(handle_);
      return lease && touch(lease.bytes());
    });
  }

 private:
  Status open_krgd(harness::Meeting& meeting) {
    KRG_TRY_ASSIGN(kddm::NodeStore node, kddm::NodeStore::create(options()));
    node_ = std::make_unique<kddm::NodeStore>(std::move(node));
    node_->serve_until(Deadline::never().at());
    KRG_TRY_ASSIGN(const kddm::SlotId slot, node_->allocate(kSet, kddm::ObjectId{0}, 64));
    std::memset(node_->bytes(slot).data(), 0, 64);
    KRG_TRY(node_->thaw(slot, kddm::Access::write));
    handle_ = node_->handle(slot);
    KRG_TRY_ASSIGN(const kddm::TaskIndex mine, node_->attach());
    KRG_TRY_ASSIGN(const kddm::TaskIndex other, node_->attach());
    KRG_TRY_ASSIGN(task_, kddm::LocalStore::open_in_krgd(*node_, mine, {}));
    meeting.exchange(path_of(node_->directory_fd()));
    meeting.exchange(path_of(node_->shared_fd()));
    meeting.exchange(std::to_string(other.value));
    return {};
  }
  Status open_task(harness::Meeting& meeting) {
    UniqueFd directory(::open(meeting.exchange(std::string()).c_str(), O_RDONLY | O_CLOEXEC));
    UniqueFd shared(::open(meeting.exchange(std::string()).c_str(), O_RDWR | O_CLOEXEC));
    const kddm::TaskIndex index{
        static_cast<std::uint32_t>(std::stoul(meeting.exchange(std::string())))};
    KRG_TRY_ASSIGN(task_,
                   kddm::LocalStore::open(
                       {std::move(directory), std::move(shared), options().geometry, index}, {}));
    handle_ = task_->find(kSet, kddm::ObjectId{0});
    return {};
  }

  std::unique_ptr<kddm::NodeStore> node_;
  std::unique_ptr<kddm::LocalStore> task_;
  kddm::Handle handle_;
};

// A lock and the bytes it guards, in a segment of their own.
template <class Lock>
class SharedLock final : public harness::Contestant {
 public:
  Status open(harness::Side side, harness::Meeting& meeting) override {
    if (side == harness::Side::server) {
      KRG_TRY_ASSIGN(segment_, shm::Segment::create("krg-bench", sizeof(Guarded)));
      guarded_ = new (segment_.bytes().data()) Guarded;
      meeting.exchange(path_of(segment_.fd()));
      return {};
    }
    UniqueFd fd(::open(meeting.exchange(std::string()).c_str(), O_RDWR | O_CLOEXEC));
    KRG_TRY_ASSIGN(segment_, shm::Segment::adopt(std::move(fd), sizeof(Guarded)));
    guarded_ = reinterpret_cast<Guarded*>(segment_.bytes().data());
    return {};
  }
  void serve(const harness::Job&, const harness::Baton& baton) override {
    while (baton.held()) read();
  }
  Result<harness::Sample> measure(const harness::Job& job) override {
    return time_batches(job, [this](std::size_t) { return read(); });
  }

 private:
  struct Guarded {
    alignas(128) Lock lock;
    alignas(128) std::byte bytes[64] = {};
  };
  bool read() {
    if (!guarded_->lock.enter()) return false;
    const bool done = touch(std::span<const std::byte>(guarded_->bytes));
    return guarded_->lock.leave() && done;
  }

  shm::Segment segment_;
  Guarded* guarded_ = nullptr;
};

struct ReadLock {
  ReadLock() {
    pthread_rwlockattr_t shared;
    ::pthread_rwlockattr_init(&shared);
    ::pthread_rwlockattr_setpshared(&shared, PTHREAD_PROCESS_SHARED);
    ::pthread_rwlock_init(&lock, &shared);
  }
  bool enter() { return ::pthread_rwlock_rdlock(&lock) == 0; }
  bool leave() { return ::pthread_rwlock_unlock(&lock) == 0; }
  pthread_rwlock_t lock;
};

struct Count {
  bool enter() { return readers.fetch_add(1) < 2; }
  bool leave() { return readers.fetch_sub(1) > 0; }
  std::atomic<std::uint32_t> readers{0};
};

}  // namespace

harness::MakeContestant shared_object() {
  return [] { return std::make_unique<SharedObject>(); };
}
harness::MakeContestant shared_rwlock() {
  return [] { return std::make_unique<SharedLock<ReadLock>>(); };
}
harness::MakeContestant shared_count() {
  return [] { return std::make_unique<SharedLock<Count>>(); };
}

}  // namespace krg::bench
