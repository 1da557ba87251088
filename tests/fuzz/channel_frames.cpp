// Any bytes on a node's channels, as messages, as calls and as answers to its own calls, between
// its own sends and views: never a crash, a leak or a hang, and never a message twice or too early.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include "krg/channel/channels.h"
#include "krg/log/log.h"

namespace krg::kddm {
namespace {

constexpr NodeId kSelf{0}, kPeer{1};

// Reads the input from the front; zeros behind its end.
class Input {
 public:
  explicit Input(std::span<const std::byte> bytes) : bytes_(bytes) {}
  bool empty() const { return bytes_.empty(); }
  unsigned byte() { return bytes_.empty() ? 0 : static_cast<unsigned>(take(1)[0]); }
  std::span<const std::byte> take(std::size_t size) {
    const auto front = bytes_.first(std::min(size, bytes_.size()));
    bytes_ = bytes_.subspan(front.size());
    return front;
  }

 private:
  std::span<const std::byte> bytes_;
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
  fabric::Identity identity_{kPeer, Incarnation{1}};
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

// A batch of rpc with one frame, as docs/design/rpc.md has it.
struct Batch {
  std::uint32_t epoch = 0, consumed[2] = {}, lane = 0;
  std::uint32_t size = 0;
  std::uint16_t service = 0;
  std::uint8_t kind = 0, flags = 0;
  std::uint64_t call = 0;
};
static_assert(sizeof(Batch) == 32);
constexpr std::uint8_t kRequest = 1, kOneWay = 2, kReply = 3, kAttached = 16;
constexpr std::uint16_t kMessage = 0x40, kAsk = 0x41, kBundle = 0x42;

struct Stage final : ChannelSink {
  reactor::VirtualClock clock;
  reactor::Reactor reactor{clock};
  NullEndpoint endpoint;
  rpc::Rpc rpc{reactor, {.self = {kSelf, Incarnation{1}}}};
  Channels channels{
      rpc,
      *this,
      {.window_messages = 16, .window_bytes = 4000, .later_messages = 8, .later_bytes = 1000}};
  bool inside = false;
  unsigned reaction = 0;  // What the sink does, one per message.

  Stage() {
    reactor.add_poller(rpc);
    rpc.on_up(endpoint);
  }
  ~Stage() {
    rpc.on_down(endpoint, Error(Errc::peer_down), false);
    turns(50);
    reactor.remove_poller(rpc);
  }

  void on_message(NodeId, Epoch epoch, wire::Bytes, Arrived) override {
    KRG_ASSERT(!std::exchange(inside, true) && epoch == channels.epoch());
    if (reaction % 4 == 1) send(reaction);
    if (reaction % 16 == 2) enter(1);
    reaction /= 4;
    inside = false;
  }
  void enter(unsigned ahead) {
    const bool outer = std::exchange(inside, true);
    cluster::View view;
    view.epoch = Epoch{channels.epoch().value + 1 + ahead};
    for (std::uint32_t i = 0; i < 2; ++i) {
      cluster::Member member;
      member.node = NodeId{i};
      member.incarnation = Incarnation{1};
      view.members.push_back(member);
    }
    channels.set_view(view);
    inside = outer;
  }
  void send(unsigned what) {
    const bool outer = std::exchange(inside, true);
    // Three pages are a bundle.
    const bool page = (what & 192) == 192;
    std::vector<std::byte> bytes(page ? 4096 : (what & 2) != 0 ? 9000 : what & 60);
    for (int i = page ? 2 : 0; i > 0; --i) channels.send(kPeer, {}, Data::copied(bytes));
    channels.send((what & 1) != 0 ? kPeer : kSelf,
                  std::span(bytes).first(std::min<std::size_t>(bytes.size(), what & 31)),
                  Data::copied(bytes));
    inside = outer;
  }
  void turns(int count) {
    for (int i = 0; i < count; ++i) {
      if (reactor.turn()) continue;
      const auto next = reactor.next_timer();
      if (!next) return;
      clock.advance_to(std::max(clock.now(), *next));
    }
  }
  // A header with small numbers, or any.
  std::vector<std::byte> frame(Input& in) {
    const unsigned shape = in.byte();
    std::vector<std::byte> bytes;
    if ((shape & 1) == 0) {
      const std::uint64_t numbers[2] = {in.byte(), in.byte()};
      const std::uint32_t more[2] = {channels.epoch().value + in.byte() % 4 - 1, in.byte()};
      bytes.resize(24);
      std::memcpy(bytes.data(), numbers, 16);
      std::memcpy(bytes.data() + 16, more, 8);
    }
    const auto rest = in.take(shape >> 1);
    bytes.insert(bytes.end(), rest.begin(), rest.end());
    return bytes;
  }
  void receive(Batch batch, std::span<const std::byte> payload) {
    std::vector<std::byte> bytes(sizeof batch + payload.size());
    batch.size = static_cast<std::uint32_t>(payload.size());
    std::memcpy(bytes.data(), &batch, sizeof batch);
    std::copy(payload.begin(), payload.end(), bytes.begin() + sizeof batch);
    rpc.on_message(endpoint, bytes);
  }
  void receive_large(Batch batch, std::span<const std::byte> typed,
                     std::span<const std::byte> data) {
    std::vector<std::byte> bytes(sizeof batch + typed.size());
    batch.size = static_cast<std::uint32_t>(typed.size());
    std::memcpy(bytes.data(), &batch, sizeof batch);
    std::copy(typed.begin(), typed.end(), bytes.begin() + sizeof batch);
    GivenData message(data);
    rpc.on_large(endpoint, bytes, message);
  }
  // A bundle whose numbers fit, with some of them changed, or any bytes.
  void receive_bundle(Input& in) {
    const unsigned shape = in.byte(), count = 1 + in.byte() % 6;
    std::vector<std::byte> header(24), bulk(count * 8);
    const std::uint64_t numbers[2] = {in.byte() % 24, in.byte() % 4};
    const std::uint32_t more[2] = {channels.epoch().value + in.byte() % 4 - 1, count};
    std::memcpy(header.data(), numbers, 16);
    std::memcpy(header.data() + 16, more, 8);
    std::size_t heads = 0, data = 0;
    for (unsigned i = 0; i < count; ++i) {
      const std::uint32_t sizes[2] = {in.byte() % 8, in.byte() * 8};
      std::memcpy(bulk.data() + i * 8, sizes, 8);
      heads += sizes[0];
      data += sizes[1];
    }
    bulk.resize((bulk.size() + heads + 63) / 64 * 64 + data);
    if ((shape & 1) != 0) bulk[in.byte() % bulk.size()] = std::byte(in.byte());
    if ((shape & 2) != 0) header[in.byte() % header.size()] = std::byte(in.byte());
    if ((shape & 4) != 0) bulk.resize(1 + in.byte() * 16);
    if ((shape & 8) != 0) header.resize(in.byte() % 32);
    receive_large({.service = kBundle, .kind = kRequest, .flags = kAttached, .call = 3}, header,
                  bulk);
  }
  void step(Input& in) {
    const unsigned what = in.byte();
    switch (what % 8) {
      case 0:
      case 1:
        if (what / 8 % 4 == 3) return receive_bundle(in);
        return receive({.service = kMessage, .kind = kOneWay}, frame(in));
      case 2:
        return receive({.service = kAsk, .kind = kRequest, .call = 1}, frame(in));
      case 3: {
        const auto typed = frame(in);
        const auto data = in.take(1 + what / 8 * 40);
        if (data.empty()) return;
        const std::uint8_t flags = kAttached;
        return receive_large({.service = kAsk, .kind = kRequest, .flags = flags, .call = 2}, typed,
                             data);
      }
      case 4: {  // An answer to a call of ours: a receipt, or any bytes.
        const std::uint64_t call = (std::uint64_t{in.byte() % 8} << 32) + in.byte() % 16;
        return receive({.service = kAsk, .kind = kReply, .call = call}, in.take(what / 8 * 2));
      }
      case 5:
        return send(in.byte());
      case 6:
        reaction = in.byte() << 8 | in.byte();
        return what / 8 == 1 ? enter(in.byte() % 3) : turns(static_cast<int>(what / 8));
      default:
        return turns(1);
    }
  }
};

}  // namespace
}  // namespace krg::kddm

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  krg::log::set_level(krg::log::Level::off);
  krg::kddm::Stage stage;
  krg::kddm::Input input({reinterpret_cast<const std::byte*>(data), size});
  stage.enter(0);
  while (!input.empty() && !stage.endpoint.closed) {
    stage.step(input);
    stage.turns(1);
  }
  return 0;
}
