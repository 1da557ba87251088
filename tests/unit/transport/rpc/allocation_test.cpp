// Goal    a small message costs no allocation, at the caller or at the server.
// Method  two nodes in one process over a connection that is a queue of fixed buffers; the global
//         operator new counts.
#include <gtest/gtest.h>

#include <array>

#include "krg/reactor/event.h"
#include "krg/rpc/rpc.h"
#include "krg/testing/allocations.h"

namespace krg::rpc {
namespace {

using namespace std::chrono_literals;

struct Number {
  std::uint64_t n = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.n); }
};
struct Add {
  static constexpr ServiceId kId{0x100};
  static constexpr const char* kName = "test.add";
  using Request = Number;
  using Reply = Number;
};
struct Later {
  static constexpr ServiceId kId{0x101};
  static constexpr const char* kName = "test.later";
  using Request = Number;
  using Reply = Number;
};

// One direction of a connection. The messages lie in fixed buffers until the other side polls.
class QueueEndpoint final : public fabric::Endpoint, public reactor::Poller {
 public:
  QueueEndpoint(Rpc& to, NodeId peer) : to_(to), identity_{peer, Incarnation{1}} {}
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
  Rpc& to_;
  QueueEndpoint* other_ = nullptr;
  const fabric::Identity identity_;
  std::array<Message, 8> messages_;
  std::size_t used_ = 0;
};

class RpcAllocation : public ::testing::Test {
 public:
  RpcAllocation() {
    to_server_->set_other(*to_client_);
    to_client_->set_other(*to_server_);
    reactor_.add_poller(*to_server_);
    reactor_.add_poller(*to_client_);
    reactor_.add_poller(client_);
    reactor_.add_poller(server_);
    server_.serve<Add>([](Incoming&, Number& n) -> Result<Number> { return Number{n.n + 1}; });
    server_.serve<Later>([this](Incoming&, Number n) -> Co<Result<Number>> {
      reactor::Event ready(reactor_);
      ready.set();
      EXPECT_TRUE(co_await ready.wait(reactor_.after(1s)));
      co_return Number{n.n + 1};
    });
    client_.on_up(*to_server_);
    server_.on_up(*to_client_);
  }
  ~RpcAllocation() override {
    client_.on_down(*to_server_, Error(Errc::peer_down), true);
    server_.on_down(*to_client_, Error(Errc::peer_down), true);
    reactor_.remove_poller(client_);
    reactor_.remove_poller(server_);
    reactor_.remove_poller(*to_server_);
    reactor_.remove_poller(*to_client_);
  }

  template <class S>
  static Co<void> calls(RpcAllocation& t, int count, int& answered) {
    for (int i = 0; i < count; ++i) {
      const auto reply =
          co_await t.client_.call<S>(NodeId{1}, {7}, {.deadline = t.reactor_.after(1s)});
      if (reply && reply->n == 8) ++answered;
    }
  }
  // Runs `callers` times `count` calls at once and gives the allocations that they made.
  template <class S>
  std::uint64_t count_allocations(int callers, int count) {
    int answered = 0;
    for (int i = 0; i < callers; ++i) reactor_.spawn(calls<S>(*this, count, answered));
    const std::uint64_t before = krg::testing::allocations();
    while (answered < callers * count) {
      if (!reactor_.turn()) break;
    }
    const std::uint64_t made = krg::testing::allocations() - before;
    EXPECT_EQ(answered, callers * count);
    return made;
  }

  reactor::VirtualClock clock_;
  reactor::Reactor reactor_{clock_};
  Rpc client_{reactor_, {.self = {NodeId{0}, Incarnation{1}}}};
  Rpc server_{reactor_, {.self = {NodeId{1}, Incarnation{1}}}};
  std::unique_ptr<QueueEndpoint> to_server_ = std::make_unique<QueueEndpoint>(server_, NodeId{1});
  std::unique_ptr<QueueEndpoint> to_client_ = std::make_unique<QueueEndpoint>(client_, NodeId{0});
};

TEST_F(RpcAllocation, ACallToAnInlineHandlerAllocatesNothing) {
  EXPECT_GT(count_allocations<Add>(64, 10), 0u) << "the counter counts nothing";
  EXPECT_EQ(count_allocations<Add>(64, 1000), 0u);
}

TEST_F(RpcAllocation, ACallToACoroutineAllocatesNothing) {
  count_allocations<Later>(64, 10);
  EXPECT_EQ(count_allocations<Later>(64, 1000), 0u);
}

}  // namespace
}  // namespace krg::rpc
