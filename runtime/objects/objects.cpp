#include "krg/objects/objects.h"

#include <algorithm>
#include <utility>

#include "krg/log/log.h"
#include "krg/objects/budget.h"

namespace krg::objects {
namespace {

// Of objects at a time; address space until it is touched.
constexpr std::uint32_t kSlots = std::uint32_t{1} << 24;
constexpr std::uint32_t kTasks = 1024;
// Well below what a lease of the node is renewed for.
constexpr Duration kLeaseLook = std::chrono::milliseconds(50);
// As long as there is no lease nothing hits: so the next one is not to be missed for long.
constexpr Duration kLeaseWait = std::chrono::milliseconds(1);

// In whole pages, one at least; no more than a store can have.
std::uint64_t limit_of(std::uint64_t wanted) {
  const std::uint64_t bytes = std::min(wanted == 0 ? default_budget() : wanted,
                                       std::uint64_t{kddm::Geometry::kDataBytesMax});
  return std::max<std::uint64_t>(bytes / kddm::kStorePage, 1) * kddm::kStorePage;
}

}  // namespace

Objects::Objects(rpc::Rpc& rpc, Options options)
    : options_(std::move(options)),
      reactor_(rpc.reactor()),
      io_(rpc.reactor()),
      files_(options_.self, &io_),
      kddm_(rpc, {.self = options_.self,
                  .serving = options_.serving,
                  .stats = options_.stats,
                  .limit_bytes = limit_of(options_.limit_bytes)}) {
  kddm_.add_linker(files_);
}

Objects::~Objects() = default;

void Objects::open(gate::Server& gate) {
  access_ =
      std::make_unique<kddm::TaskAccess>(reactor_, gate, kddm_, [this] { return make_store(); });
}

void Objects::on_timer() noexcept {
  const TimePoint until = options_.lease_until();
  store_->serve_until(until);
  const bool serves = until > reactor_.now();
  reactor_.add_timer(*this, reactor_.after(serves ? kLeaseLook : kLeaseWait));
}

Result<kddm::NodeStore*> Objects::make_store() {
  if (store_) return store_.get();
  kddm::StoreOptions options;
  options.budget_bytes = limit_of(options_.limit_bytes);
  options.geometry = {.slots = kSlots, .tasks = kTasks, .data_bytes = options.budget_bytes};
  KRG_TRY_ASSIGN(kddm::NodeStore made, kddm::NodeStore::create(options));
  store_ = std::make_unique<kddm::NodeStore>(std::move(made));
  on_timer();
  kddm_.use_store(*store_);
  return store_.get();
}

}  // namespace krg::objects
