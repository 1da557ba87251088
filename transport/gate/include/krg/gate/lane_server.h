// gate/lane_server.h: krgd's side of one lane. Server has one per task that attached; the fuzz
// target too.
//
// Model    poll() takes what was submitted and hands it to the services. Which slots are in service
//          is known here alone; a slot that is submitted twice, or nonsense in one, ends the
//          session.
// Threads  the reactor's thread.
// Blocks   never.
// Source   docs/design/gate.md, "Lanes"
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "krg/gate/handler.h"
#include "krg/gate/lane.h"
#include "krg/reactor/reactor.h"
#include "krg/shm/segment.h"

namespace krg::gate {

// Where a lane finds services.
class HandlerTable {
 public:
  // nullptr: no such service.
  virtual Handler* find(ServiceId id) noexcept = 0;

 protected:
  ~HandlerTable() = default;
};

class LaneServer {
 public:
  // Requires  `reactor`, `handlers` and `caller` outlive this.
  static Result<std::unique_ptr<LaneServer>> create(reactor::Reactor& reactor,
                                                    HandlerTable& handlers, const Caller& caller);
  LaneServer(const LaneServer&) = delete;
  LaneServer& operator=(const LaneServer&) = delete;
  ~LaneServer();  // Destroys the handlers that are still at work; nobody gets their answers.

  // The descriptor of the lane's segment.
  int fd() const noexcept { return segment_.fd(); }
  Lane& lane() noexcept { return lane_; }

  // Serves what was submitted; true if there was anything.
  // Errors  protocol_error  the task breaks the rules: its session must end.
  Result<bool> poll();
  bool has_work() const noexcept { return (lane_.submitted.load() | lane_.given_up.load()) != 0; }

 private:
  class SlotCall;

  LaneServer(reactor::Reactor& reactor, HandlerTable& handlers, const Caller& caller,
             shm::Segment segment);
  Status begin(unsigned slot);
  void give_up(unsigned slot) noexcept;
  std::span<std::byte> area(unsigned slot) noexcept;

  reactor::Reactor& reactor_;
  HandlerTable& handlers_;
  const Caller& caller_;
  const shm::Segment segment_;
  Lane& lane_;
  std::array<std::unique_ptr<SlotCall>, kSlots> calls_;
};

}  // namespace krg::gate
