// krg_mm_growth: what a fault costs at a node that is full, by the pages that it has and the nodes
// there are.
//
// Simulated nodes in one process; the protocol, the clock that finds pages to give away and what a
// node knows of each page are krg's, only the memory of the pages is not there. Node 0 has as many
// pages as fit its budget; then it touches others, and for each of them one goes to another node.
#include <fmt/core.h>
#include <malloc.h>
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "krg/kddm/kddm.h"
#include "krg/mm/pages.h"
#include "krg/rpc/rpc.h"
#include "krg/sim/world.h"
#include "krg/store/residence.h"

using namespace krg;  // NOLINT

namespace {

constexpr const char* kName = "krg_mm_growth";
constexpr std::uint64_t kPageBytes = 4096;
constexpr Duration kPatience = std::chrono::hours(10);  // Simulated.

double cpu_now() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double heap_bytes() {
  const auto all = ::mallinfo2();
  return static_cast<double>(all.uordblks + all.hblkhd);
}

// The pages of a node without their memory: all lie in the same place.
class Frames final : public kddm::Linker, private kddm::Residence {
 public:
  explicit Frames(std::uint64_t pages) : pages_(pages) {}

  const char* name() const noexcept override { return "frames"; }
  kddm::Residence* residence() noexcept override { return this; }
  Co<Status> first_touch(kddm::SetId, kddm::ObjectId, Bytes) override { co_return Status(); }
  void let_in(mm::Page page) {
    static_cast<void>(pages_.granted(page, mm::Access::write, 0, nobody_));
  }

 private:
  static mm::Page page_of(kddm::ObjectId object) noexcept { return mm::Page{object.value}; }
  std::span<std::byte> place(kddm::SetId, kddm::ObjectId) noexcept override { return frame_; }
  void let_go(kddm::SetId) noexcept override {}
  void write(kddm::SetId, kddm::ObjectId, std::span<const std::byte>) noexcept override {}
  void read(kddm::SetId, kddm::ObjectId, std::span<std::byte> into) noexcept override {
    std::fill(into.begin(), into.end(), std::byte{0});
  }
  bool is_open(kddm::SetId, kddm::ObjectId object) const noexcept override {
    return pages_.access(page_of(object)) != mm::Access::none;
  }
  void protect(kddm::SetId, kddm::ObjectId object) noexcept override {
    pages_.protect(page_of(object), 0);
  }
  void vacate(kddm::SetId, kddm::ObjectId object) noexcept override {
    pages_.vacate(page_of(object), 0);
  }
  void cool(kddm::SetId, kddm::ObjectId object) noexcept override { pages_.cool(page_of(object)); }
  bool is_warm(kddm::SetId, kddm::ObjectId object) const noexcept override {
    return !pages_.is_cold(page_of(object));
  }

  mm::Pages pages_;
  std::array<std::byte, kPageBytes> frame_{};
  std::vector<mm::Pages::Waiting> nobody_;
};

struct Node {
  Node(sim::World& world, NodeId id, std::uint64_t limit, std::uint64_t pages)
      : reactor(world.reactor(id)),
        rpc(reactor, rpc::RpcOptions{.self = {id, Incarnation{1}}}),
        frames(pages) {
    fabric::Options options;
    options.self = {id, Incarnation{1}};
    fabric = std::move(*world.open(reactor, rpc, options));
    rpc.attach(*fabric);
    reactor.add_poller(rpc);
    for (std::uint32_t i = 0; i < world.size(); ++i) {
      if (i != id.value) rpc.set_address(NodeId{i}, "sim:" + std::to_string(i));
    }
    kddm.emplace(rpc, kddm::KddmOptions{.self = id, .serving = {}, .limit_bytes = limit});
    kddm->add_linker(frames);
  }
  ~Node() {
    reactor.cancel_all();
    kddm.reset();
    reactor.remove_poller(rpc);
    fabric.reset();
  }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  reactor::Reactor& reactor;
  rpc::Rpc rpc;
  Frames frames;
  std::unique_ptr<fabric::Fabric> fabric;
  std::optional<kddm::Kddm> kddm;
};

struct Figures {
  double fill_us = 0;     // Of the process, all nodes together, for a page that is made.
  double full_us = 0;     // The same at the full node.
  double longest_us = 0;  // What the process did between two events of the full node.
  double bytes = 0;       // For a page, on all nodes together.
  double moved = 0;       // Pages that went away for each that was made at the full node.
};

class Bench {
 public:
  // `extra`: pages that are made when the node is full.
  Bench(std::uint32_t nodes, std::uint64_t pages, std::uint64_t extra)
      : world_({.seed = 1, .nodes = nodes}), pages_(pages), extra_(extra) {
    const std::uint64_t budget = kddm::Block::footprint(kPageBytes) * pages / 15 * 16;
    for (std::uint32_t i = 0; i < nodes; ++i) {
      nodes_.push_back(
          std::make_unique<Node>(world_, NodeId{i}, i == 0 ? budget : 0, pages_ + extra_));
    }
    cluster::View view{Epoch{1}, NodeId{0}, {}};
    for (std::uint32_t i = 0; i < nodes; ++i) {
      cluster::Member member;
      member.node = NodeId{i};
      member.incarnation = Incarnation{1};
      view.members.push_back(std::move(member));
    }
    for (std::uint32_t i = 0; i < nodes; ++i) {
      nodes_[i]->kddm->enter(view);
      world_.wake(NodeId{i});
    }
  }
  ~Bench() {
    for (const auto& node : nodes_) node->reactor.cancel_all();
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  Result<Figures> measure() {
    KRG_TRY(run(make_set()));
    const double before = heap_bytes();
    double begin = cpu_now();
    KRG_TRY(run(touch(0, pages_)));
    Figures figures;
    figures.fill_us = (cpu_now() - begin) * 1e6 / static_cast<double>(pages_);
    figures.bytes = (heap_bytes() - before) / static_cast<double>(pages_);
    const std::uint64_t moved = nodes_[0]->kddm->memory_use().moved;
    longest_ = 0;
    begin = cpu_now();
    KRG_TRY(run(touch(pages_, extra_)));
    figures.full_us = (cpu_now() - begin) * 1e6 / static_cast<double>(extra_);
    figures.longest_us = longest_ * 1e6;
    figures.moved = static_cast<double>(nodes_[0]->kddm->memory_use().moved - moved) /
                    static_cast<double>(extra_);
    return figures;
  }

 private:
  Co<void> keep(Co<Status> what) { ended_.emplace(co_await std::move(what)); }
  Status run(Co<Status> what) {
    ended_.reset();
    nodes_[0]->reactor.spawn(keep(std::move(what)));
    world_.wake(NodeId{0});
    double last = cpu_now();
    const bool done = world_.run_until(
        [&] {
          const double now = cpu_now();
          longest_ = std::max(longest_, now - last);
          last = now;
          return ended_.has_value();
        },
        kPatience);
    return done ? *ended_ : Status(Error(Errc::timed_out, "the simulated cluster"));
  }
  Deadline soon() { return nodes_[0]->reactor.after(kPatience); }
  Co<Status> make_set() {
    kddm::SetOptions options;
    options.object_bytes = kPageBytes;
    options.object_count = pages_ + extra_;
    options.linker = "frames";
    KRG_CO_TRY_ASSIGN(set_, co_await nodes_[0]->kddm->create(options, soon()));
    co_return Status();
  }
  Co<Status> touch(std::uint64_t first, std::uint64_t count) {
    const kddm::OpOptions options{.deadline = soon()};
    for (std::uint64_t page = first; page < first + count; ++page) {
      const auto lease = co_await nodes_[0]->kddm->grab(set_, kddm::ObjectId{page}, options);
      if (!lease && lease.error().code() == Errc::no_space) {
        co_await reactor::sleep_for(nodes_[0]->reactor, std::chrono::milliseconds(1));
        --page;
        continue;
      }
      if (!lease) co_return lease.error();
      nodes_[0]->frames.let_in(mm::Page{page});
    }
    co_return Status();
  }

  sim::World world_;
  const std::uint64_t pages_, extra_;
  std::vector<std::unique_ptr<Node>> nodes_;
  kddm::SetId set_;
  std::optional<Status> ended_;
  double longest_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::uint32_t> nodes{2, 8, 64};
  std::vector<std::uint64_t> pages{1 << 10, 1 << 14, 1 << 18, 1 << 20};
  std::uint64_t extra = 0;
  bool json = false;
  CLI::App app("What a fault costs at a full node, simulated in one process.", kName);
  app.add_option("--nodes", nodes, "sizes of the cluster (default 2,8,64)")
      ->delimiter(',')
      ->check(CLI::Range(2, 1024));
  app.add_option("--pages", pages, "pages of the full node (default 1024,16384,262144,1048576)")
      ->delimiter(',')
      ->check(CLI::Range(std::uint64_t{256}, std::uint64_t{1} << 26));
  app.add_option("--extra", extra,
                 "pages that it touches when it is full (default 20000, or a quarter of those)")
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 26));
  app.add_flag("--json", json, "one JSON object a line instead of a table");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    fmt::print(stderr, "{}: {}\n", kName, error.what());
    return 2;
  }
  if (!json) {
    fmt::print("{:>6} {:>10} {:>10} {:>10} {:>8} {:>11} {:>8}\n", "nodes", "pages", "us to make",
               "us if full", "moved", "longest us", "bytes");
  }
  for (const std::uint32_t n : nodes) {
    for (const std::uint64_t p : pages) {
      const auto figures =
          Bench(n, p, extra != 0 ? extra : std::max(std::uint64_t{20'000}, p / 4)).measure();
      if (!figures) {
        fmt::print(stderr, "{}: {} nodes: {}\n", kName, n, figures.error().message());
        return 1;
      }
      if (json) {
        nlohmann::ordered_json line;
        line["bench"] = kName;
        line["transport"] = "sim";
        line["nodes"] = n;
        line["pages"] = p;
        line["make_us"] = figures->fill_us;
        line["full_us"] = figures->full_us;
        line["moved_per_fault"] = figures->moved;
        line["longest_us"] = figures->longest_us;
        line["bytes_per_page"] = figures->bytes;
        fmt::print("{}\n", line.dump());
      } else {
        fmt::print("{:>6} {:>10} {:>10.2f} {:>10.2f} {:>8.2f} {:>11.0f} {:>8.0f}\n", n, p,
                   figures->fill_us, figures->full_us, figures->moved, figures->longest_us,
                   figures->bytes);
      }
      std::fflush(stdout);
    }
  }
  return 0;
}
