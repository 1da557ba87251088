// gate/client.h: a task's side of the gate: the system-call path to its krgd.
//
// Model    the task maps a lane of shared memory with 64 places for calls. A call is a store into
//          the lane; the answer is waited for by spinning briefly, then by futex. A wake-up of krgd
//          is sent only if it said that it sleeps.
//            auto client = gate::Client::connect(path, {});
//            auto reply = (*client)->call<Echo>(request, 1s);
// Threads  safe: any thread of the task, each call has its own place. A child of fork() connects
//          anew.
// Blocks   call() and wait() until the answer or the timeout; start() and ready() never.
// Source   docs/design/gate.md, "Lanes"
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "krg/base/deadline.h"
#include "krg/error/result.h"
#include "krg/wire/service.h"

namespace krg::gate {

class Client {
 public:
  struct Options {
    Duration connect_timeout = std::chrono::seconds(10);
    Duration spin = std::chrono::microseconds(20);  // At most, before sleeping. 0: sleep at once.
  };

  // A call on its way. Dropping it gives it up: krgd is told, the answer is ignored. Must be
  // dropped before its client.
  class Ticket {
   public:
    Ticket(Ticket&& other) noexcept
        : client_(std::exchange(other.client_, nullptr)), slot_(other.slot_) {}
    Ticket& operator=(Ticket&& other) noexcept;
    ~Ticket();

    // Whether wait() would return at once. Cost: a load.
    bool ready() const noexcept;
    // The same within so long, for which it waits.
    bool ready(Duration timeout) const noexcept;
    // Gives the call up, unless its answer is there: then false, and the ticket goes on.
    bool give_up() noexcept;

   private:
    friend class Client;
    Ticket(Client& client, unsigned slot) noexcept : client_(&client), slot_(slot) {}

    Client* client_;
    unsigned slot_;
  };

  // Errors  not_found, unreachable, denied, version_mismatch, timed_out: as Control::connect().
  static Result<std::unique_ptr<Client>> connect(const std::string& path, const Options& options);
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client();

  // Errors  timed_out. peer_down  krgd is gone. too_large  above kArgumentMax. Those of the
  //         service.
  // Cost    a null call to a krgd that is awake: see bench krg_gate_latency.
  template <wire::Service S>
  Result<typename S::Reply> call(const typename S::Request& request, Duration timeout) {
    KRG_TRY_ASSIGN(const Ticket ticket, begin<S>(request, timeout, true));
    return finish<S>(ticket, timeout);
  }
  // The asynchronous form: start(), later wait(), which gives the reply or the error.
  // Errors  would_block  all places are taken.
  template <wire::Service S>
  Result<Ticket> start(const typename S::Request& request, Duration timeout) {
    return begin<S>(request, timeout, false);
  }
  // Requires  `ticket` came from start<S>() of this client.
  template <wire::Service S>
  Result<typename S::Reply> wait(Ticket ticket, Duration timeout) {
    return finish<S>(ticket, timeout);
  }

  // Whether krgd still holds the other end. Cost: a system call.
  bool connected() const noexcept;

  class Impl;

 private:
  explicit Client(std::unique_ptr<Impl> impl);

  template <wire::Service S>
  Result<Ticket> begin(const typename S::Request& request, Duration timeout, bool may_wait) {
    const std::size_t size = wire::encoded_size(request);
    KRG_TRY_ASSIGN(const unsigned slot, acquire(size, timeout, may_wait));
    wire::Encoder out(request_room(slot, size));
    wire::put(out, request);
    submit(slot, S::kId, size, timeout);
    return Ticket(*this, slot);
  }
  template <wire::Service S>
  Result<typename S::Reply> finish(const Ticket& ticket, Duration timeout) {
    KRG_TRY_ASSIGN(const std::span<const std::byte> body, await(ticket.slot_, timeout));
    return wire::decode<typename S::Reply>(body);
  }

  Result<unsigned> acquire(std::size_t size, Duration timeout, bool may_wait);
  std::span<std::byte> request_room(unsigned slot, std::size_t size) noexcept;
  void submit(unsigned slot, ServiceId service, std::size_t size, Duration timeout) noexcept;
  // The reply's bytes, in the lane until the ticket is dropped.
  Result<std::span<const std::byte>> await(unsigned slot, Duration timeout);
  // False: the answer is there.
  bool abandon(unsigned slot) noexcept;
  void release(unsigned slot) noexcept;

  std::unique_ptr<Impl> impl_;
};

}  // namespace krg::gate
