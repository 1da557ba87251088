// Requests to their services: enabled or waiting, one by one per key, counted.
#include <algorithm>

#include "krg/log/log.h"
#include "rpc_impl.h"

namespace krg::rpc {
namespace {

bool dead(const Arrival& arrival) noexcept { return arrival.answer_to->session != arrival.session; }

WaitingArrival keep(Arrival&& arrival, wire::Bytes typed) {
  return {std::move(arrival), std::vector<std::byte>(typed.begin(), typed.end())};
}

}  // namespace

Rpc::ServiceEntry* Rpc::find_service(ServiceId id) const noexcept {
  return id.value < services_.size() ? services_[id.value].get() : nullptr;
}

void Rpc::install(ServiceId id, const char* name, std::unique_ptr<Handler> handler, bool enabled) {
  if (id.value >= services_.size()) services_.resize(id.value + std::size_t{1});
  KRG_ASSERT(services_[id.value] == nullptr);
  services_[id.value] =
      std::make_unique<ServiceEntry>(ServiceEntry{id, name, std::move(handler), enabled, {}, {}});
  if (id.value >= stats_.size()) stats_.resize(services_.size(), stats_[0]);
  stats_[id.value] = ServiceStats::make(registry_, name);
}

void Rpc::disable(ServiceId id) noexcept {
  ServiceEntry* service = find_service(id);
  KRG_ASSERT(service != nullptr);
  service->enabled = false;
}

void Rpc::enable(ServiceId id) {
  ServiceEntry* service = find_service(id);
  KRG_ASSERT(service != nullptr);
  service->enabled = true;
  std::deque<WaitingArrival> waiting;
  waiting.swap(service->waiting);
  for (WaitingArrival& w : waiting) dispatch(std::move(w.arrival), w.typed);
}

void Rpc::dispatch(Arrival&& arrival, wire::Bytes typed) {
  if (dead(arrival)) return drop(arrival);
  ServiceEntry* service = find_service(arrival.service);
  if (service == nullptr) {
    ++active_handlers_;
    if (!arrival.one_way) stats_of(arrival.service).counters[ServiceStats::kServed].add();
    Incoming(std::move(arrival), false).answer(Error(Errc::no_service));
    return;
  }
  if (!service->enabled) {
    service->waiting.push_back(keep(std::move(arrival), typed));
    return;
  }
  if ((arrival.flags & kKeyed) != 0 && service->handler->suspends()) {
    const auto [queue, first] = service->keys.try_emplace(arrival.key);
    if (!first) {
      queue->second.push_back(keep(std::move(arrival), typed));
      return;
    }
  }
  run_handler(*service, std::move(arrival), typed);
}

void Rpc::run_handler(ServiceEntry& service, Arrival&& arrival, wire::Bytes typed) {
  ++active_handlers_;
  stats_of(service.id)
      .counters[arrival.one_way ? ServiceStats::kOneWayReceived : ServiceStats::kServed]
      .add();
  service.handler->handle(std::move(arrival), typed);
}

// An execution has ended, or never began because there is no such service.
void Rpc::execution_done(const Arrival& arrival) noexcept {
  --active_handlers_;
  consumed(*arrival.via, arrival.via_session, arrival.lane);
  if ((arrival.flags & kKeyed) == 0) return;
  ServiceEntry* service = find_service(arrival.service);
  if (service != nullptr && service->handler->suspends()) key_done(*service, arrival.key);
}

void Rpc::key_done(ServiceEntry& service, std::uint64_t key) noexcept {
  const auto it = service.keys.find(key);
  if (it == service.keys.end()) return;
  while (!it->second.empty()) {
    WaitingArrival next = std::move(it->second.front());
    it->second.pop_front();
    if (dead(next.arrival)) {
      drop(next.arrival);
      continue;
    }
    run_handler(service, std::move(next.arrival), next.typed);
    return;
  }
  service.keys.erase(it);
}

void Rpc::count_item(ServiceId service) noexcept {
  stats_of(service).counters[ServiceStats::kItemsSent].add();
}

// A request is answered with an error.
void Rpc::count_refusal(const Arrival& arrival) noexcept {
  if (!arrival.one_way) stats_of(arrival.service).counters[ServiceStats::kServedFailed].add();
}

// A request that will never run: its caller is gone or has cancelled it.
void Rpc::drop(const Arrival& arrival) noexcept {
  consumed(*arrival.via, arrival.via_session, arrival.lane);
}

bool Rpc::cancel_queued(ServiceEntry& service, Peer& from, std::uint64_t call) noexcept {
  const auto remove = [&](std::deque<WaitingArrival>& queue) {
    const auto it = std::find_if(queue.begin(), queue.end(), [&](const WaitingArrival& w) {
      return w.arrival.answer_to == &from && w.arrival.call == call && !w.arrival.one_way;
    });
    if (it == queue.end()) return false;
    drop(it->arrival);
    queue.erase(it);
    return true;
  };
  if (remove(service.waiting)) return true;
  return std::any_of(service.keys.begin(), service.keys.end(),
                     [&](auto& entry) { return remove(entry.second); });
}

// Gives the sender its credit back; flush() tells it if nothing else does.
void Rpc::consumed(Peer& via, std::uint64_t session, std::uint8_t lane) noexcept {
  if (via.session != session) return;
  ++via.lanes[lane].consumed;
  via.mark_dirty();
}

}  // namespace krg::rpc
