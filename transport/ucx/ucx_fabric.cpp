#include "ucx_fabric.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>

#include "control.h"
#include "krg/log/log.h"
#include "krg/ucx/ucx.h"
#include "memory.h"

namespace krg::ucx {
namespace {

// A worker takes some eight, an endpoint one or two.
constexpr std::size_t kSpareDescriptors = 16;

// UCX takes a descriptor per TCP peer, the link another one.
void raise_descriptor_limit() noexcept {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

// Whether a few descriptors are left. UCX's TCP transport aborts the process when a socket can not
// be had in the middle of connecting (an assertion in tcp_ep.c of 1.13), so it must not get there.
bool has_spare_descriptors() noexcept {
  std::array<UniqueFd, kSpareDescriptors> spare;
  for (UniqueFd& fd : spare) {
    fd.reset(::eventfd(0, EFD_CLOEXEC));
    if (!fd) return false;
  }
  return true;
}

}  // namespace

UcxFabric::UcxFabric(reactor::Reactor& reactor, fabric::EventSink& sink,
                     const fabric::Options& options)
    : reactor_(reactor), sink_(sink), options_(options) {}

Status UcxFabric::open() {
  raise_descriptor_limit();
  remove_signal_handlers();
  take_messages();
  // First the link: it waits for network interfaces, which UCX lists only once, when it starts.
  link::Options links;
  links.self = options_.self;
  links.key = options_.key;
  links.listen = options_.listen;
  links.provider = "ucx";
  KRG_TRY_ASSIGN(links_, link::LinkSet::open(reactor_, *this, links));
  if (options_.reach == fabric::Reach::any || options_.reach == fabric::Reach::shm) {
    KRG_TRY_ASSIGN(over_memory_, Context::open(options_, Path::memory));
  }
  if (options_.reach != fabric::Reach::shm) {
    KRG_TRY_ASSIGN(over_network_, Context::open(options_, Path::network));
  }
  events_.reset(epoll_create1(EPOLL_CLOEXEC));
  if (!events_) return errno_error(Errc::system_error, "epoll");
  reactor_.add_poller(*this);
  polled_ = true;
  return {};
}

UcxFabric::~UcxFabric() {
  if (polled_) reactor_.remove_poller(*this);
  links_.reset();  // Says goodbye; nothing is told from here on but completions.
  for (const auto& endpoint : endpoints_) {
    if (endpoint->state() != UcxEndpoint::State::dying) {
      endpoint->go_down(Error(Errc::shutting_down), false);
    }
  }
  // UCX gives back what is under way; a bound in calls, as time may be virtual.
  const auto quiet = [](const auto& endpoint) { return endpoint->is_quiet(); };
  for (int i = 0; i < 10000 && !std::all_of(endpoints_.begin(), endpoints_.end(), quiet); ++i) {
    for (const auto& worker : workers_) worker->progress();
  }
  tell_deferred();
  for (const auto& endpoint : endpoints_) endpoint->finish(false);
}

bool UcxFabric::arm() noexcept {
  const auto sleeps = [](const auto& worker) { return worker->arm(); };
  return !chores_ && std::all_of(workers_.begin(), workers_.end(), sleeps);
}

// --- Workers.

Result<std::shared_ptr<Worker>> UcxFabric::open_worker(Path path) {
  // UCX gets into trouble without.
  if (!has_spare_descriptors()) {
    return Error(Errc::limit_reached, "too few file descriptors left: raise `ulimit -n`");
  }
  const Context& context = path == Path::memory ? over_memory_ : over_network_;
  KRG_TRY_ASSIGN(std::shared_ptr<Worker> worker, Worker::open(context, path));
  KRG_TRY(worker->handle(kSmallId, on_small, this, UCP_AM_FLAG_WHOLE_MSG));
  KRG_TRY(worker->handle(kLargeId, on_large, this,
                         UCP_AM_FLAG_WHOLE_MSG | UCP_AM_FLAG_PERSISTENT_DATA));
  epoll_event event{};
  event.events = EPOLLIN;
  if (epoll_ctl(events_.get(), EPOLL_CTL_ADD, worker->event_fd(), &event) != 0) {
    return errno_error(Errc::system_error, "epoll");
  }
  workers_.push_back(worker);
  return worker;
}

Result<std::shared_ptr<Worker>> UcxFabric::worker_for(const link::Link& link) {
  if (link.shares_memory() && over_memory_) return open_worker(Path::memory);
  if (!over_network_) {
    return Error(Errc::unreachable, "the peer does not share memory with this process");
  }
  if (network_worker_ == nullptr) {
    KRG_TRY_ASSIGN(network_worker_, open_worker(Path::network));
  }
  return network_worker_;
}

// --- Chores: what must not be done within UCX, or within a caller.

void UcxFabric::tell_later(fabric::Completion& done, Status status) {
  deferred_.push_back({&done, status});
  chores_ = true;
}

void UcxFabric::add_chore(UcxEndpoint& endpoint) noexcept {
  if (!endpoint.has_chore()) chore_list_.push_back(endpoint);
  chores_ = true;
}

void UcxFabric::tell_deferred() {
  std::vector<Deferred> now;
  now.swap(deferred_);
  for (const Deferred& one : now) one.done->on_complete(one.status);
}

bool UcxFabric::do_chores() noexcept {
  chores_ = false;
  tell_deferred();
  IntrusiveList<UcxEndpoint, ChoreTag> now;
  now.take(chore_list_);
  while (!now.empty()) {
    UcxEndpoint& endpoint = now.pop_front();
    if (endpoint.do_chores()) {
      std::erase_if(endpoints_, [&](const auto& e) { return e.get() == &endpoint; });
    } else if (endpoint.state() == UcxEndpoint::State::dying) {
      add_chore(endpoint);  // Until UCX has given everything back.
    }
  }
  // Of peers that are gone; UCX complains of requests that it has not given back.
  std::erase_if(workers_, [](const auto& worker) {
    return worker.use_count() == 1 && !worker->has_orphans();
  });
  return true;
}

void UcxFabric::finish_before(const UcxEndpoint& endpoint) {
  std::vector<std::unique_ptr<UcxEndpoint>> old;
  for (auto& one : endpoints_) {
    const bool dying = one->state() == UcxEndpoint::State::dying;
    if (dying && one->peer().node == endpoint.peer().node) old.push_back(std::move(one));
  }
  if (old.empty()) return;
  std::erase(endpoints_, nullptr);
  tell_deferred();
  for (const auto& one : old) one->finish(true);
}

// --- Sessions.

std::uint32_t UcxFabric::open_slot(std::uint64_t token) {
  if (free_slots_.empty()) {
    free_slots_.push_back(static_cast<std::uint32_t>(sessions_.size()));
    sessions_.emplace_back();
  }
  const std::uint32_t slot = free_slots_.back();
  free_slots_.pop_back();
  sessions_[slot].token = token;
  return slot;
}

void UcxFabric::close_slot(std::uint32_t slot) noexcept {
  sessions_[slot] = {};
  free_slots_.push_back(slot);
}

UcxEndpoint* UcxFabric::sender_of(const void* message, std::size_t size) noexcept {
  Front front;
  if (size < sizeof front) [[unlikely]]
    return nullptr;
  std::memcpy(&front, message, sizeof front);
  if (front.slot >= sessions_.size()) [[unlikely]]
    return nullptr;
  const Session& session = sessions_[front.slot];
  return session.token == front.token ? session.endpoint : nullptr;
}

// One line a second: forged messages may come in any number.
void UcxFabric::refuse_message() noexcept {
  if (reactor_.now() < next_refusal_line_) return;
  next_refusal_line_ = reactor_.now() + std::chrono::seconds(1);
  KRG_WARN("ucx: dropped a message that belongs to no session");
}

ucs_status_t UcxFabric::on_small(void* self, const void*, std::size_t, void* data, std::size_t size,
                                 const ucp_am_recv_param_t* param) {
  auto& fabric = *static_cast<UcxFabric*>(self);
  // A rendezvous under the id of small messages would make `data` something else than the data.
  const bool rendezvous = (param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0;
  UcxEndpoint* endpoint = rendezvous ? nullptr : fabric.sender_of(data, size);
  if (endpoint == nullptr) [[unlikely]] {
    fabric.refuse_message();
    return UCS_OK;
  }
  const std::span message(static_cast<const std::byte*>(data), size);
  endpoint->deliver(message.subspan(sizeof(Front)));
  return UCS_OK;
}

ucs_status_t UcxFabric::on_large(void* self, const void* header, std::size_t header_size,
                                 void* data, std::size_t size, const ucp_am_recv_param_t* param) {
  auto& fabric = *static_cast<UcxFabric*>(self);
  UcxEndpoint* endpoint = fabric.sender_of(header, header_size);
  if (endpoint == nullptr) {
    fabric.refuse_message();
    return UCS_OK;
  }
  const std::span front(static_cast<const std::byte*>(header), header_size);
  const bool rendezvous = (param->recv_attr & UCP_AM_RECV_ATTR_FLAG_RNDV) != 0;
  const bool held = endpoint->deliver_large(front.subspan(sizeof(Front)), data, size, rendezvous);
  return held ? UCS_INPROGRESS : UCS_OK;
}

// --- The links.

void UcxFabric::connect(NodeId node, const std::string& address, Deadline deadline) {
  for (const auto& endpoint : endpoints_) {
    if (endpoint->peer().node == node && endpoint->is_connecting_or_up()) return;
  }
  wishes_.insert_or_assign(node, Wish{address, deadline});
  links_->connect(node, address, deadline);
}

std::vector<std::byte> UcxFabric::on_link_proven(link::Link& link) {
  const std::uint32_t slot = open_slot(link.receive_token());
  auto& endpoint = endpoints_.emplace_back(std::make_unique<UcxEndpoint>(*this, link, slot));
  sessions_[slot].endpoint = endpoint.get();
  link.user = endpoint.get();
  return {};
}

void UcxFabric::on_link_up(link::Link& link, std::span<const std::byte>) {
  auto& endpoint = *static_cast<UcxEndpoint*>(link.user);
  endpoint.on_greeted();
  const auto begin = [&]() -> Status {
    KRG_TRY_ASSIGN(auto worker, worker_for(link));
    return endpoint.use(std::move(worker));
  };
  if (const Status begun = begin(); !begun) give_up(link, begun.error());
}

// Whoever wished the connection is told; a peer may just have ended.
void UcxFabric::give_up(link::Link& link, Error why) {
  KRG_INFO("ucx: no connection to node {}: {}", link.peer().node.value, why.message());
  link.abort(why);
}

// The peer's first message.
Status UcxFabric::wire(UcxEndpoint& endpoint, std::span<const std::byte> message) {
  KRG_TRY_ASSIGN(const Hello hello, wire::decode<Hello>(message));
  if (!has_spare_descriptors()) {
    return Error(Errc::limit_reached, "too few file descriptors left: raise `ulimit -n`");
  }
  return endpoint.wire(hello);
}

void UcxFabric::on_link_message(link::Link& link, std::span<const std::byte> message) {
  auto& endpoint = *static_cast<UcxEndpoint*>(link.user);
  if (endpoint.state() == UcxEndpoint::State::greeted) {
    if (const Status wired = wire(endpoint, message); !wired) give_up(link, wired.error());
    return;
  }
  if (const auto decoded = wire::decode<ControlMessage>(message); decoded) {
    switch (const auto& [control, number] = decoded.value(); control) {
      case Control::ready:
        return endpoint.on_ready();
      case Control::closing:
        return endpoint.on_peer_closing(number);
      case Control::done:
        return endpoint.on_peer_done();
      case Control::cancel:
        return endpoint.on_peer_cancels(number);
    }
  }
  KRG_WARN("ucx: dropped node {}: malformed control message", link.peer().node.value);
  link.abort(Error(Errc::protocol_error));
}

void UcxFabric::on_link_down(link::Link& link, Error why, bool graceful) {
  auto& endpoint = *static_cast<UcxEndpoint*>(link.user);
  const UcxEndpoint::State reached = endpoint.state();
  endpoint.go_down(why, graceful);
  grant_or_deny_wish(link.peer().node, reached, why);
}

// A wish to connect made while an old connection was closing is granted now; one whose connection
// could not be made is denied. Before that, the link itself goes on trying.
void UcxFabric::grant_or_deny_wish(NodeId node, UcxEndpoint::State reached, Error why) {
  const auto wish = wishes_.find(node);
  if (wish == wishes_.end() || reached == UcxEndpoint::State::proven) return;
  if (reached == UcxEndpoint::State::closing) {
    return links_->connect(node, wish->second.address, wish->second.deadline);
  }
  on_connect_failed(node, why);
}

void UcxFabric::on_connect_failed(NodeId node, Error why) {
  wishes_.erase(node);
  sink_.on_connect_failed(node, why);
}

Result<std::unique_ptr<fabric::Region>> UcxFabric::register_memory(std::span<std::byte> memory) {
  return register_region(over_memory_, over_network_, memory);
}

Result<std::unique_ptr<fabric::Fabric>> open(reactor::Reactor& reactor, fabric::EventSink& sink,
                                             const fabric::Options& options) {
  auto fabric = std::make_unique<UcxFabric>(reactor, sink, options);
  KRG_TRY(fabric->open());
  return std::unique_ptr<fabric::Fabric>(std::move(fabric));
}

}  // namespace krg::ucx
