// Which bulk transfers of a peer begin at once, and which wait: rpc over a fabric that only notes.
#include <gtest/gtest.h>

#include <cstring>
#include <list>
#include <vector>

#include "krg/rpc/rpc.h"
#include "krg/wire/codec.h"

namespace krg::rpc {
namespace {

constexpr std::size_t kKiB = 1024;
constexpr std::size_t kMiB = 1024 * kKiB;

struct Sink {
  static constexpr ServiceId kId{0x100};
  static constexpr const char* kName = "test.sink";
  using Request = wire::Empty;
  using Reply = wire::Empty;
};

struct FakeEndpoint final : fabric::Endpoint {
  const fabric::Identity& peer() const noexcept override { return identity; }
  Result<fabric::Sent> send(std::span<std::byte>, fabric::Completion&) override {
    return fabric::Sent::done;
  }
  Status send_large(std::span<std::byte>, std::span<const std::span<const std::byte>>,
                    fabric::Completion&) override {
    return Errc::not_supported;
  }
  void cancel(fabric::Completion&) noexcept override {}
  Result<std::unique_ptr<fabric::RemoteRegion>> attach(std::span<const std::byte>) override {
    return Errc::not_supported;
  }
  void close() noexcept override {}

  const fabric::Identity identity{NodeId{1}, Incarnation{1}};
};

struct FakeMessage final : fabric::LargeMessage {
  explicit FakeMessage(std::size_t length) : length(length) {}
  std::size_t size() const noexcept override { return length; }
  void receive(std::span<std::byte>, fabric::Completion& completion) override {
    done = &completion;
  }
  void discard() override {}

  const std::size_t length;
  fabric::Completion* done = nullptr;  // Set when its transfer has begun.
};

class RpcBulkBudget : public testing::Test {
 protected:
  RpcBulkBudget() {
    rpc_.serve<Sink>([this](Incoming&, wire::Empty&) -> Result<wire::Empty> {
      ++served_;
      return wire::Empty{};
    });
    rpc_.on_up(endpoint_);
  }
  ~RpcBulkBudget() override { rpc_.on_down(endpoint_, Error(Errc::peer_down), false); }

  // A request with `size` bytes of data comes by its header; docs/design/rpc.md.
  FakeMessage& arrives(std::size_t size, std::uint32_t lane = 0) {
    std::vector<std::byte> header(32);
    const std::uint16_t service = Sink::kId.value;
    std::memcpy(header.data() + 12, &lane, sizeof lane);
    std::memcpy(header.data() + 20, &service, sizeof service);
    header[22] = std::byte{1};   // A request,
    header[23] = std::byte{16};  // with data attached.
    FakeMessage& message = messages_.emplace_back(size);
    rpc_.on_large(endpoint_, header, message);
    return message;
  }

  const reactor::VirtualClock clock_;
  reactor::Reactor reactor_{clock_};
  Rpc rpc_{reactor_, {.self = {NodeId{0}, Incarnation{1}}, .bulk_bytes_max = 2 * kMiB}};
  FakeEndpoint endpoint_;
  std::list<FakeMessage> messages_;
  int served_ = 0;
};

TEST_F(RpcBulkBudget, LongTransfersBeyondItBeginWhenEarlierOnesEnd) {
  FakeMessage& first = arrives(kMiB);
  FakeMessage& second = arrives(kMiB);
  FakeMessage& third = arrives(kMiB);
  FakeMessage& fourth = arrives(kMiB);
  EXPECT_TRUE(first.done != nullptr && second.done != nullptr);
  EXPECT_EQ(third.done, nullptr);

  second.done->on_complete({});
  EXPECT_EQ(served_, 1);
  EXPECT_NE(third.done, nullptr);
  EXPECT_EQ(fourth.done, nullptr);
}

TEST_F(RpcBulkBudget, OneTransferIsAllowedHoweverLong) {
  EXPECT_NE(arrives(16 * kMiB).done, nullptr);
  EXPECT_EQ(arrives(kMiB).done, nullptr);
}

TEST_F(RpcBulkBudget, ShortOnesAndTheOtherLaneDoNotWaitForLongOnes) {
  arrives(16 * kMiB);
  FakeMessage& waiting = arrives(kMiB);
  EXPECT_NE(arrives(64 * kKiB).done, nullptr);
  EXPECT_NE(arrives(kMiB, 1).done, nullptr);
  EXPECT_EQ(waiting.done, nullptr);
}

TEST_F(RpcBulkBudget, AWaitingTransferIsNotOvertakenByOneThatWouldStillFit) {
  FakeMessage& first = arrives(kMiB);
  FakeMessage& waiting = arrives(2 * kMiB);
  EXPECT_EQ(arrives(512 * kKiB).done, nullptr);

  first.done->on_complete({});
  EXPECT_NE(waiting.done, nullptr);
}

}  // namespace
}  // namespace krg::rpc
