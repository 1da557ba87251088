// Goal    no content of a lane, however it changes, harms krgd: it answers, or ends the session.
// Method  the input is a program of steps: writes anywhere into the lane, submissions, polls,
//         turns.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>

#include "krg/gate/lane_server.h"
#include "krg/reactor/event.h"

namespace {

using namespace krg;
using namespace krg::gate;

struct Text {
  std::string text;
  std::vector<std::uint32_t> numbers;
  static void wire_fields(auto& m, auto&& visit) { visit(m.text, m.numbers); }
};
struct Echo {
  static constexpr ServiceId kId{1};
  static constexpr const char* kName = "echo";
  using Request = Text;
  using Reply = Text;
};
struct Held {
  static constexpr ServiceId kId{2};
  static constexpr const char* kName = "held";
  using Request = Text;
  using Reply = Text;
};

// One krgd with one lane, and its services.
struct Krgd final : HandlerTable {
  Krgd() : let_go(reactor) {
    handlers[1] = make_handler<Echo>([](Call&, const Text& r) -> Result<Text> { return r; });
    handlers[2] = make_handler<Held>([this](Call& call, Text r) -> Co<Result<Text>> {
      KRG_CO_TRY(co_await let_go.wait(call.deadline()));
      co_return r;
    });
  }
  Handler* find(ServiceId id) noexcept override {
    return id.value < handlers.size() ? handlers[id.value].get() : nullptr;
  }

  reactor::VirtualClock clock;
  reactor::Reactor reactor{clock};
  reactor::Event let_go;
  std::array<std::unique_ptr<Handler>, 3> handlers;
  Caller caller;
};

class Steps {
 public:
  Steps(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) {}
  bool empty() const { return left_ == 0; }
  template <class T>
  T take() {
    T value{};
    const std::size_t n = std::min(sizeof value, left_);
    std::memcpy(&value, data_, n);
    data_ += n;
    left_ -= n;
    return value;
  }

 private:
  const std::uint8_t* data_;
  std::size_t left_;
};

void write_anywhere(Lane& lane, Steps& steps) {
  const std::size_t at = steps.take<std::uint16_t>() % sizeof(Lane);
  const auto value = steps.take<std::uint64_t>();
  std::memcpy(reinterpret_cast<std::byte*>(&lane) + at, &value,
              std::min(sizeof value, sizeof(Lane) - at));
}

// A call that is nearly right, so that the services are reached.
void submit(Lane& lane, Steps& steps) {
  const unsigned index = steps.take<std::uint8_t>() % kSlots;
  RequestBlock& request = lane.slots[index].request;
  request.service = steps.take<std::uint8_t>() % 4;
  request.size = steps.take<std::uint8_t>() % 128;
  request.timeout_ns = steps.take<std::uint64_t>();
  lane.submitted.fetch_or(std::uint64_t{1} << index);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Krgd krgd;
  auto server = LaneServer::create(krgd.reactor, krgd, krgd.caller);
  if (!server) return 0;
  Lane& lane = (*server)->lane();
  for (Steps steps(data, size); !steps.empty();) {
    switch (steps.take<std::uint8_t>() % 6) {
      case 0:
        write_anywhere(lane, steps);
        break;
      case 1:
        submit(lane, steps);
        break;
      case 2:
        lane.given_up.fetch_or(std::uint64_t{1} << (steps.take<std::uint8_t>() % kSlots));
        break;
      case 3:
        if (!(*server)->poll()) return 0;  // The session has ended.
        break;
      case 4:
        krgd.let_go.set();
        krgd.reactor.turn();
        krgd.let_go.clear();
        break;
      case 5:
        krgd.clock.advance_to(krgd.clock.now() + Duration(steps.take<std::uint32_t>()));
        krgd.reactor.turn();
        break;
    }
  }
  return 0;
}
