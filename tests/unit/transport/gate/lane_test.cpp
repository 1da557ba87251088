// A lane without sockets: the test plays the task, well-behaved or not, and drives krgd's side by
// hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cstring>
#include <map>
#include <random>
#include <thread>

#include "krg/gate/lane_server.h"
#include "services.h"

namespace krg::gate {
namespace {

using test::Echo;
using test::Held;
using test::Text;

class Table final : public HandlerTable {
 public:
  template <wire::Service S, class F>
  void serve(F handler) {
    handlers_[S::kId.value] = make_handler<S>(std::move(handler));
  }
  Handler* find(ServiceId id) noexcept override {
    const auto found = handlers_.find(id.value);
    return found == handlers_.end() ? nullptr : found->second.get();
  }

 private:
  std::map<std::uint16_t, std::unique_ptr<Handler>> handlers_;
};

class LaneTest : public testing::Test {
 protected:
  LaneTest() {
    table_.serve<Echo>([](Call&, const Text& r) -> Result<Text> { return r; });
    table_.serve<Held>([this](Call& call, Text r) -> Co<Result<Text>> {
      ++held_;
      KRG_CO_TRY(co_await let_go_.wait(call.deadline()));
      --held_;
      co_return r;
    });
    server_ = std::move(*LaneServer::create(reactor_, table_, caller_));
  }

  Slot& slot(unsigned i) { return server_->lane().slots[i]; }
  SlotState state(unsigned i) { return static_cast<SlotState>(slot(i).reply.state.load()); }

  void submit(unsigned i, ServiceId service, const std::string& text) {
    const std::vector<std::byte> bytes = wire::encode(Text{text});
    ASSERT_LE(bytes.size(), kInlineMax);
    Slot& s = slot(i);
    s.request.service = service.value;
    s.request.size = static_cast<std::uint32_t>(bytes.size());
    s.request.timeout_ns = 1'000'000'000;
    std::memcpy(s.request.bytes.data(), bytes.data(), bytes.size());
    s.reply.state = static_cast<std::uint32_t>(SlotState::pending);
    server_->lane().submitted.fetch_or(std::uint64_t{1} << i);
  }
  std::string reply(unsigned i) {
    Slot& s = slot(i);
    if (s.reply.code != 0) return std::string(text(static_cast<Errc>(s.reply.code)));
    const auto body = wire::decode<Text>(std::span(s.reply.bytes).first(s.reply.size));
    return body ? body->text : "undecodable";
  }
  void give_up(unsigned i) {
    slot(i).reply.state = static_cast<std::uint32_t>(SlotState::abandoned);
    server_->lane().given_up.fetch_or(std::uint64_t{1} << i);
  }

  reactor::VirtualClock clock_;
  reactor::Reactor reactor_{clock_};
  reactor::Event let_go_{reactor_};
  int held_ = 0;
  Table table_;
  Caller caller_;
  std::unique_ptr<LaneServer> server_;
};

TEST_F(LaneTest, AnIdleLaneHasNoWork) {
  EXPECT_FALSE(server_->has_work());
  const auto found = server_->poll();
  ASSERT_TRUE(found);
  EXPECT_FALSE(*found);
}

TEST_F(LaneTest, EverySlotIsServedInOnePoll) {
  for (unsigned i = 0; i < kSlots; ++i) submit(i, Echo::kId, std::to_string(i));
  EXPECT_TRUE(server_->has_work());
  ASSERT_TRUE(server_->poll());
  for (unsigned i = 0; i < kSlots; ++i) {
    EXPECT_EQ(state(i), SlotState::done);
    EXPECT_EQ(reply(i), std::to_string(i));
  }
}

TEST_F(LaneTest, AnUnknownServiceIsAnErrorOfTheCall) {
  submit(3, ServiceId{999}, "x");
  ASSERT_TRUE(server_->poll());
  EXPECT_EQ(reply(3), text(Errc::no_service));
}

TEST_F(LaneTest, ARequestThatDoesNotDecodeIsAnErrorOfTheCall) {
  submit(0, Echo::kId, "x");
  slot(0).request.size = 3;
  submit(1, Held::kId, "x");
  slot(1).request.size = kArgumentMax;  // The area: zeros.
  ASSERT_TRUE(server_->poll());
  EXPECT_EQ(reply(0), text(Errc::protocol_error));
  EXPECT_EQ(reply(1), text(Errc::protocol_error));
  EXPECT_EQ(held_, 0);
}

TEST_F(LaneTest, ARequestLargerThanItsSlotEndsTheSession) {
  submit(0, Echo::kId, "x");
  slot(0).request.size = kArgumentMax + 1;
  EXPECT_EQ(server_->poll().error().code(), Errc::protocol_error);
}

TEST_F(LaneTest, ASlotSubmittedWhileInServiceEndsTheSession) {
  submit(5, Held::kId, "x");
  ASSERT_TRUE(server_->poll());
  EXPECT_EQ(held_, 1);
  submit(5, Echo::kId, "y");
  EXPECT_EQ(server_->poll().error().code(), Errc::protocol_error);
}

TEST_F(LaneTest, AGivenUpCallIsDestroyedAndItsSlotFreed) {
  server_->lane().free = 0;
  submit(5, Held::kId, "x");
  ASSERT_TRUE(server_->poll());
  EXPECT_EQ(server_->lane().free, 0u);
  give_up(5);
  ASSERT_TRUE(server_->poll());
  EXPECT_EQ(server_->lane().free, std::uint64_t{1} << 5);
  submit(5, Echo::kId, "again");
  ASSERT_TRUE(server_->poll());
  EXPECT_EQ(reply(5), "again");
}

TEST_F(LaneTest, ACallGivenUpBeforeItWasSeenIsNotStarted) {
  server_->lane().free = 0;
  submit(5, Held::kId, "x");
  give_up(5);
  ASSERT_TRUE(server_->poll());
  EXPECT_EQ(held_, 0);
  EXPECT_EQ(server_->lane().free, std::uint64_t{1} << 5);
}

TEST_F(LaneTest, ALateNoticeOfGivingUpDoesNotHitTheNextCallOfTheSlot) {
  submit(5, Held::kId, "x");
  ASSERT_TRUE(server_->poll());
  server_->lane().given_up.fetch_or(std::uint64_t{1} << 5);  // But the state is pending.
  ASSERT_TRUE(server_->poll());
  let_go_.set();
  reactor_.turn();
  EXPECT_EQ(reply(5), "x");
}

TEST_F(LaneTest, DestroyingTheLaneDestroysWhatIsInService) {
  for (unsigned i = 0; i < kSlots; ++i) submit(i, Held::kId, "x");
  ASSERT_TRUE(server_->poll());
  EXPECT_EQ(held_, 64);
  server_.reset();
  let_go_.set();
  reactor_.turn();
  EXPECT_EQ(held_, 64);  // None of them ran on.
}

TEST_F(LaneTest, RandomBytesInEveryWordAreSurvived) {
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    auto* bytes = reinterpret_cast<unsigned char*>(&server_->lane());
    for (int i = 0; i < 200; ++i) bytes[random() % sizeof(Lane)] = random() & 0xff;
    // A plausible call among the garbage.
    if (round % 3 == 0) {
      slot(7).request.service = Echo::kId.value;
      slot(7).request.size = random() % 200;
      server_->lane().submitted.fetch_or(1u << 7);
    }
    if (!server_->poll()) server_ = std::move(*LaneServer::create(reactor_, table_, caller_));
    reactor_.turn();
  }
}

TEST_F(LaneTest, AWriterThatRacesWithTheCheckIsSurvived) {
  std::atomic<bool> stop{false};
  submit(0, Echo::kId, std::string(80, 'x'));
  Slot& s = slot(0);
  std::thread writer([&] {
    std::mt19937 random(2);
    auto* words = reinterpret_cast<std::atomic<std::uint32_t>*>(&s.request);
    while (!stop) words[random() % (sizeof s.request / 4)].store(random() % kArgumentMax);
  });
  for (int i = 0; i < 20'000; ++i) {
    server_->lane().submitted.fetch_or(1);
    // Only the copy is judged: the session ends or the call is answered, nothing else.
    if (!server_->poll()) break;
    EXPECT_EQ(state(0), SlotState::done);
  }
  stop = true;
  writer.join();
}

}  // namespace
}  // namespace krg::gate
