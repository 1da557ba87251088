// Goal    a small message by a channel costs no allocation, at the sender or at the receiver.
// Method  two nodes in one process over a connection that is a queue of fixed buffers; the global
//         operator new counts.
#include <gtest/gtest.h>

#include <array>

#include "krg/channel/channels.h"
#include "krg/testing/allocations.h"

namespace krg::kddm {
namespace {

using namespace std::chrono_literals;

// One direction of a connection. The messages lie in fixed buffers until the other side polls.
class QueueEndpoint final : public fabric::Endpoint, public reactor::Poller {
 public:
  QueueEndpoint(rpc::Rpc& to, NodeId peer) : to_(to), identity_{peer, Incarnation{1}} {}
  void set_other(QueueEndpoint& other) { other_ = &other; }

  const fabric::Identity& peer() const noexcept override { return identity_; }
  Result<fabric::Sent> send(std::span<std::byte> message, fabric::Completion&) override {
    if (used_ == messages_.size()) return Error(Errc::would_block);
    Message& slot = messages_[used_++];
    slot.size = message.size() - fabric::kHeadroom;
    std::copy(message.begin() + fabric::kHeadroom, message.end(), slot.bytes.begin());
    return fabric::Sent::done;
  }
  Status send_large(std::span<std::byte>, std::span<const std::span<const std::byte>>,
                    fabric::Completion&) override {
    return Error(Errc::not_supported);
  }
  void cancel(fabric::Completion&) noexcept override {}
  Result<std::unique_ptr<fabric::RemoteRegion>> attach(std::span<const std::byte>) override {
    return Error(Errc::not_supported);
  }
  void close() noexcept override {}

  // Delivers at the peer what was sent here.
  bool poll() noexcept override {
    const bool any = used_ > 0;
    for (std::size_t i = 0; i < used_; ++i) {
      to_.on_message(*other_, {messages_[i].bytes.data(), messages_[i].size});
    }
    used_ = 0;
    return any;
  }

 private:
  struct Message {
    std::size_t size = 0;
    std::array<std::byte, fabric::kMessageMax> bytes;
  };
  rpc::Rpc& to_;
  QueueEndpoint* other_ = nullptr;
  const fabric::Identity identity_;
  std::array<Message, 16> messages_;
  std::size_t used_ = 0;
};

class ChannelAllocation : public ::testing::Test, private ChannelSink {
 public:
  ChannelAllocation() {
    to_server_->set_other(*to_client_);
    to_client_->set_other(*to_server_);
    reactor_.add_poller(*to_server_);
    reactor_.add_poller(*to_client_);
    reactor_.add_poller(client_);
    reactor_.add_poller(server_);
    client_.on_up(*to_server_);
    server_.on_up(*to_client_);
    cluster::View view;
    view.epoch = Epoch{1};
    view.members.resize(2);
    for (std::uint32_t i = 0; i < 2; ++i) {
      view.members[i].node = NodeId{i};
      view.members[i].incarnation = Incarnation{1};
    }
    for (Channels* channels : {&of_client_, &of_server_}) channels->set_view(view);
  }
  ~ChannelAllocation() override {
    client_.on_down(*to_server_, Error(Errc::peer_down), true);
    server_.on_down(*to_client_, Error(Errc::peer_down), true);
    reactor_.remove_poller(client_);
    reactor_.remove_poller(server_);
    reactor_.remove_poller(*to_server_);
    reactor_.remove_poller(*to_client_);
  }

 protected:
  // Sends `rounds` times `burst` messages and lets them be acknowledged; the allocations of that.
  std::uint64_t count_allocations(int rounds, int burst, std::size_t data) {
    const std::uint64_t before = krg::testing::allocations();
    for (int i = 0; i < rounds; ++i) {
      got_ = 0;
      for (int n = 0; n < burst; ++n) {
        of_client_.send(NodeId{1}, std::span(bytes_).first(64),
                        Data::copied(std::span(bytes_).first(data)));
      }
      while (of_client_.unacknowledged() != 0) {
        if (!reactor_.turn()) clock_.advance_to(clock_.now() + 1ms);
      }
      EXPECT_EQ(got_, burst);
    }
    return krg::testing::allocations() - before;
  }

 private:
  void on_message(NodeId, Epoch, wire::Bytes, Arrived) override { ++got_; }

  std::array<std::byte, 4096> bytes_{};
  int got_ = 0;
  reactor::VirtualClock clock_;
  reactor::Reactor reactor_{clock_};
  rpc::Rpc client_{reactor_, {.self = {NodeId{0}, Incarnation{1}}}};
  rpc::Rpc server_{reactor_, {.self = {NodeId{1}, Incarnation{1}}}};
  Channels of_client_{client_, *this};
  Channels of_server_{server_, *this};
  std::unique_ptr<QueueEndpoint> to_server_ = std::make_unique<QueueEndpoint>(server_, NodeId{1});
  std::unique_ptr<QueueEndpoint> to_client_ = std::make_unique<QueueEndpoint>(client_, NodeId{0});
};

TEST_F(ChannelAllocation, AMessageWithoutDataAllocatesNothing) {
  EXPECT_GT(count_allocations(5, 500, 0), 0u) << "the counter counts nothing";
  EXPECT_EQ(count_allocations(100, 500, 0), 0u);
}

TEST_F(ChannelAllocation, AMessageWithAPageAllocatesNothing) {
  count_allocations(5, 1, 4096);
  EXPECT_EQ(count_allocations(100, 1, 4096), 0u);
}

// Goal    pages that leave together cost a few allocations of their call, not some each.
TEST_F(ChannelAllocation, ABundleAllocatesForItsCallOnly) {
  count_allocations(5, 10, 4096);
  EXPECT_LE(count_allocations(100, 10, 4096), 6 * 100u);
}

TEST_F(ChannelAllocation, AQueueBeyondTheWindowAllocatesNothingInTheLongRun) {
  count_allocations(5, 3000, 0);
  EXPECT_EQ(count_allocations(20, 3000, 0), 0u);
}

}  // namespace
}  // namespace krg::kddm
