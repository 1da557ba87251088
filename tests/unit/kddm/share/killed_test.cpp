// Tasks that are killed with SIGKILL anywhere: what they held is ended, and nobody else notices.

#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <random>
#include <vector>

#include "fixture.h"
#include "krg/testing/seed.h"

namespace krg::kddm {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kObjects = 3;
constexpr std::uint32_t kSerials = 1 << 16;

// What the processes of the test know of each other.
struct Board {
  std::atomic<bool> dead[kSerials];
  std::atomic<std::uint64_t> bad;
  std::atomic<std::uint64_t> leases;
};

// Bytes of an object: who writes it; 0: nobody. A dead task may have left its number.
struct Content {
  std::uint32_t writer;
  std::uint32_t unused;
  std::uint64_t writes;
};

Board* make_board() {
  void* const page =
      ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  EXPECT_NE(page, MAP_FAILED);
  return static_cast<Board*>(page);
}

std::unique_ptr<LocalStore> open_in_child(NodeStore& node, TaskIndex task, const int* bell) {
  auto store = LocalStore::open(
      {copy_of(node.directory_fd()), copy_of(node.shared_fd()), node.geometry(), task},
      {[](void* who) noexcept {
         const std::uint64_t one = 1;
         (void)!::write(*static_cast<int*>(who), &one, sizeof one);
       },
       const_cast<int*>(bell)});
  if (!store) ::_exit(3);
  return std::move(*store);
}

void check(Board& board, const Content& content) {
  const std::uint32_t writer = content.writer;
  if (writer != 0 && !board.dead[writer % kSerials]) ++board.bad;
}

void write_in_child(LocalStore& store, Board& board, std::uint32_t serial, ObjectId object) {
  WriteLease lease = store.try_write(kSet, object);
  if (!lease) {
    ::sched_yield();
    return;
  }
  auto* const content = reinterpret_cast<volatile Content*>(lease.bytes().data());
  const std::uint32_t before = content->writer;
  if (before != 0 && !board.dead[before % kSerials]) ++board.bad;
  content->writer = serial;
  content->writes = content->writes + 1;
  if (content->writer != serial) ++board.bad;
  content->writer = 0;
  ++board.leases;
}

[[noreturn]] void live(NodeStore& node, Board& board, TaskIndex task, std::uint32_t serial,
                       const int* bell) {
  const auto store = open_in_child(node, task, bell);
  std::mt19937_64 random(serial);
  for (;;) {
    const ObjectId object{random() % kObjects};
    if (random() % 2 == 0) {
      write_in_child(*store, board, serial, object);
      continue;
    }
    const ReadLease lease = store->try_read(kSet, object);
    if (!lease) {
      ::sched_yield();
      continue;
    }
    check(board, *reinterpret_cast<const Content*>(lease.bytes().data()));
    ++board.leases;
  }
}

class Killed : public ::testing::Test {
 protected:
  struct Child {
    pid_t pid = -1;
    TaskIndex task = kNoTask;
    std::uint32_t serial = 0;
  };

  void SetUp() override {
    bell_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    for (std::uint64_t i = 0; i < kObjects; ++i) {
      slots_[i] = s_.make(ObjectId{i}, i == 0 ? sizeof(Content) : 100 << i, Access::write);
    }
  }
  void TearDown() override {
    for (Child& child : children_) {
      if (child.pid > 0) bury(child);
    }
    ::munmap(board_, sizeof(Board));
    ::close(bell_);
  }

  void bear(Child& child) {
    const auto task = s_.node.attach();
    ASSERT_OK(task);
    child.task = *task;
    child.serial = ++serials_;
    const pid_t self = ::getpid();
    child.pid = ::fork();
    ASSERT_GE(child.pid, 0);
    if (child.pid != 0) return;
    // Does not outlive the test, whatever happens to it.
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != self) ::_exit(4);
    live(s_.node, *board_, child.task, child.serial, &bell_);
  }

  NodeStore::Released bury(Child& child) {
    ::kill(child.pid, SIGKILL);
    int status = 0;
    EXPECT_EQ(::waitpid(child.pid, &status, 0), child.pid);
    EXPECT_TRUE(WIFSIGNALED(status)) << "it ended by itself: " << status;
    child.pid = -1;
    board_->dead[child.serial % kSerials] = true;
    return s_.node.release_all(child.task);
  }

  // Freezes an object and waits until it is idle, by the rings of the living alone.
  void stop_and_go(SlotId slot) {
    if (!s_.node.freeze(slot).idle()) {
      std::vector<SlotId> idle;
      while (std::find(idle.begin(), idle.end(), slot) == idle.end()) {
        pollfd wait{bell_, POLLIN, 0};
        ASSERT_EQ(::poll(&wait, 1, 20000), 1) << "a lease that nobody holds, or a ring is lost";
        std::uint64_t rings = 0;
        (void)!::read(bell_, &rings, sizeof rings);
        s_.node.sweep(idle);
      }
    }
    check(*board_, *reinterpret_cast<const Content*>(s_.node.bytes(slot).data()));
    ASSERT_OK(s_.node.thaw(slot, Access::write));
  }

  Store s_;
  Board* board_ = make_board();
  int bell_ = -1;
  std::array<SlotId, kObjects> slots_{};
  std::array<Child, 3> children_{};
  std::uint32_t serials_ = 0;
};

// Goal    after thousands of deaths at random instants every object can be frozen, read, written;
//         no task ever writes beside another lease; no slot, no task index and no byte is lost.
// Method  three children read and write without a pause. Each round one is killed, what it held is
//         ended, another is born; then krgd freezes an object and waits for rings.
TEST_F(Killed, AtAnyInstant) {
  constexpr int kRounds = 3000;
  std::mt19937_64 random(krg::testing::seed());
  std::uint64_t torn = 0;
  for (Child& child : children_) bear(child);
  for (int round = 0; round < kRounds && !HasFatalFailure(); ++round) {
    const TimePoint until =
        shm::monotonic_now() + Duration(std::chrono::microseconds(random() % 400));
    while (shm::monotonic_now() < until) ::sched_yield();
    Child& child = children_[random() % children_.size()];
    torn += bury(child).torn.size();
    bear(child);
    stop_and_go(slots_[random() % kObjects]);
  }
  for (Child& child : children_) bury(child);
  EXPECT_EQ(board_->bad, 0u);
  EXPECT_EQ(s_.node.tasks(), 0u);
  EXPECT_GT(board_->leases, 1000u);
  EXPECT_GT(torn, 0u) << "nobody died in a write lease";
  std::printf("%d deaths, %lu in a write lease, %lu leases\n", kRounds,
              static_cast<unsigned long>(torn), static_cast<unsigned long>(board_->leases));
  for (const SlotId slot : slots_) {
    EXPECT_TRUE(s_.node.freeze(slot).idle());
    EXPECT_OK(s_.node.free(slot));
  }
  EXPECT_EQ(s_.node.bytes_used(), 0u);
}

// --- at every instruction
// --------------------------------------------------------------------------

// A child that takes and ends one lease between two stops.
pid_t start_stepped(NodeStore& node, TaskIndex task, LeaseKind kind, const int* bell) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const auto store = open_in_child(node, task, bell);
  const Handle handle = store->find(kSet, ObjectId{1});
  (void)static_cast<bool>(store->try_read(handle));  // The thread has its line, the code is loaded.
  if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) ::_exit(5);
  ::raise(SIGSTOP);
  if (kind == LeaseKind::read) {
    const ReadLease lease = store->try_read(handle);
  } else {
    const WriteLease lease = store->try_write(handle);
  }
  ::raise(SIGSTOP);
  ::_exit(0);
}

bool stopped_by(pid_t child, int signal) {
  int status = 0;
  return ::waitpid(child, &status, 0) == child && WIFSTOPPED(status) && WSTOPSIG(status) == signal;
}

// Lets the child do at most `steps` instructions between its stops; how many it did.
int step(pid_t child, int steps) {
  for (int done = 0; done < steps; ++done) {
    if (::ptrace(PTRACE_SINGLESTEP, child, nullptr, nullptr) != 0) return -1;
    int status = 0;
    if (::waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return -1;
    if (WSTOPSIG(status) == SIGSTOP) return done;
  }
  return steps;
}

// Goal    as above, with a death after each single instruction of a lease.
// Method  a child is stepped, killed and buried; then the object must be free for others at once.
//         Where a lease has very many instructions (sanitizers) only some of them.
TEST_F(Killed, AtEveryInstructionOfALease) {
  constexpr int kAll = 1 << 20;
  for (const LeaseKind kind : {LeaseKind::read, LeaseKind::write}) {
    int instructions = kAll;
    int torn = 0;
    int rounds = 0;
    for (int steps = kAll; steps > 0; ++rounds) {
      const auto task = s_.node.attach();
      ASSERT_OK(task);
      const pid_t child = start_stepped(s_.node, *task, kind, &bell_);
      ASSERT_GE(child, 0);
      const bool traced = stopped_by(child, SIGSTOP);
      const int done = traced ? step(child, steps) : -1;
      ::kill(child, SIGKILL);
      int status = 0;
      while (::waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
      }
      ASSERT_TRUE(traced) << "a process can not trace its child here";
      ASSERT_GE(done, 0);
      if (steps == kAll) instructions = done;
      const auto released = s_.node.release_all(*task);
      torn += !released.torn.empty();
      ASSERT_TRUE(s_.node.freeze(slots_[1]).idle()) << "after " << steps << " instructions";
      ASSERT_OK(s_.node.thaw(slots_[1], Access::write));
      steps = std::min(steps, instructions) - (instructions < 1000 ? 1 : instructions / 150);
    }
    std::printf("%d instructions, %d deaths, %d in a write lease\n", instructions, rounds, torn);
    EXPECT_GT(rounds, 50);
    EXPECT_EQ(torn > 0, kind == LeaseKind::write);
  }
}

}  // namespace
}  // namespace krg::kddm
