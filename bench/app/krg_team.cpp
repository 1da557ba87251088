#include "krg_team.h"

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "krg/error/must.h"
#include "krg/node/status.h"
#include "krg/region/bulk.h"

namespace krg::bench {
namespace {

std::string text_from(const char* variable) {
  const char* const text = std::getenv(variable);
  if (text == nullptr) {
    std::fprintf(stderr, "no %s: to be started by krgrun\n", variable);
    std::exit(2);
  }
  return text;
}

unsigned number_from(const char* variable) {
  return static_cast<unsigned>(std::strtoul(text_from(variable).c_str(), nullptr, 10));
}

}  // namespace

KrgTeam::KrgTeam(const std::string& name, unsigned nodes, const Options& options)
    : Team(number_from("KRG_RANK"), number_from("KRG_SIZE"), nodes),
      name_("bench." + name),
      options_(options),
      space_(must(kddm::Space::connect(), "connecting to krgd")),
      locks_(must(Locks::open(*space_, name_, 1), "the barrier")),
      barrier_(std::make_unique<Barrier>(*locks_, 0, size())) {
  if (rank() % (size() / nodes) == 0) {
    gate_ = must(gate::Client::connect(text_from("KRG_GATE"), {}), "connecting to krgd's counters");
  }
}

KrgTeam::~KrgTeam() = default;

void KrgTeam::barrier() { must(barrier_->arrive_and_wait(), "the barrier"); }

void* KrgTeam::allocate(std::size_t bytes) {
  const std::string name = name_ + "." + std::to_string(regions_.size());
  RegionShape shape;
  shape.placement = Placement::block;
  shape.consistency = options_.consistency;
  if (rank() == 0) must(Region::create(name, bytes, shape), "making an array");
  barrier();
  regions_.push_back(must(Region::attach(name), "an array"));
  return regions_.back().data();
}

const Region* KrgTeam::region_of(const void* begin) const {
  const auto* const byte = static_cast<const std::byte*>(begin);
  for (const Region& region : regions_) {
    if (byte >= region.data() && byte < region.data() + region.size()) return &region;
  }
  return nullptr;
}

void KrgTeam::will_read(const void* begin, std::size_t bytes) {
  const Region* const region = options_.hints && bytes > 0 ? region_of(begin) : nullptr;
  if (region == nullptr) return;
  const auto offset = static_cast<const std::byte*>(begin) - region->data();
  must(prefetch(*region, static_cast<std::size_t>(offset), bytes), "a prefetch");
}

void KrgTeam::will_write(const void* begin, std::size_t bytes) {
  const Region* const region = options_.hints && bytes > 0 ? region_of(begin) : nullptr;
  if (region == nullptr) return;
  const auto offset = static_cast<const std::byte*>(begin) - region->data();
  must(advise(*region, static_cast<std::size_t>(offset), bytes, Advice::owner), "an advice");
}

// All that rpc has sent to other nodes: pages, locks, and what keeps them in order.
Traffic KrgTeam::sent() {
  Traffic traffic;
  if (gate_ == nullptr) return traffic;
  const auto stats = must(gate_->call<node::Stats>({}, std::chrono::seconds(30)), "the counters");
  for (const stats::Item& item : stats.counted.items) {
    const auto value = static_cast<std::uint64_t>(item.value);
    if (item.name == "rpc.to_others.sent.count") traffic.messages = value;
    if (item.name == "rpc.to_others.sent.bytes_out") traffic.bytes = value;
  }
  return traffic;
}

}  // namespace krg::bench
