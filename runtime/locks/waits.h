// waits.h: a process's way to krgd for waits and wake-ups.
//
// Model    a lane of the gate has 64 places. Waits have lanes of their own, as many as they need,
//          so that a wake-up always finds a place.
// Threads  safe.
// Blocks   until the answer, or the timeout.
// Source   docs/design/gate.md, "Lanes"
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "krg/error/result.h"
#include "krg/gate/client.h"
#include "krg/sync_calls/calls.h"

namespace krg {

class Waits {
 public:
  static constexpr std::size_t kLanes = 64;

  // Errors  those of gate::Client::connect()
  static Result<std::unique_ptr<Waits>> open(const std::string& gate);

  Result<sync::Ticket> prepare(const sync::Key& key, Duration timeout);
  // Errors  limit_reached  4,096 threads of this process wait
  Status wait(const sync::calls::Wait::Request& request, Duration timeout);
  // Errors  as wait(), and krgd's
  Result<sync::calls::Meet::Reply> meet(const sync::calls::Meet::Request& request,
                                        Duration timeout);
  Result<std::uint32_t> wake(const sync::calls::Wake::Request& request);

 private:
  template <class S>
  Result<typename S::Reply> call(const typename S::Request& request, Duration timeout);
  explicit Waits(std::string gate) : gate_(std::move(gate)) {}
  // The one at `at`, made if it is the next. Stays until the end.
  Result<gate::Client*> lane(std::size_t at);

  const std::string gate_;
  std::unique_ptr<gate::Client> commands_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<gate::Client>> lanes_;
};

}  // namespace krg
