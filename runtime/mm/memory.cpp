#include "krg/mm/memory.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "addresses.h"
#include "bulk.h"
#include "callers.h"
#include "carry.h"
#include "krg/base/descriptors.h"
#include "krg/mm/report.h"
#include "names.h"
#include "pager.h"
#include "releases.h"
#include "safe.h"
#include "states.h"

namespace krg::mm {
namespace {

Status check_name(const std::string& name) {
  if (!name.empty() && name.size() <= kRegionNameMax) return {};
  return Error(Errc::invalid_argument, "a region's name has 1 to 200 bytes");
}

// Whatever a task passes is read as one.
bool is_userfaultfd(int fd) noexcept {
  std::array<char, 64> target{};
  const std::string link = "/proc/self/fd/" + std::to_string(fd);
  if (::readlink(link.c_str(), target.data(), target.size() - 1) < 0) return false;
  const int flags = ::fcntl(fd, F_GETFL);
  return std::strcmp(target.data(), "anon_inode:[userfaultfd]") == 0 && (flags & O_NONBLOCK) != 0;
}

}  // namespace

class Memory::Impl {
 public:
  Impl(reactor::Reactor& reactor, NodeId self, Duration patience)
      : pager_(reactor, self, patience) {
    pager_.use(releases_);
  }

  void join(Peers peers);
  Releases& releases() noexcept { return releases_; }

  Pager& pager() noexcept { return pager_; }
  void set_may_leave(std::function<bool(pid_t)> ask) { may_leave_ = std::move(ask); }
  void serve(gate::Server& gate);

 private:
  kddm::Kddm& kddm() noexcept { return pager_.kddm(); }
  Co<Result<RegionInfo>> create(gate::Call& call, calls::Create::Request request);
  Co<Result<calls::Find::Reply>> find(gate::Call& call, calls::Find::Request request);
  Co<Result<wire::Empty>> destroy(gate::Call& call, calls::Destroy::Request request);
  Result<RegionState> attach(gate::Call& call, const calls::Attach::Request& request);
  Result<wire::Empty> detach(gate::Call& call, const calls::Detach::Request& request);

  mm::Report::Reply report(const mm::Report::Request& request);
  // Where pages are to be at home. Errors  invalid_argument
  Status place(RegionInfo& info, const calls::Create::Request& request) const;

  Pager pager_;
  Releases releases_{pager_};
  Bulk bulk_{pager_, releases_};
  States states_{pager_, releases_};
  Carry carry_{pager_, bulk_};
  Safe safe_{pager_};
  Peers peers_;
  std::function<bool(pid_t)> may_leave_;
};

// --- Regions ------------------------------------------------------------------------------------

Status Memory::Impl::place(RegionInfo& info, const calls::Create::Request& request) const {
  info.placement = request.placement;
  const std::vector<NodeId> all = peers_.all ? peers_.all() : std::vector<NodeId>();
  switch (request.placement) {
    case Placement::first_touch:
      return {};
    case Placement::node:
      info.home = request.home;
      if (std::find(all.begin(), all.end(), info.home) != all.end()) return {};
      return Error(Errc::invalid_argument, "pages at a node that is no member");
    case Placement::block:
    case Placement::cyclic:
      for (const NodeId node : all) info.nodes.insert(node);
      return info.nodes.empty() ? Status(Error(Errc::not_connected, "no nodes")) : Status();
  }
  return Error(Errc::invalid_argument, "unknown placement");
}

Co<Result<RegionInfo>> Memory::Impl::create(gate::Call& call, calls::Create::Request request) {
  KRG_CO_TRY(check_caller(call));
  KRG_CO_TRY(check_name(request.name));
  if (request.bytes == 0 || std::max(request.bytes, request.capacity) > kRegionBytesMax) {
    co_return Error(Errc::too_large, "a region has 1 to 2^40 bytes");
  }
  if (request.address % kPageBytes != 0) {
    co_return Error(Errc::invalid_argument, "a region's address is that of a page");
  }
  RegionInfo info;
  info.bytes = whole_pages(request.bytes);
  info.capacity = std::max(info.bytes, whole_pages(request.capacity));
  KRG_CO_TRY(place(info, request));
  info.consistency = request.consistency;
  if (info.consistency == Consistency::release) {
    KRG_CO_TRY(co_await releases_.homes().make_log(call.deadline()));
  }
  if (request.copies == 0 || request.copies > kRegionCopiesMax) {
    co_return Error(Errc::invalid_argument, "a region has 1 to 8 copies");
  }
  if (request.copies > 1 && info.consistency != Consistency::sequential) {
    co_return Error(Errc::not_supported, "copies of a region that is not sequentially consistent");
  }
  info.copies = request.copies;
  info.stays = request.stays || (may_leave_ && !may_leave_(call.caller().pid));
  info.address = request.address;
  info.name = request.name;
  if (info.address == 0) {
    const auto address = co_await take_addresses(kddm(), info.capacity, call.deadline());
    if (!address) co_return address.error();
    info.address = *address;
  }
  const auto set = co_await kddm().create(Pager::options_of(info), call.deadline());
  if (!set) co_return set.error();
  info.set = *set;
  const std::string name = set_name(info.name, request.hidden);
  const Status bound = co_await kddm().bind(name, info.set, call.deadline());
  if (bound) co_return info;
  static_cast<void>(co_await kddm().destroy(info.set, call.deadline()));
  co_return bound.error();
}

Co<Result<calls::Find::Reply>> Memory::Impl::find(gate::Call& call, calls::Find::Request request) {
  KRG_CO_TRY(check_caller(call));
  KRG_CO_TRY(check_name(request.name));
  const std::string name = set_name(request.name, request.hidden);
  const auto set = co_await kddm().look_up(name, call.deadline());
  if (!set) co_return set.error();
  const auto options = co_await kddm().options_of(*set, call.deadline());
  if (!options) co_return options.error();
  const auto made = pager_.region(*set, *options);
  if (!made) co_return made.error();
  KRG_CO_TRY(co_await states_.learn(*set, call.deadline()));
  Region* const region = pager_.find(*set);
  if (region == nullptr || region->ended()) co_return Error(Errc::not_found, "it was destroyed");
  KRG_CO_TRY(call.pass_copy(region->fd()));
  co_return calls::Find::Reply{region->info(), region->state()};
}

Co<Result<wire::Empty>> Memory::Impl::destroy(gate::Call& call, calls::Destroy::Request request) {
  KRG_CO_TRY(check_caller(call));
  KRG_CO_TRY(check_name(request.name));
  std::string name = set_name(request.name);
  auto set = co_await kddm().look_up(name, call.deadline());
  if (!set && set.error().code() == Errc::not_found) {
    // Who was making it may have died.
    name = set_name(request.name, true);
    set = co_await kddm().look_up(name, call.deadline());
  }
  if (!set) co_return set.error();
  KRG_CO_TRY(co_await kddm().unbind(name, call.deadline()));
  KRG_CO_TRY(co_await kddm().destroy(*set, call.deadline()));
  co_await states_.forget(*set, call.deadline());
  co_await releases_.homes().forget(*set, call.deadline());
  co_return wire::Empty{};
}

// --- Tasks --------------------------------------------------------------------------------------

Result<RegionState> Memory::Impl::attach(gate::Call& call, const calls::Attach::Request& request) {
  KRG_TRY(check_caller(call));
  const gate::Caller& caller = call.caller();
  std::vector<UniqueFd> fds = call.take_fds();
  if (fds.size() != 1 || !is_userfaultfd(fds[0].get())) {
    return Error(Errc::invalid_argument, "not with a userfaultfd");
  }
  Region* const region = pager_.find(request.set);
  if (region == nullptr || region->ended()) return Error(Errc::not_found, "no such region");
  if (request.address % kPageBytes != 0) return Error(Errc::invalid_argument, "not a page");
  Mapping::Task task;
  task.pid = caller.pid;
  task.address = request.address;
  task.read_only = request.read_only;
  task.uffd = Uffd(std::move(fds[0]));
  task.process = open_process(caller.pid);
  if (!task.process) return errno_error(Errc::system_error, "pidfd_open");
  KRG_TRY(pager_.admit(*region, std::move(task)));
  return region->state();
}

Result<wire::Empty> Memory::Impl::detach(gate::Call& call, const calls::Detach::Request& request) {
  Region* const region = pager_.find(request.set);
  const Seat seat =
      region == nullptr ? kNobody : region->seat_of(call.caller().pid, request.address);
  if (seat == kNobody) return Error(Errc::not_found, "this process has not attached it there");
  region->remove(seat);
  releases_.on_detach(*region);
  return wire::Empty{};
}

mm::Report::Reply Memory::Impl::report(const mm::Report::Request& request) {
  mm::Report::Reply reply;
  const kddm::MemoryUse use = pager_.kddm().memory_use();
  reply.budget = use.limit;
  reply.used = use.used;
  reply.given_up = use.evicted;
  reply.moved = use.moved;
  for (const auto& [set, region] : pager_.regions()) {
    if (region->ended()) continue;
    const Traffic& traffic = region->traffic();
    const RegionState& state = region->state();
    const bool read_only = state.read_only.is_set(0, state.bytes / kPageBytes);
    reply.regions.push_back({region->info().name, state.bytes, read_only,
                             static_cast<std::uint32_t>(region->tasks()), traffic.reads(),
                             traffic.writes(), traffic.lost(),
                             traffic.hottest(std::min(request.hot, mm::Report::kMost))});
  }
  return reply;
}

void Memory::Impl::join(Peers peers) {
  peers_ = std::move(peers);
  bulk_.join(peers_);
  releases_.join(peers_);
  states_.join(peers_);
  carry_.join(peers_);
  peers_.rpc->serve<mm::Report>(
      [this](rpc::Incoming&, const mm::Report::Request& request) -> Result<mm::Report::Reply> {
        return report(request);
      });
}

void Memory::Impl::serve(gate::Server& gate) {
  bulk_.serve(gate);
  releases_.serve(gate);
  states_.serve(gate);
  carry_.serve(gate);
  safe_.serve(gate);
  gate.serve<calls::Create>([this](gate::Call& call, calls::Create::Request request) {
    return create(call, std::move(request));
  });
  gate.serve<calls::Find>([this](gate::Call& call, calls::Find::Request request) {
    return find(call, std::move(request));
  });
  gate.serve<calls::Destroy>([this](gate::Call& call, calls::Destroy::Request request) {
    return destroy(call, std::move(request));
  });
  gate.serve<calls::Attach>([this](gate::Call& call, const calls::Attach::Request& request) {
    return attach(call, request);
  });
  gate.serve<calls::Detach>([this](gate::Call& call, const calls::Detach::Request& request) {
    return detach(call, request);
  });
}

Memory::Memory(reactor::Reactor& reactor, NodeId self, Duration patience)
    : impl_(std::make_unique<Impl>(reactor, self, patience)) {}

Memory::~Memory() = default;

kddm::Linker& Memory::linker() noexcept { return impl_->pager(); }

void Memory::join(rpc::Rpc& rpc, std::function<std::vector<NodeId>()> all) {
  impl_->join({&rpc, std::move(all)});
}

void Memory::set_may_leave(std::function<bool(pid_t)> may_leave) {
  impl_->set_may_leave(std::move(may_leave));
}

cluster::ViewListener& Memory::listener() noexcept { return impl_->releases(); }

void Memory::stop() noexcept {
  impl_->releases().stop();
  impl_->pager().stop();
}

void Memory::open(gate::Server& gate, kddm::Kddm& kddm) {
  impl_->pager().use(kddm);
  impl_->serve(gate);
}

}  // namespace krg::mm
