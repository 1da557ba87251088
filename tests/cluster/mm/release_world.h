// A simulated cluster with one region of release consistency, used by programs without data races.
//
// Model    each node has KDDM, a pager and the region's memory, as krgd has; a task is a coroutine
//          of its node that reads and writes what is open to it there, and waits for the rest. Its
//          locks and barriers are the world's own and take effect at once, so what a task must see
//          is known: of words under a lock what the last holder has released, of words of its own
//          what it wrote. Whatever else it reads is said.
// Threads  one.
// Blocks   never.
// Source   docs/design/mm.md, "Release consistency"
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "krg/kddm/kddm.h"
#include "krg/rpc/rpc.h"
#include "krg/sim/world.h"
#include "pager.h"
#include "releases.h"

namespace krg::mm_sim {

struct Report {
  std::string complaint;  // Empty: nothing was wrong.
  std::uint64_t reads = 0, writes = 0, releases = 0, alone = 0, deaths = 0;
  std::uint64_t trace = 0;
};

// One world by its seed: how many nodes, where pages are at home, who does what, and which nodes
// stop, are slow, or die.
Report run_seed(std::uint64_t seed);

class ReleaseWorld {
 public:
  explicit ReleaseWorld(std::uint64_t seed);
  ~ReleaseWorld();
  ReleaseWorld(const ReleaseWorld&) = delete;
  ReleaseWorld& operator=(const ReleaseWorld&) = delete;

  Report run();

 private:
  static constexpr std::uint64_t kPages = 4;
  static constexpr std::uint64_t kLocks = 3;
  static constexpr std::uint64_t kRounds = 6;
  static constexpr std::uint32_t kFree = ~0U;

  struct Node {
    Node(sim::World& world, NodeId id);
    ~Node();
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    reactor::Reactor& reactor;
    rpc::Rpc rpc;
    mm::Pager pager;
    mm::Releases releases;
    std::unique_ptr<fabric::Fabric> fabric;
    std::optional<kddm::Kddm> kddm;
  };
  // A word as its writers know it.
  struct Word {
    std::uint64_t value = 0;               // Released.
    std::optional<std::uint64_t> pending;  // Written since.
    std::vector<std::uint64_t> perhaps;    // What somebody had written who has died.
    bool unknown = false;                  // It died with the lock that nobody had taken over.
  };
  struct Task {
    std::uint32_t number = 0;
    std::uint32_t node = 0;
    std::uint64_t met = 0;  // How often it has come to the barrier.
    bool ended = false;
  };

  // --- The cluster
  template <class T>
  T run_on(std::uint32_t node, Co<T> work);
  void make_region();
  cluster::View view() const;
  void enter_view();
  void misfortune();
  void kill(std::uint32_t node);
  bool lives(std::uint32_t node) const { return nodes_[node] != nullptr; }
  Deadline soon() const { return Deadline(world_.now() + std::chrono::seconds(100)); }
  bool all_have_ended() const;

  // --- The tasks
  Co<void> live(Task& task);
  Co<void> use(Task& task, std::uint64_t owner);
  Co<void> use_lock(Task& task, std::uint64_t lock);
  Co<void> meet(Task& task);
  Co<void> wait_for_all(Task& task);
  Co<void> look_at_all(Task& task);
  Co<void> take_lock(Task& task, std::uint64_t lock);
  Co<bool> release(Task& task);
  void publish(std::uint64_t owner);
  Co<bool> acquire(Task& task);
  // nullopt, false: the page is lost.
  Co<std::optional<std::uint64_t>> read(Task& task, std::uint64_t word);
  Co<bool> write(Task& task, std::uint64_t word, std::uint64_t value);
  // Errors  lost
  Co<Status> bring(Task& task, mm::Page page, mm::Access access);
  void judge(const Task& task, std::uint64_t word, std::uint64_t read);
  Duration some_time() { return std::chrono::microseconds(random_.below(40)); }
  reactor::Reactor& reactor_of(const Task& task) { return nodes_[task.node]->reactor; }
  mm::Region* region_of(const Task& task) { return nodes_[task.node]->pager.find(set_); }
  void complain(std::string what);

  // A page's first words are of the locks, then of the tasks, and so on, twice.
  std::uint64_t owners() const { return kLocks + tasks_.size(); }
  std::uint64_t words_of_page() const { return 2 * owners(); }
  // Of an owner, those in pages that are not lost.
  std::vector<std::uint64_t> words_of(std::uint64_t owner) const;

  sim::World world_;
  sim::Random& random_;
  std::vector<std::unique_ptr<Node>> nodes_;
  cluster::NodeSet members_;
  std::uint32_t epoch_ = 0;
  kddm::SetId set_;
  std::vector<std::unique_ptr<Task>> tasks_;
  std::vector<Word> words_;
  std::vector<std::uint32_t> holders_;  // Of locks: the task,
  std::vector<std::uint32_t> last_;     // and the node where it was held last.
  std::vector<bool> lost_;              // Pages.
  bool broken_ = false;                 // The barrier: not everybody comes any more.
  bool solo_ = false;                   // In each round one task alone works.
  bool lazy_ = false;                   // Who takes a lock over has its last node release.
  std::uint64_t next_value_ = 1;
  Report report_;
};

}  // namespace krg::mm_sim
