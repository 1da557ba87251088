// Goal    a small message by a channel costs no allocation, at the sender or at the receiver.
// Method  two nodes in one process over a connection that is a queue of fixed buffers; the global
//         operator new counts.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <utility>

#include "krg/channel/channels.h"
#include "krg/testing/allocations.h"

namespace krg::kddm {
namespace {

using namespace std::chrono_literals;

// One direction of a connection. Small messages lie in fixed buffers until the other side polls;
// of a large one the header does, and its data stay where the sender has them.
class QueueEndpoint final : public fabric::Endpoint, public reactor::Poller {
 public:
  QueueEndpoint(rpc::Rpc& from, rpc::Rpc& to, NodeId peer)
      : from_(from), to_(to), identity_{peer, Incarnation{1}} {}
  void set_other(QueueEndpoint& other) { other_ = &other; }

  const fabric::Identity& peer() const noexcept override { return identity_; }
  Result<fabric::Sent> send(std::span<std::byte> message, fabric::Completion&) override {
    Message* const slot = next();
    if (slot == nullptr) return Error(Errc::would_block);
    slot->take(message);
    slot->done = nullptr;
    return fabric::Sent::done;
  }
  Status send_large(std::span<std::byte> header, std::span<const std::span<const std::byte>> parts,
                    fabric::Completion& done) override {
    KRG_ASSERT(parts.size() == 1);
    Message* const slot = next();
    if (slot == nullptr) return Error(Errc::would_block);
    slot->take(header);
    slot->data = parts[0];
    slot->done = &done;
    return {};
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
      Message& message = messages_[i];
      if (message.done == nullptr) {
        to_.on_message(*other_, message.content());
      } else {
        to_.on_large(*other_, message.content(), message);
        message.done->on_complete({});
      }
    }
    used_ = 0;
    if (std::exchange(blocked_, false)) from_.on_writable(*this);
    return any;
  }

 private:
  struct Message final : fabric::LargeMessage {
    void take(std::span<const std::byte> from) {
      size_of_content = from.size() - fabric::kHeadroom;
      std::copy(from.begin() + fabric::kHeadroom, from.end(), bytes.begin());
    }
    std::span<const std::byte> content() const { return {bytes.data(), size_of_content}; }
    // The receiver takes the data while it is told of the message: that is how rpc does it.
    std::size_t size() const noexcept override { return data.size(); }
    void receive(std::span<std::byte> into, fabric::Completion& received) override {
      std::copy(data.begin(), data.end(), into.begin());
      received.on_complete({});
    }
    void discard() override {}

    std::size_t size_of_content = 0;
    std::array<std::byte, fabric::kMessageMax> bytes;
    std::span<const std::byte> data;
    fabric::Completion* done = nullptr;  // None: a small message.
  };

  Message* next() {
    blocked_ = used_ == messages_.size();
    return blocked_ ? nullptr : &messages_[used_++];
  }

  rpc::Rpc& from_;
  rpc::Rpc& to_;
  QueueEndpoint* other_ = nullptr;
  const fabric::Identity identity_;
  std::array<Message, 16> messages_;
  std::size_t used_ = 0;
  bool blocked_ = false;
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
      const Deadline limit(clock_.now() + 10s);
      while (of_client_.unacknowledged() != 0 && !limit.passed(clock_.now())) {
        if (!reactor_.turn()) clock_.advance_to(clock_.now() + 1ms);
      }
      EXPECT_EQ(of_client_.unacknowledged(), 0u) << "a burst does not end";
      if (::testing::Test::HasFailure()) break;
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
  std::unique_ptr<QueueEndpoint> to_server_ =
      std::make_unique<QueueEndpoint>(client_, server_, NodeId{1});
  std::unique_ptr<QueueEndpoint> to_client_ =
      std::make_unique<QueueEndpoint>(server_, client_, NodeId{0});
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

// Goal    a burst that is more than the connection's small messages hold goes as a large one.
TEST_F(ChannelAllocation, ABundleOfAHundredPagesAllocatesForItsCallOnly) {
  count_allocations(5, 100, 4096);
  EXPECT_LE(count_allocations(100, 100, 4096), 6 * 100u);
}

TEST_F(ChannelAllocation, AQueueBeyondTheWindowAllocatesNothingInTheLongRun) {
  count_allocations(5, 3000, 0);
  EXPECT_EQ(count_allocations(20, 3000, 0), 0u);
}

}  // namespace
}  // namespace krg::kddm
