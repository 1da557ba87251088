// Any bytes as rpc messages of a peer: never a crash, a leak or a hang; at worst the connection
// ends.
#include <cstdint>
#include <memory>

#include "krg/log/log.h"
#include "krg/reactor/event.h"
#include "krg/rpc/rpc.h"

namespace krg::rpc {
namespace {

struct Number {
  std::uint64_t n = 0;
  std::string text;
  static void wire_fields(auto& m, auto&& visit) { visit(m.n, m.text); }
};
struct Inline {
  static constexpr ServiceId kId{2};
  static constexpr const char* kName = "fuzz.inline";
  using Request = Number;
  using Reply = Number;
};
struct Waits {
  static constexpr ServiceId kId{3};
  static constexpr const char* kName = "fuzz.waits";
  using Request = Number;
  using Reply = Number;
};
struct Streams {
  static constexpr ServiceId kId{4};
  static constexpr const char* kName = "fuzz.streams";
  using Request = Number;
  using Reply = Number;
  using Up = Number;
  using Down = Number;
};

// A connection that takes everything and tells nobody.
class NullEndpoint final : public fabric::Endpoint {
 public:
  const fabric::Identity& peer() const noexcept override { return identity_; }
  Result<fabric::Sent> send(std::span<std::byte>, fabric::Completion&) override {
    return fabric::Sent::done;
  }
  Status send_large(std::span<std::byte>, std::span<const std::span<const std::byte>>,
                    fabric::Completion& done) override {
    done.on_complete({});
    return {};
  }
  void cancel(fabric::Completion&) noexcept override {}
  Result<std::unique_ptr<fabric::RemoteRegion>> attach(std::span<const std::byte>) override {
    return Error(Errc::not_supported);
  }
  void close() noexcept override { closed = true; }

  bool closed = false;

 private:
  fabric::Identity identity_{NodeId{1}, Incarnation{1}};
};

class GivenData final : public fabric::LargeMessage {
 public:
  explicit GivenData(std::span<const std::byte> data) : data_(data) {}
  std::size_t size() const noexcept override { return data_.size(); }
  void receive(std::span<std::byte> into, fabric::Completion& done) override {
    std::copy(data_.begin(), data_.end(), into.begin());
    done.on_complete({});
  }
  void discard() override {}

 private:
  std::span<const std::byte> data_;
};

struct Stage {
  reactor::VirtualClock clock;
  reactor::Reactor reactor{clock};
  NullEndpoint endpoint;
  Rpc rpc{reactor, {.self = {NodeId{0}, Incarnation{1}}}};

  Stage() {
    reactor.add_poller(rpc);
    rpc.serve<Inline>([](Incoming&, Number& n) -> Result<Number> { return n; });
    rpc.serve<Waits>([this](Incoming& in, Number n) -> Co<Result<Number>> {
      co_await reactor::sleep_for(reactor, std::chrono::milliseconds(5));
      in.attach(std::move(in.attachment()));
      co_return n;
    });
    rpc.serve<Streams>([this](Incoming&, Number n, ServerStream<Streams>& s) -> Co<Result<Number>> {
      while (auto item = co_await s.recv(reactor.after(std::chrono::milliseconds(50)))) {
        (void)co_await s.send(*item, reactor.after(std::chrono::milliseconds(5)));
      }
      co_return n;
    });
    rpc.on_up(endpoint);
    reactor.spawn(call());
  }
  ~Stage() {
    rpc.on_down(endpoint, Error(Errc::peer_down), false);
    turns();
    reactor.remove_poller(rpc);
    KRG_ASSERT(rpc.active_handlers() == 0 && rpc.buffers().in_use() == 0);
  }
  // A call of ours, which answers among the bytes may hit.
  Co<void> call() {
    const Number request{1, "x"};
    (void)co_await rpc.call<Inline>(NodeId{1}, request,
                                    {.deadline = reactor.after(std::chrono::seconds(1))});
  }
  void turns() {
    for (int i = 0; i < 200; ++i) {
      if (reactor.turn()) continue;
      const auto next = reactor.next_timer();
      if (!next) return;
      clock.advance_to(std::max(clock.now(), *next));
    }
  }
};

}  // namespace
}  // namespace krg::rpc

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  krg::log::set_level(krg::log::Level::off);
  krg::rpc::Stage stage;
  std::span<const std::byte> bytes{reinterpret_cast<const std::byte*>(data), size};
  // Messages: u8 kind (0 small, 1 large), u8 length, content; for a large one u8 data length and
  // data.
  while (bytes.size() >= 2 && !stage.endpoint.closed) {
    const bool large = (static_cast<unsigned>(bytes[0]) & 1) != 0;
    const auto length = std::min<std::size_t>(static_cast<std::size_t>(bytes[1]), bytes.size() - 2);
    const auto content = bytes.subspan(2, length);
    bytes = bytes.subspan(2 + length);
    if (large && !bytes.empty()) {
      const auto n = std::min<std::size_t>(static_cast<std::size_t>(bytes[0]), bytes.size() - 1);
      krg::rpc::GivenData message(bytes.subspan(1, n));
      stage.rpc.on_large(stage.endpoint, content, message);
      bytes = bytes.subspan(1 + n);
    } else {
      stage.rpc.on_message(stage.endpoint, content);
    }
    stage.reactor.turn();
  }
  return 0;
}
