#include "release_world.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "krg/reactor/event.h"

namespace krg::mm_sim {
namespace {

using namespace std::chrono_literals;

constexpr Duration kPatience = 300s;  // Simulated.

}  // namespace

// --- The cluster --------------------------------------------------------------------------------

ReleaseWorld::Node::Node(sim::World& world, NodeId id)
    : reactor(world.reactor(id)),
      rpc(reactor, rpc::RpcOptions{.self = {id, Incarnation{1}}}),
      pager(reactor, id, 30s),
      releases(pager) {
  fabric::Options options;
  options.self = {id, Incarnation{1}};
  fabric = std::move(*world.open(reactor, rpc, options));
  rpc.attach(*fabric);
  reactor.add_poller(rpc);
  for (std::uint32_t i = 0; i < world.size(); ++i) {
    if (i != id.value) rpc.set_address(NodeId{i}, "sim:" + std::to_string(i));
  }
  kddm.emplace(rpc, kddm::KddmOptions{.self = id, .serving = {}, .stats = nullptr});
  pager.use(*kddm);
  pager.use(releases);
  kddm->add_linker(pager);
  releases.join({&rpc, {}});
}

ReleaseWorld::Node::~Node() {
  reactor.cancel_all();
  releases.stop();
  pager.stop();
  kddm.reset();
  reactor.remove_poller(rpc);
  fabric.reset();
}

ReleaseWorld::ReleaseWorld(std::uint64_t seed)
    : world_({.seed = seed,
              .nodes = 2 + static_cast<std::uint32_t>(seed % 3),
              .detect_min = 1ms,
              .detect_max = 3ms}),
      random_(world_.random()),
      holders_(kLocks, kFree),
      last_(kLocks, kFree),
      lost_(kPages) {
  const std::uint32_t nodes = world_.size();
  for (std::uint32_t i = 0; i < nodes; ++i) {
    nodes_.push_back(std::make_unique<Node>(world_, NodeId{i}));
  }
  // One node may come later; it has no task.
  const bool late = nodes > 2 && random_.chance(300);
  members_ = cluster::NodeSet::first(late ? nodes - 1 : nodes);
  const std::uint32_t crowd = nodes + static_cast<std::uint32_t>(random_.below(3));
  for (std::uint32_t i = 0; i < crowd; ++i) {
    auto task = std::make_unique<Task>();
    task->number = i;
    task->node = i % static_cast<std::uint32_t>(members_.size());
    tasks_.push_back(std::move(task));
  }
  words_.resize(kPages * words_of_page());
  solo_ = random_.chance(400);
  lazy_ = random_.chance(500);
  enter_view();
  make_region();
  world_.run_for(2s);  // So long after a change of the view no page becomes a node's alone.
}

ReleaseWorld::~ReleaseWorld() {
  for (std::uint32_t i = 0; i < nodes_.size(); ++i) {
    if (lives(i)) kill(i);
  }
}

template <class T>
T ReleaseWorld::run_on(std::uint32_t node, Co<T> work) {
  std::optional<T> result;
  const auto keep = [](Co<T> what, std::optional<T>& into) -> Co<void> {
    into.emplace(co_await std::move(what));
  };
  nodes_[node]->reactor.spawn(keep(std::move(work), result));
  world_.wake(NodeId{node});
  KRG_ASSERT(world_.run_until([&] { return result.has_value(); }, kPatience));
  return std::move(*result);
}

cluster::View ReleaseWorld::view() const {
  cluster::View made{Epoch{epoch_}, members_.min(), {}};
  for (const NodeId node : members_) {
    cluster::Member member;
    member.node = node;
    member.incarnation = Incarnation{1};
    made.members.push_back(std::move(member));
  }
  return made;
}

// All prepare; then each commits when its turn comes.
void ReleaseWorld::enter_view() {
  for (const NodeId node : members_) world_.resume(node);
  const cluster::View before = view();
  ++epoch_;
  const cluster::View after = view();
  const cluster::ViewChange change = cluster::compare(before, after);
  for (const NodeId node : members_) {
    if (epoch_ == 1) break;
    static_cast<void>(run_on(node.value, nodes_[node.value]->releases.prepare(change, soon())));
  }
  for (const NodeId node : members_) {
    nodes_[node.value]->kddm->enter(after);
    nodes_[node.value]->releases.commit(change);
    world_.wake(node);
    if (epoch_ > 1) world_.run_for(std::chrono::microseconds(random_.below(300)));
  }
}

void ReleaseWorld::make_region() {
  mm::RegionInfo info;
  info.bytes = info.capacity = kPages * mm::kPageBytes;
  info.consistency = mm::Consistency::release;
  info.placement = random_.chance(700) ? mm::Placement::cyclic : mm::Placement::first_touch;
  if (info.placement == mm::Placement::cyclic) info.nodes = cluster::NodeSet::first(world_.size());
  info.name = "sim";
  const kddm::SetOptions options = mm::Pager::options_of(info);
  KRG_ASSERT(run_on(0, nodes_[0]->releases.homes().make_log(soon())));
  set_ = *run_on(0, nodes_[0]->kddm->create(options, soon()));
  for (const auto& node : nodes_) KRG_ASSERT(node->pager.region(set_, options));
}

void ReleaseWorld::kill(std::uint32_t node) {
  world_.kill(NodeId{node});
  nodes_[node].reset();
  members_.erase(NodeId{node});
  for (std::uint64_t lock = 0; lock < kLocks && lazy_; ++lock) {
    if (last_[lock] != node) continue;
    last_[lock] = kFree;  // The lock is lost with it.
    for (std::uint64_t word = lock; word < words_.size(); word += owners()) {
      words_[word].unknown = true;
    }
  }
  for (const auto& task : tasks_) {
    if (task->node != node || task->ended) continue;
    task->ended = broken_ = true;
    const auto give_up = [&](std::uint64_t owner) {
      for (std::uint64_t word = owner; word < words_.size(); word += owners()) {
        if (words_[word].pending) words_[word].perhaps.push_back(*words_[word].pending);
        words_[word].pending.reset();
      }
    };
    give_up(kLocks + task->number);
    for (std::uint64_t lock = 0; lock < kLocks; ++lock) {
      if (holders_[lock] != task->number) continue;
      give_up(lock);
      holders_[lock] = kFree;
    }
  }
}

void ReleaseWorld::misfortune() {
  const NodeId node{static_cast<std::uint32_t>(random_.below(world_.size()))};
  const NodeId other{static_cast<std::uint32_t>(random_.below(world_.size()))};
  switch (random_.below(12)) {
    case 0:
    case 1:
    case 2:
      if (!lives(node.value)) break;
      world_.stop(node);
      world_.run_for(std::chrono::microseconds(random_.below(2000)));
      if (lives(node.value)) world_.resume(node);
      break;
    case 3:
    case 4:
    case 5:
      if (node == other) break;
      world_.set_latency(node, other, {.min = 50us, .max = 800us});
      break;
    case 6:
      if (members_.size() < world_.size() && report_.deaths == 0) {
        members_ = cluster::NodeSet::first(world_.size());
        enter_view();
      }
      break;
    case 7:
      if (report_.deaths > 0 || members_.size() < 2 || !random_.chance(200)) break;
      if (!members_.contains(node)) break;
      ++report_.deaths;
      kill(node.value);
      world_.run_for(5ms);
      enter_view();
      break;
    default:
      break;
  }
}

bool ReleaseWorld::all_have_ended() const {
  return std::all_of(tasks_.begin(), tasks_.end(), [](const auto& task) { return task->ended; });
}

Report ReleaseWorld::run() {
  for (const auto& task : tasks_) {
    nodes_[task->node]->reactor.spawn(live(*task));
    world_.wake(NodeId{task->node});
  }
  const TimePoint limit = world_.now() + kPatience;
  while (!all_have_ended() && report_.complaint.empty()) {
    const auto done = [&] { return all_have_ended() || !report_.complaint.empty(); };
    if (world_.run_until(done, std::chrono::microseconds(random_.below(3000)))) break;
    misfortune();
    if (world_.now() > limit) complain("tasks that do not end");
  }
  report_.trace = world_.trace();
  return report_;
}

// --- The tasks ----------------------------------------------------------------------------------

void ReleaseWorld::complain(std::string what) {
  if (report_.complaint.empty()) report_.complaint = std::move(what);
}

std::vector<std::uint64_t> ReleaseWorld::words_of(std::uint64_t owner) const {
  std::vector<std::uint64_t> all;
  for (std::uint64_t word = owner; word < words_.size(); word += owners()) {
    if (!lost_[word / words_of_page()]) all.push_back(word);
  }
  return all;
}

Co<void> ReleaseWorld::live(Task& task) {
  static_cast<void>(co_await acquire(task));
  for (std::uint64_t round = 0; round < kRounds; ++round) {
    const bool works = !solo_ || broken_ || round % tasks_.size() == task.number;
    const std::uint64_t times = works ? random_.between(1, solo_ ? 10 : 4) : 0;
    for (std::uint64_t i = 0; i < times; ++i) {
      if (random_.chance(500)) {
        co_await use_lock(task, random_.below(kLocks));
      } else {
        co_await use(task, kLocks + task.number);
        static_cast<void>(co_await release(task));
      }
      co_await reactor::sleep_for(reactor_of(task), some_time());
    }
    co_await meet(task);
  }
  task.ended = true;
}

// Reads what is the owner's, and changes some of it.
Co<void> ReleaseWorld::use(Task& task, std::uint64_t owner) {
  const std::vector<std::uint64_t> words = words_of(owner);
  for (const std::uint64_t word : words) {
    if (random_.chance(400)) continue;
    const std::optional<std::uint64_t> before = co_await read(task, word);
    if (!before) continue;
    judge(task, word, *before);
    if (random_.chance(300)) continue;
    static_cast<void>(co_await write(task, word, next_value_++));
  }
}

Co<void> ReleaseWorld::use_lock(Task& task, std::uint64_t lock) {
  while (holders_[lock] != kFree) co_await reactor::sleep_for(reactor_of(task), 5us + some_time());
  holders_[lock] = task.number;
  co_await take_lock(task, lock);
  co_await use(task, lock);
  if (lazy_) {
    publish(lock);
  } else {
    static_cast<void>(co_await release(task));
  }
  holders_[lock] = kFree;
}

// As a mutex does: on the node where it was last there is nothing to be done.
Co<void> ReleaseWorld::take_lock(Task& task, std::uint64_t lock) {
  const std::uint32_t last = std::exchange(last_[lock], task.node);
  if (!lazy_) {
    static_cast<void>(co_await acquire(task));
  } else if (last != task.node) {
    const NodeId from = last == kFree ? kNoNode : NodeId{last};
    const Status done = co_await nodes_[task.node]->releases.take_over(from, soon());
    if (!done && done.error().code() == Errc::peer_down) {
      // The next holder is told that the last one has died.
      for (const std::uint64_t word : words_of(lock)) words_[word].unknown = true;
    } else if (!done) {
      complain(fmt::format("a lock of task {}: {}", task.number, done.error().message()));
    }
  }
}

// What is pending of it is seen by whoever acquires next.
void ReleaseWorld::publish(std::uint64_t owner) {
  for (std::uint64_t word = owner; word < words_.size(); word += owners()) {
    Word& of = words_[word];
    if (!of.pending) continue;
    of.value = *std::exchange(of.pending, std::nullopt);
    of.perhaps.clear();
    of.unknown = false;
  }
}

// Everybody sees what all have written before.
Co<void> ReleaseWorld::meet(Task& task) {
  if (broken_) co_return;
  static_cast<void>(co_await release(task));
  co_await wait_for_all(task);
  static_cast<void>(co_await acquire(task));
  if (!broken_) co_await look_at_all(task);
  co_await wait_for_all(task);
}

Co<void> ReleaseWorld::wait_for_all(Task& task) {
  const std::uint64_t mine = ++task.met;
  const auto have_come = [&] {
    return std::all_of(tasks_.begin(), tasks_.end(),
                       [&](const auto& other) { return other->met >= mine; });
  };
  while (!broken_ && !have_come()) {
    co_await reactor::sleep_for(reactor_of(task), 5us + some_time());
  }
}

Co<void> ReleaseWorld::look_at_all(Task& task) {
  for (std::uint64_t word = 0; word < words_.size(); ++word) {
    if (lost_[word / words_of_page()] || random_.chance(700)) continue;
    const std::optional<std::uint64_t> seen = co_await read(task, word);
    if (broken_) co_return;
    if (seen) judge(task, word, *seen);
  }
}

Co<bool> ReleaseWorld::release(Task& task) {
  std::vector<std::uint64_t> owned(1, kLocks + task.number);
  for (std::uint64_t lock = 0; lock < kLocks; ++lock) {
    if (holders_[lock] == task.number) owned.push_back(lock);
  }
  ++report_.releases;
  const Status done = co_await nodes_[task.node]->releases.release(set_, soon());
  if (!done && done.error().code() != Errc::lost) {
    complain(fmt::format("a release of task {}: {}", task.number, done.error().message()));
  }
  for (const std::uint64_t owner : owned) publish(owner);
  report_.alone += nodes_[task.node]->releases.alone(set_);
  co_return static_cast<bool>(done);
}

Co<bool> ReleaseWorld::acquire(Task& task) {
  const Status done = co_await nodes_[task.node]->releases.acquire(set_, soon());
  if (!done)
    complain(fmt::format("an acquire of task {}: {}", task.number, done.error().message()));
  co_return static_cast<bool>(done);
}

// As a fault: again and again, until the page is there or lost.
Co<Status> ReleaseWorld::bring(Task& task, mm::Page page, mm::Access access) {
  mm::Releases& releases = nodes_[task.node]->releases;
  while (region_of(task)->pages().access(page) < access) {
    auto bringing = access == mm::Access::write ? releases.take(set_, page, 1, soon())
                                                : releases.bring(set_, page, 1, soon());
    const Status done = co_await std::move(bringing);
    if (!done && done.error().code() == Errc::lost) {
      lost_[page.value] = true;
      co_return done;
    }
    if (region_of(task)->pages().access(page) >= access) break;
    co_await reactor::sleep_for(reactor_of(task), 3us);
  }
  co_return Status();
}

Co<std::optional<std::uint64_t>> ReleaseWorld::read(Task& task, std::uint64_t word) {
  const mm::Page page{word / words_of_page()};
  const Status here = co_await bring(task, page, mm::Access::read);
  if (!here) co_return std::nullopt;
  ++report_.reads;
  std::uint64_t value = 0;
  std::memcpy(&value, region_of(task)->address(page) + word % words_of_page() * sizeof value,
              sizeof value);
  co_return value;
}

Co<bool> ReleaseWorld::write(Task& task, std::uint64_t word, std::uint64_t value) {
  const mm::Page page{word / words_of_page()};
  const Status here = co_await bring(task, page, mm::Access::write);
  if (!here) co_return false;
  ++report_.writes;
  words_[word].pending = value;
  std::memcpy(region_of(task)->address(page) + word % words_of_page() * sizeof value, &value,
              sizeof value);
  co_return true;
}

void ReleaseWorld::judge(const Task& task, std::uint64_t word, std::uint64_t read) {
  const Word& of = words_[word];
  if (read == of.pending.value_or(of.value)) return;
  const bool dead = std::find(of.perhaps.begin(), of.perhaps.end(), read) != of.perhaps.end();
  if (!of.pending && (dead || of.unknown)) return;
  if (lost_[word / words_of_page()]) return;
  complain(fmt::format("task {} on node {} reads {} in word {} of page {}, which is {}",
                       task.number, task.node, read, word % words_of_page(), word / words_of_page(),
                       of.pending.value_or(of.value)));
}

Report run_seed(std::uint64_t seed) { return ReleaseWorld(seed).run(); }

}  // namespace krg::mm_sim
