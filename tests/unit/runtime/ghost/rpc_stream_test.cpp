#include "krg/ghost/rpc_stream.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "krg/sim/world.h"
#include "krg/testing/matchers.h"
#include "rpc_end.h"
#include "sample.h"

// Two nodes over the simulated fabric: an archive of many pieces arrives as it was written, neither
// end holds more than its bound, and whichever end goes, the other one learns of it.
namespace krg::ghost {
namespace {

using namespace std::chrono_literals;

constexpr NodeId kFrom{0}, kTo{1};
constexpr std::uint64_t kRuns = 12;

class GhostStream : public ::testing::Test {
 protected:
  void make(std::uint64_t seed) {
    world_.emplace(sim::WorldOptions{.seed = seed, .nodes = 2});
    for (std::uint32_t i = 0; i < 2; ++i) {
      ends_[i].emplace(*world_, rpc::RpcOptions{.self = {NodeId{i}, Incarnation{1}}});
    }
    inbox_.emplace(ends_[1]->rpc());
    source_ = inbox_->expect(kFrom);
    sink_.emplace(ends_[0]->rpc(), kTo, source_->ticket(), 2s);
  }
  void TearDown() override {
    for (std::uint32_t i = 0; i < 2; ++i) world_->kill(NodeId{i});
    sink_.reset();
    for (auto& end : ends_) end->reactor().cancel_all();
    source_.reset();
    inbox_.reset();
    for (auto& end : ends_) end.reset();
    world_.reset();
  }
  reactor::Reactor& at(NodeId node) { return world_->reactor(node); }

  std::optional<sim::World> world_;
  std::optional<cluster_test::RpcEnd> ends_[2];
  std::optional<Inbox> inbox_;
  std::unique_ptr<RpcSource> source_;
  std::optional<RpcSink> sink_;
};

Co<Status> write_large(RpcSink& sink, reactor::Reactor& reactor, std::uint64_t& written) {
  Writer writer(sink);
  KRG_CO_TRY(writer.begin({"migration", "krg test"}));
  KRG_CO_TRY(writer.begin_runs({"memory"}));
  for (std::uint64_t i = 0; i < kRuns; ++i) {
    const auto bytes = noise(kPieceBytes, i);
    Status status;
    while (!(status = writer.run(i * kPieceBytes, bytes)) && status.error() == Errc::would_block) {
      KRG_CO_TRY(co_await sink.drain(reactor.after(10s)));
    }
    KRG_CO_TRY(status);
    written = writer.written();
  }
  KRG_CO_TRY(writer.end_runs());
  KRG_CO_TRY(writer.end());
  co_return co_await sink.close(reactor.after(10s));
}
Co<void> write_and_say(RpcSink& sink, reactor::Reactor& reactor, std::uint64_t& written,
                       std::optional<Status>& said) {
  said = co_await write_large(sink, reactor, written);
}

Co<Status> read_large(RpcSource& source, reactor::Reactor& reactor, std::uint64_t& right) {
  Reader reader(source);
  for (;;) {
    const auto section = reader.next();
    if (!section && section.error() == Errc::would_block) {
      KRG_CO_TRY(co_await source.fill(reactor.after(10s)));
      continue;
    }
    KRG_CO_TRY(section);
    if (!*section) co_return Status();
    for (;;) {
      const auto run = reader.run();
      if (!run && run.error() == Errc::would_block) {
        KRG_CO_TRY(co_await source.fill(reactor.after(10s)));
        continue;
      }
      KRG_CO_TRY(run);
      if (!*run) break;
      if ((*run)->address == right * kPieceBytes &&
          std::ranges::equal((*run)->bytes, noise(kPieceBytes, right))) {
        ++right;
      }
    }
  }
}
Co<void> read_and_say(RpcSource& source, reactor::Reactor& reactor, std::uint64_t& right,
                      std::optional<Status>& said) {
  said = co_await read_large(source, reactor, right);
}

TEST_F(GhostStream, BringsEveryRunWhateverOvertakesWhat) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    make(seed);
    std::uint64_t written = 0, right = 0;
    std::optional<Status> sent, got;
    at(kFrom).spawn(write_and_say(*sink_, at(kFrom), written, sent));
    at(kTo).spawn(read_and_say(*source_, at(kTo), right, got));
    EXPECT_TRUE(world_->run_until([&] { return sent && got; }, 60s));
    ASSERT_TRUE(sent && got);
    EXPECT_OK(*sent);
    EXPECT_OK(*got);
    EXPECT_EQ(right, kRuns);
    if (seed < 3) TearDown();
  }
}

TEST_F(GhostStream, StopsTheWriterWhileNobodyReads) {
  make(1);
  std::uint64_t written = 0;
  std::optional<Status> sent;
  at(kFrom).spawn(write_and_say(*sink_, at(kFrom), written, sent));
  world_->run_for(1s);
  EXPECT_FALSE(sent);
  EXPECT_LE(written, 6 * kPieceBytes) << "more is buffered than the bound";
  world_->run_for(30s);
  ASSERT_TRUE(sent) << "the wait has no end";
  EXPECT_EQ(sent->error(), Errc::timed_out);
}

TEST_F(GhostStream, AReaderThatGivesUpEndsTheWriter) {
  make(1);
  std::uint64_t written = 0;
  std::optional<Status> sent;
  at(kFrom).spawn(write_and_say(*sink_, at(kFrom), written, sent));
  world_->run_for(100ms);
  source_.reset();
  world_->wake(kTo);
  world_->run_for(1s);
  ASSERT_TRUE(sent);
  EXPECT_TRUE(sent->error() == Errc::cancelled || sent->error() == Errc::not_found);
}

TEST_F(GhostStream, AWriterThatGivesUpEndsTheReader) {
  make(1);
  std::uint64_t right = 0;
  std::optional<Status> got;
  at(kTo).spawn(read_and_say(*source_, at(kTo), right, got));
  {
    Writer writer(*sink_);
    ASSERT_OK(writer.begin({"migration", ""}));
  }
  world_->run_for(10ms);
  sink_.reset();
  world_->wake(kFrom);
  world_->run_for(1s);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->error(), Errc::cancelled);
  EXPECT_EQ(right, 0u);
}

TEST_F(GhostStream, ADeadWriterEndsTheReader) {
  make(1);
  std::uint64_t right = 0;
  std::optional<Status> got;
  at(kTo).spawn(read_and_say(*source_, at(kTo), right, got));
  world_->run_for(10ms);
  inbox_->on_peer_down(kFrom, Error(Errc::peer_down));
  world_->wake(kTo);
  world_->run_for(10ms);
  ASSERT_TRUE(got);
  EXPECT_EQ(got->error(), Errc::peer_down);
}

TEST_F(GhostStream, NobodyElseMayUseATicket) {
  make(1);
  const auto other = inbox_->expect(NodeId{7});
  RpcSink sink(ends_[0]->rpc(), kTo, other->ticket(), 1s);
  RpcSink nowhere(ends_[0]->rpc(), kTo, Ticket{99}, 1s);
  std::uint64_t written = 0;
  std::optional<Status> sent, lost;
  at(kFrom).spawn(write_and_say(sink, at(kFrom), written, sent));
  at(kFrom).spawn(write_and_say(nowhere, at(kFrom), written, lost));
  world_->run_for(5s);
  ASSERT_TRUE(sent && lost);
  EXPECT_EQ(sent->error(), Errc::denied);
  EXPECT_EQ(lost->error(), Errc::not_found);
}

}  // namespace
}  // namespace krg::ghost
