#include "fabric_impl.h"

#include <sys/epoll.h>
#include <sys/uio.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "krg/log/log.h"
#include "krg/ofi/open.h"
#include "krg/wire/codec.h"
#include "shm_names.h"

namespace krg::ofi {
namespace {

// A rail without peers is looked at only so often: connections may come, but they take long anyway.
constexpr unsigned kIdleRailInterval = 64;
// While something waits for room, and nothing will wake us for it.
constexpr std::chrono::milliseconds kRetry{1};

constinit const std::uint64_t probe = kProbe;

// Whether this process may read the memory of the one that greets: the kernel decides, by its rules
// for tracing. What the shm provider does with remote memory rests on the same call.
bool can_read(const Greeting& greeting) noexcept {
  std::uint64_t value = 0;
  const iovec here{&value, sizeof value};
  const iovec there{reinterpret_cast<void*>(greeting.probe), sizeof value};
  const ssize_t n = ::process_vm_readv(static_cast<pid_t>(greeting.pid), &here, 1, &there, 1, 0);
  return n == static_cast<ssize_t>(sizeof value) && value == kProbe;
}

}  // namespace

Result<std::unique_ptr<fabric::Fabric>> open(reactor::Reactor& reactor, fabric::EventSink& sink,
                                             const fabric::Options& options) {
  auto fabric = std::make_unique<FabricImpl>(reactor, sink, options);
  KRG_TRY(fabric->open());
  return Result<std::unique_ptr<fabric::Fabric>>(std::move(fabric));
}

FabricImpl::FabricImpl(reactor::Reactor& reactor, fabric::EventSink& sink,
                       const fabric::Options& options)
    : reactor_(reactor), sink_(sink), options_(options) {}

FabricImpl::~FabricImpl() {
  if (epoll_) reactor_.remove_poller(*this);
  links_.reset();
  // The rails before the peers, whose packets and buffers they may hold; before them what is
  // registered.
  for (auto& [token, peer] : peers_) peer->drop_registrations();
  rails_.clear();
}

Status FabricImpl::open() {
  link::Options options;
  options.self = options_.self;
  options.key = options_.key;
  options.listen = options_.listen;
  options.provider = provider();
  // First: it waits for interfaces that are coming up.
  KRG_TRY_ASSIGN(links_, link::LinkSet::open(reactor_, *this, options));
  KRG_TRY(open_rails());
  UniqueFd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll) return errno_error(Errc::system_error, "epoll_create1");
  epoll_ = std::move(epoll);
  for (const auto& rail : rails_) {
    if (rail->wait_fd() >= 0) KRG_TRY(wait_on(rail->wait_fd()));
  }
  if (doorbell_ != nullptr) KRG_TRY(wait_on(doorbell_->fd()));
  reactor_.add_poller(*this);
  return {};
}

Status FabricImpl::wait_on(int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return errno_error(Errc::system_error, "waiting for a rail");
  }
  return {};
}

// In order of preference.
Status FabricImpl::open_rails() {
  const fabric::Reach reach = options_.reach;
  std::string host = "0.0.0.0";
  if (!options_.listen.empty()) {
    KRG_TRY_ASSIGN(const auto listen, link::resolve(options_.listen));
    KRG_TRY_ASSIGN(const auto parts, link::split_host_port(listen.print()));
    host = parts.host;
  } else if (const auto local = link::local_addresses();
             !local.empty() && local.front().family() == AF_INET6) {
    host = "::";
  }
  if (reach == fabric::Reach::any || reach == fabric::Reach::shm) {
    remove_leftovers();
    auto rail = Rail::open(RailKind::shm, host, *this);
    if (rail) {
      KRG_TRY_ASSIGN(doorbell_, Doorbell::create());
      rails_.push_back(std::move(*rail));
    } else if (reach == fabric::Reach::shm) {
      return rail.error();
    }
  }
  if (reach == fabric::Reach::any || reach == fabric::Reach::network) {
    if (auto rail = Rail::open(RailKind::verbs, host, *this)) rails_.push_back(std::move(*rail));
  }
  if (reach != fabric::Reach::shm) {
    auto rail = Rail::open(RailKind::tcp, host, *this);
    if (!rail) return rail.error();
    rails_.push_back(std::move(*rail));
  }
  return {};
}

Rail* FabricImpl::rail(RailKind kind) noexcept {
  const auto found = std::ranges::find_if(rails_, [&](auto& r) { return r->kind() == kind; });
  return found == rails_.end() ? nullptr : found->get();
}

void FabricImpl::connect(NodeId node, const std::string& address, Deadline deadline) {
  links_->connect(node, address, deadline);
}

Result<std::unique_ptr<fabric::Region>> FabricImpl::register_memory(std::span<std::byte> memory) {
  return Result<std::unique_ptr<fabric::Region>>(std::make_unique<RegionImpl>(*this, memory));
}

std::uint64_t FabricImpl::add_region(RegionImpl& region) {
  regions_[next_region_] = &region;
  return next_region_++;
}

void FabricImpl::remove_region(std::uint64_t id) noexcept {
  regions_.erase(id);
  for (auto& [token, peer] : peers_) peer->region_gone(id);
}

RegionImpl* FabricImpl::region(std::uint64_t id) noexcept {
  const auto found = regions_.find(id);
  return found == regions_.end() ? nullptr : found->second;
}

// Links.

std::vector<std::byte> FabricImpl::on_link_proven(link::Link& link) {
  auto peer = std::make_unique<Peer>(*this, link);
  link.user = peer.get();
  peers_[link.receive_token()] = std::move(peer);
  Greeting greeting;
  for (const auto& rail : rails_) {
    const auto address = rail->address();
    greeting.addresses[static_cast<std::size_t>(rail->kind())] = {address.begin(), address.end()};
  }
  if (doorbell_ != nullptr) greeting.doorbell = doorbell_->name();
  greeting.pid = static_cast<std::uint32_t>(::getpid());
  greeting.probe = reinterpret_cast<std::uint64_t>(&probe);
  return wire::encode(greeting);
}

Result<Peer::Path> FabricImpl::path_to(const link::Link& link, const Greeting& greeting) {
  for (const auto& rail : rails_) {
    std::vector<std::byte> address = greeting.addresses[static_cast<std::size_t>(rail->kind())];
    if (address.empty()) continue;
    Peer::Path path;
    path.rail = rail.get();
    path.direct = true;
    if (rail->kind() == RailKind::shm) {
      if (!link.shares_memory()) continue;
      KRG_TRY_ASSIGN(path.bell, PeerBell::attach(greeting.doorbell, doorbell_->fd()));
      path.direct = can_read(greeting);
      if (address.back() != std::byte{0}) return Error(Errc::protocol_error, "rail address");
    } else if (rail->kind() == RailKind::tcp) {
      // The rail's port at the host that the link has reached.
      if (address.size() > sizeof(sockaddr_storage)) {
        return Error(Errc::protocol_error, "rail address");
      }
      link::Address theirs;
      std::memcpy(&theirs.storage, address.data(), address.size());
      link::Address reached = link.remote();
      if (theirs.family() != reached.family()) return Error(Errc::unreachable, "address family");
      reached.set_port(theirs.port());
      const auto* bytes = reinterpret_cast<const std::byte*>(&reached.storage);
      address.assign(bytes, bytes + reached.size);
    }
    KRG_TRY_ASSIGN(path.address, rail->insert(address));
    return path;
  }
  return Error(Errc::unreachable, "no rail in common");
}

void FabricImpl::on_link_up(link::Link& link, std::span<const std::byte> bytes) {
  auto& peer = *static_cast<Peer*>(link.user);
  auto greeting = wire::decode<Greeting>(bytes);
  if (!greeting) return link.abort(greeting.error());
  auto path = path_to(link, *greeting);
  if (!path) {
    KRG_ERROR("ofi: no way to peer {}: {}", link.peer().node.value, path.error().message());
    return link.abort(path.error());
  }
  peer.greeted(std::move(*path));
}

void FabricImpl::on_link_message(link::Link&, std::span<const std::byte>) {}

void FabricImpl::on_link_down(link::Link& link, Error why, bool graceful) {
  static_cast<Peer*>(link.user)->link_down(why, graceful);
}

void FabricImpl::on_connect_failed(NodeId node, Error why) { sink_.on_connect_failed(node, why); }

// Polling.

void FabricImpl::on_packet(std::span<const std::byte> packet) noexcept {
  Header header;
  if (!take(packet, header)) return unknown_token();
  if (last_ == nullptr || last_->receive_token() != header.token) {
    const auto found = peers_.find(header.token);
    if (found == peers_.end()) {
      if (std::ranges::find(ended_, header.token) == ended_.end()) unknown_token();
      return;
    }
    last_ = found->second.get();
  }
  last_->on_packet(header, packet);
}

// Whoever finds a rail's port can send to it; without a session's secret nothing is read.
void FabricImpl::unknown_token() noexcept {
  if (std::has_single_bit(++strangers_)) {
    KRG_WARN("ofi: dropped {} packets of no session", strangers_);
  }
}

bool FabricImpl::poll_rails() noexcept {
  bool worked = false;
  const bool look_at_idle = ++turns_ % kIdleRailInterval == 0;
  for (const auto& rail : rails_) {
    if (rail->used() || look_at_idle) worked |= rail->poll();
  }
  return worked;
}

bool FabricImpl::poll() noexcept {
  const bool arrived = poll_rails();
  return (!busy_.empty() && work_on_busy()) || arrived;
}

bool FabricImpl::work_on_busy() noexcept {
  IntrusiveList<Peer, BusyTag> now;
  now.take(busy_);
  bool worked = false;
  while (!now.empty()) {
    Peer& peer = now.pop_front();
    worked |= peer.work();
    if (peer.state() == PeerState::down) {
      forget(peer);
    } else if (peer.waits()) {
      mark_busy(peer);
    }
  }
  return worked;
}

void FabricImpl::forget(Peer& peer) noexcept {
  if (last_ == &peer) last_ = nullptr;
  const auto found = peers_.find(peer.receive_token());
  ended_[next_ended_++ % ended_.size()] = peer.receive_token();
  peer.ListNode<BusyTag>::unlink();
  if (peer.has_direct_ops()) graves_.push_back(std::move(found->second));
  peers_.erase(found);
}

bool FabricImpl::arm() noexcept {
  if (doorbell_ != nullptr) {
    asleep_ = true;
    doorbell_->fall_asleep();
  }
  // Once more after the word is set: a message that came before it would not ring.
  for (const auto& rail : rails_) {
    if (rail->poll() || !rail->can_sleep()) return false;
  }
  // What waits for room, or for a completion of shm, is looked at again soon.
  bool soon = !busy_.empty();
  for (auto& [token, peer] : peers_) soon = soon || peer->has_in_flight();
  if (soon && !Timer::linked()) reactor_.add_timer(*this, reactor_.after(kRetry));
  return true;
}

void FabricImpl::disarm() noexcept {
  if (asleep_) doorbell_->awake();
  asleep_ = false;
}

}  // namespace krg::ofi
