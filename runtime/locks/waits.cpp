#include "waits.h"

#include <chrono>

namespace krg {
namespace {

// krgd answers by the deadline; this is for one that does not run.
constexpr Duration kGrace = std::chrono::seconds(10);
constexpr Duration kWakeLimit = std::chrono::seconds(60);

}  // namespace

Result<std::unique_ptr<Waits>> Waits::open(const std::string& gate) {
  std::unique_ptr<Waits> waits(new Waits(gate));
  KRG_TRY_ASSIGN(waits->commands_, gate::Client::connect(gate, {}));
  return waits;
}

Result<gate::Client*> Waits::lane(std::size_t at) {
  const std::lock_guard lock(mutex_);
  if (at == kLanes) return Error(Errc::limit_reached, "threads of a process that wait");
  if (at == lanes_.size()) {
    KRG_TRY_ASSIGN(auto client, gate::Client::connect(gate_, {}));
    lanes_.push_back(std::move(client));
  }
  return lanes_[at].get();
}

Result<sync::Ticket> Waits::prepare(const sync::Key& key, Duration timeout) {
  KRG_TRY_ASSIGN(const auto reply, commands_->call<sync::calls::Prepare>({key}, timeout));
  return reply.ticket;
}

// By the first lane that has a place.
template <class S>
Result<typename S::Reply> Waits::call(const typename S::Request& request, Duration timeout) {
  for (std::size_t at = 0;; ++at) {
    KRG_TRY_ASSIGN(gate::Client* const client, lane(at));
    auto ticket = client->start<S>(request, timeout);
    if (!ticket && ticket.error().code() == Errc::would_block) continue;
    if (!ticket) return ticket.error();
    return client->wait<S>(std::move(*ticket), timeout + kGrace);
  }
}

Status Waits::wait(const sync::calls::Wait::Request& request, Duration timeout) {
  const auto reply = call<sync::calls::Wait>(request, timeout);
  return reply ? Status() : Status(reply.error());
}

Result<sync::calls::Meet::Reply> Waits::meet(const sync::calls::Meet::Request& request,
                                             Duration timeout) {
  return call<sync::calls::Meet>(request, timeout);
}

Result<std::uint32_t> Waits::wake(const sync::calls::Wake::Request& request) {
  KRG_TRY_ASSIGN(const auto reply, commands_->call<sync::calls::Wake>(request, kWakeLimit));
  return reply.waited;
}

}  // namespace krg
