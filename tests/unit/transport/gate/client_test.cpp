// Tasks against a krgd that runs in a thread of its own; some tasks are processes, to be killed.
#include "krg/gate/client.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <functional>
#include <thread>

#include "krg/gate/lane.h"
#include "services.h"

namespace krg::gate {
namespace {

using namespace std::chrono_literals;
using test::Chat;
using test::Echo;
using test::Held;
using test::Text;

class ClientTest : public testing::TestWithParam<reactor::Reactor::Waiting> {
 protected:
  ClientTest() : reactor_(clock_, GetParam()) {
    server_ = std::make_unique<Server>(reactor_, Server::Options{.path = dir_.socket()});
    server_->serve<Echo>([this](Call& call, const Text& r) -> Result<Text> {
      if (r.text == "fail") return Error(Errc::not_found).with_native(7).with_peer(NodeId{3});
      if (r.text == "who") return Text{std::to_string(call.caller().pid)};
      if (r.text == "late") {
        call.if_unwanted([this] { ++undone_; });
        ++entered_;
        entered_.notify_all();
        answer_.wait(false);
      }
      if (r.text == "huge") return Text{std::string(kArgumentMax, 'x')};
      return r;
    });
    server_->serve<Held>([this](Call& call, Text r) -> Co<Result<Text>> {
      const Guard guard(held_);
      KRG_CO_TRY(co_await let_go_.wait(call.deadline()));
      co_return r;
    });
    server_->serve<Chat>(
        [](Call&, ServerStream<Chat>, Text r) -> Co<Result<Text>> { co_return r; });
    EXPECT_TRUE(server_->listen());
    krgd_ = std::thread([this] { reactor_.run(); });
  }
  ~ClientTest() override { stop(); }

  struct Guard {
    explicit Guard(std::atomic<int>& count) : count_(count) { ++count_; }
    ~Guard() { --count_; }
    std::atomic<int>& count_;
  };

  void stop() {
    if (!krgd_.joinable()) return;
    reactor_.stop();
    krgd_.join();
    server_.reset();
  }
  // Runs `work` in krgd's thread and waits for it.
  void in_krgd(std::function<void()> work) {
    std::atomic<bool> done{false};
    reactor_.mailbox().post([&] {
      work();
      done = true;
      done.notify_one();
    });
    done.wait(false);
  }
  std::unique_ptr<Client> connect(Client::Options options = {}) {
    auto client = Client::connect(dir_.socket(), options);
    EXPECT_TRUE(client) << client.error().message();
    return client ? std::move(*client) : nullptr;
  }
  template <class F>
  void wait_until(F condition) {
    const TimePoint limit = clock_.now() + 20s;
    while (!condition() && clock_.now() < limit) std::this_thread::yield();
    EXPECT_TRUE(condition());
  }
  std::size_t sessions() {
    std::size_t n = 0;
    in_krgd([&] { n = server_->sessions(); });
    return n;
  }

  // A task as a process: runs `body` and then waits to be killed.
  pid_t task(const std::function<void(Client&)>& body) {
    const pid_t pid = fork();
    if (pid != 0) return pid;
    auto client = Client::connect(dir_.socket(), {});
    if (!client) _exit(1);
    body(**client);
    for (;;) pause();
  }
  void end(pid_t pid) {
    EXPECT_EQ(kill(pid, SIGKILL), 0);
    EXPECT_EQ(waitpid(pid, nullptr, 0), pid);
  }

  reactor::RealClock clock_;
  test::TempDir dir_;
  reactor::Reactor reactor_;
  reactor::Event let_go_{reactor_};
  std::atomic<int> entered_{0}, undone_{0};
  std::atomic<bool> answer_{false};
  std::atomic<int> held_{0};
  std::unique_ptr<Server> server_;
  std::thread krgd_;
};

INSTANTIATE_TEST_SUITE_P(Krgd, ClientTest,
                         testing::Values(reactor::Reactor::Waiting::adaptive,
                                         reactor::Reactor::Waiting::block),
                         [](const auto& info) {
                           return info.param == reactor::Reactor::Waiting::block ? "Asleep"
                                                                                 : "Awake";
                         });

TEST_P(ClientTest, CallsOfEverySizeComeBack) {
  auto client = connect();
  for (const std::size_t size : {0u, 1u, 99u, 100u, 101u, 4096u, 100'000u, kArgumentMax - 4u}) {
    const std::string text(size, 'y');
    const auto reply = client->call<Echo>({text}, 10s);
    ASSERT_TRUE(reply) << size << " " << reply.error().message();
    EXPECT_EQ(reply->text, text);
  }
}

TEST_P(ClientTest, WhatIsTooLargeIsAnErrorOfThatCallAlone) {
  auto client = connect();
  EXPECT_EQ(client->call<Echo>({std::string(kArgumentMax, 'x')}, 10s).error().code(),
            Errc::too_large);
  EXPECT_EQ(client->call<Echo>({"huge"}, 10s).error().code(), Errc::too_large);
  EXPECT_TRUE(client->call<Echo>({"x"}, 10s));
}

TEST_P(ClientTest, ErrorsKeepCodePeerAndStatus) {
  auto client = connect();
  const auto reply = client->call<Echo>({"fail"}, 10s);
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Errc::not_found);
  EXPECT_EQ(reply.error().native(), 7);
  EXPECT_EQ(reply.error().peer(), NodeId{3});
  EXPECT_EQ(client->call<Chat>({"x"}, 10s).error().code(), Errc::not_supported);
}

TEST_P(ClientTest, KrgdKnowsTheCallerFromTheKernel) {
  auto client = connect();
  const auto reply = client->call<Echo>({"who"}, 10s);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->text, std::to_string(getpid()));
}

TEST_P(ClientTest, ManyThreadsShareALane) {
  auto client = connect();
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 500; ++i) {
        const std::string text = std::to_string(t) + ":" + std::to_string(i);
        const auto reply = client->call<Echo>({text}, 20s);
        if (reply && reply->text == text) ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 8 * 500);
}

TEST_P(ClientTest, AFullLaneSaysSoAndCallsWaitForAFreeSlot) {
  auto client = connect();
  std::vector<Client::Ticket> tickets;
  for (unsigned i = 0; i < kSlots; ++i) {
    auto ticket = client->start<Held>({std::to_string(i)}, 20s);
    ASSERT_TRUE(ticket);
    tickets.push_back(std::move(*ticket));
  }
  EXPECT_EQ(client->start<Held>({"x"}, 20s).error().code(), Errc::would_block);
  EXPECT_EQ(client->call<Echo>({"x"}, 10ms).error().code(), Errc::timed_out);
  EXPECT_FALSE(tickets[0].ready());
  std::thread waiter([&] { EXPECT_TRUE(client->call<Echo>({"x"}, 20s)); });
  in_krgd([&] { let_go_.set(); });
  for (unsigned i = 0; i < kSlots; ++i) {
    const auto reply = client->wait<Held>(std::move(tickets[i]), 20s);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->text, std::to_string(i));
  }
  waiter.join();
}

TEST_P(ClientTest, ACallThatTimesOutIsCancelledAndItsSlotComesBack) {
  auto client = connect();
  for (unsigned i = 0; i < 2 * kSlots; ++i) {
    const auto reply = client->call<Held>({"x"}, 100us);
    ASSERT_FALSE(reply);
    EXPECT_EQ(reply.error().code(), Errc::timed_out);
  }
  EXPECT_TRUE(client->call<Echo>({"x"}, 20s));
  wait_until([&] { return held_ == 0; });
}

TEST_P(ClientTest, ADroppedTicketCancelsItsCall) {
  auto client = connect();
  {
    const auto ticket = client->start<Held>({"x"}, 100s);
    ASSERT_TRUE(ticket);
    wait_until([&] { return held_ == 1; });
  }
  wait_until([&] { return held_ == 0; });
}

// The caller gives up after the handler has done its work and before the answer is written.
TEST_P(ClientTest, WhatWasDoneForACallerThatHasGivenUpIsUndone) {
  const auto client = connect();
  {
    auto ticket = client->start<Echo>(Text{"late"}, 10s);
    ASSERT_TRUE(ticket);
    entered_.wait(0);
    EXPECT_FALSE(ticket->ready());
    EXPECT_FALSE(ticket->ready(1ms));
    EXPECT_TRUE(ticket->give_up());
  }
  answer_ = true;
  answer_.notify_all();
  EXPECT_TRUE(client->call<Echo>(Text{"more"}, 10s));
  EXPECT_EQ(undone_, 1);
  auto taken = client->start<Echo>(Text{"late"}, 10s);
  ASSERT_TRUE(taken);
  EXPECT_TRUE(taken->ready(10s));
  EXPECT_FALSE(taken->give_up()) << "its answer is there";
  EXPECT_EQ(client->wait<Echo>(std::move(*taken), 10s)->text, "late");
  EXPECT_TRUE(client->call<Echo>(Text{"more"}, 10s));
  EXPECT_EQ(undone_, 1) << "what was taken is not undone";
}

TEST_P(ClientTest, AKrgdThatIsGoneIsAnErrorNotAHang) {
  auto client = connect();
  const auto ticket = client->start<Held>({"x"}, 100s);
  ASSERT_TRUE(ticket);
  stop();
  EXPECT_EQ(client->call<Echo>({"x"}, 100s).error().code(), Errc::peer_down);
  EXPECT_FALSE(client->connected());
}

TEST_P(ClientTest, ATaskKilledMidCallIsCleanedUpAndNobodyElseNotices) {
  auto other = connect();
  const pid_t pid = task([](Client& client) {
    for (int i = 0; i < 10; ++i) {
      // Kept for ever: the process is killed with the calls in service.
      new Client::Ticket(std::move(*client.start<Held>({"x"}, 100s)));
    }
  });
  wait_until([&] { return held_ == 10; });
  EXPECT_TRUE(other->call<Echo>({"x"}, 20s));
  end(pid);
  wait_until([&] { return held_ == 0 && sessions() == 1; });
  EXPECT_TRUE(other->call<Echo>({"x"}, 20s));
}

TEST_P(ClientTest, ATaskKilledWhoseChildKeepsTheSocketIsNoticed) {
  int grandchild[2];
  ASSERT_EQ(pipe(grandchild), 0);
  const pid_t pid = task([&](Client&) {
    const pid_t child = fork();
    if (child == 0) {
      for (;;) pause();
    }
    if (write(grandchild[1], &child, sizeof child) != sizeof child) _exit(1);
  });
  pid_t child = -1;
  ASSERT_EQ(read(grandchild[0], &child, sizeof child), ssize_t{sizeof child});
  EXPECT_EQ(sessions(), 1u);
  end(pid);
  wait_until([&] { return sessions() == 0; });
  EXPECT_EQ(kill(child, SIGKILL), 0);
  close(grandchild[0]);
  close(grandchild[1]);
}

TEST_P(ClientTest, AStoppedTaskHoldsUpNobody) {
  auto other = connect();
  const pid_t pid = task([](Client& client) { client.call<Held>({"x"}, 100s).has_value(); });
  wait_until([&] { return held_ == 1; });
  ASSERT_EQ(kill(pid, SIGSTOP), 0);
  in_krgd([&] { let_go_.set(); });  // The answer goes to somebody who does not take it.
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(other->call<Echo>({"x"}, 20s));
  wait_until([&] { return held_ == 0; });
  end(pid);
  wait_until([&] { return sessions() == 1; });
}

TEST_P(ClientTest, TasksThatComeAndGoLeaveNothingBehind) {
  const auto descriptors = [] {
    int count = 0;
    for (int fd = 0; fd < 256; ++fd) count += fcntl(fd, F_GETFD) >= 0 ? 1 : 0;
    return count;
  };
  connect().reset();
  wait_until([&] { return sessions() == 0; });
  const int before = descriptors();
  for (int i = 0; i < 30; ++i) EXPECT_TRUE(connect()->call<Echo>({"x"}, 20s));
  wait_until([&] { return sessions() == 0; });
  EXPECT_EQ(descriptors(), before);
}

}  // namespace
}  // namespace krg::gate
