// Goal    a page that only a failed node had is SIGBUS for who touches it, with a message that
//         names region, page and node; the rest of the region goes on.
// Method  three krgds in processes of their own, over libfabric; this process is a task of node 0,
//         a child writes as a task of node 1, whose krgd is killed then.
#include <gtest/gtest.h>
#include <krg/region/region.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "krg/node/node.h"
#include "krg/ofi/open.h"
#include "krg/wire/codec.h"

namespace krg {
namespace {

using namespace std::chrono_literals;

constexpr std::uint32_t kNodes = 3;

std::vector<std::byte> read_some(int fd) {
  std::vector<std::byte> bytes(4096);
  const ssize_t got = ::read(fd, bytes.data(), bytes.size());
  bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return bytes;
}
void write_all(int fd, const std::vector<std::byte>& bytes) {
  EXPECT_EQ(::write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
}

// Says who it is, hears who the others are, and serves.
Status be_krgd(NodeId self, const std::string& folder, int in, int out) {
  const reactor::RealClock clock;
  reactor::Reactor reactor(clock);
  node::Node node(reactor, {.self = {self, Incarnation{1}},
                            .cluster = "test",
                            .host = "here",
                            .key = {},
                            .listen = "127.0.0.1",
                            .watch = {}});
  KRG_TRY(node.open_fabric(
      [&](reactor::Reactor& r, fabric::EventSink& sink, const fabric::Options& given) {
        fabric::Options options = given;
        options.reach = fabric::Reach::tcp;
        return ofi::open(r, sink, options);
      }));
  write_all(out, wire::encode(node.member()));
  KRG_TRY_ASSIGN(cluster::View view, wire::decode<cluster::View>(read_some(in)));
  KRG_TRY(node.found(std::move(view)));
  KRG_TRY(node.open_gate(folder + "/gate" + std::to_string(self.value)));
  write_all(out, {std::byte{1}});
  reactor.run();
  return {};
}

class LostPages : public testing::Test {
 protected:
  LostPages() {
    char name[] = "/tmp/krg_lost_XXXXXX";
    EXPECT_NE(::mkdtemp(name), nullptr);
    folder_ = name;
    for (std::uint32_t i = 0; i < kNodes; ++i) start(i);
    cluster::View view{Epoch{1}, NodeId{0}, {}};
    for (const auto& ends : pipes_) {
      auto member = wire::decode<cluster::Member>(read_some(ends[0]));
      EXPECT_TRUE(member);
      if (member) view.members.push_back(std::move(*member));
    }
    for (const auto& ends : pipes_) write_all(ends[1], wire::encode(view));
    for (const auto& ends : pipes_) EXPECT_FALSE(read_some(ends[0]).empty());
  }
  ~LostPages() override {
    for (std::uint32_t i = 0; i < kNodes; ++i) kill_krgd(i);
    for (const auto& ends : pipes_) {
      ::close(ends[0]);
      ::close(ends[1]);
    }
    for (std::uint32_t i = 0; i < kNodes; ++i) ::unlink(gate(i).c_str());
    ::unlink(log().c_str());
    ::rmdir(folder_.c_str());
  }

  std::string gate(std::uint32_t node) const { return folder_ + "/gate" + std::to_string(node); }
  std::string log() const { return folder_ + "/log"; }
  void kill_krgd(std::uint32_t node) {
    if (krgds_[node] <= 0) return;
    ::kill(krgds_[node], SIGKILL);
    ::waitpid(krgds_[node], nullptr, 0);
    krgds_[node] = -1;
  }
  std::string logged() const {
    std::ifstream file(log());
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }

 private:
  void start(std::uint32_t node) {
    int to[2], from[2];
    ASSERT_EQ(::pipe(to), 0);
    ASSERT_EQ(::pipe(from), 0);
    krgds_[node] = ::fork();
    if (krgds_[node] == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (node == 0 && ::freopen(log().c_str(), "w", stderr) == nullptr) ::_exit(1);
      const Status how = be_krgd(NodeId{node}, folder_, to[0], from[1]);
      if (!how) std::fprintf(stderr, "%s\n", how.error().message().c_str());
      ::_exit(1);
    }
    ::close(to[0]);
    ::close(from[1]);
    pipes_[node] = {from[0], to[1]};
  }

  std::string folder_;
  std::array<pid_t, kNodes> krgds_{};
  std::array<std::array<int, 2>, kNodes> pipes_{};
};

volatile char* at(const Region& region, std::size_t page) {
  return reinterpret_cast<volatile char*>(region.data()) + page * 4096;
}

void expect_sigbus(const volatile char* byte) {
  const pid_t victim = ::fork();
  if (victim == 0) {
    ::signal(SIGBUS, SIG_DFL);  // A library of libfabric's has a handler.
    ::_exit(*byte);
  }
  int how = -1;
  ::waitpid(victim, &how, 0);
  EXPECT_TRUE(WIFSIGNALED(how) && WTERMSIG(how) == SIGBUS) << how;
}

TEST_F(LostPages, AreSigbusAndTheRestGoesOn) {
  ASSERT_TRUE(Region::create("lost", 256 * 4096, 0, gate(0)));
  const pid_t writer = ::fork();
  if (writer == 0) {
    auto region = Region::attach("lost", {.gate = gate(1)});
    if (!region) ::_exit(1);
    for (std::size_t page = 0; page < 32; ++page) *at(*region, page) = static_cast<char>(page + 1);
    ::_exit(0);
  }
  int how = -1;
  ::waitpid(writer, &how, 0);
  ASSERT_TRUE(WIFEXITED(how) && WEXITSTATUS(how) == 0);
  auto region = Region::attach("lost", {.gate = gate(0)});
  ASSERT_TRUE(region) << region.error().message();
  // In no order: nothing is brought ahead.
  for (const std::size_t page : {9u, 3u, 6u, 0u}) {
    EXPECT_EQ(*at(*region, page), static_cast<char>(page + 1));
  }
  kill_krgd(1);
  // What this node has, and what nobody had.
  EXPECT_EQ(*at(*region, 3), 4);
  *at(*region, 3) = 99;
  EXPECT_EQ(*at(*region, 200), 0);
  expect_sigbus(at(*region, 20));
  EXPECT_NE(logged().find("region lost page 20 on node 0"), std::string::npos) << logged();
  EXPECT_EQ(*at(*region, 3), 99);
}

TEST_F(LostPages, ARegionIsAttachedAndHasItsSizeAfterWhoChangedItHasDied) {
  ASSERT_TRUE(Region::create("resized", 8 * 4096, RegionShape{.capacity = 64 * 4096}, gate(0)));
  ASSERT_TRUE(Region::create("plain", 8 * 4096, 0, gate(0)));
  const pid_t changer = ::fork();
  if (changer == 0) {
    auto region = Region::attach("resized", {.gate = gate(1)});
    const auto plain = Region::attach("plain", {.gate = gate(1)});
    ::_exit(region && plain && region->resize(32 * 4096) ? 0 : 1);
  }
  int how = -1;
  ::waitpid(changer, &how, 0);
  ASSERT_TRUE(WIFEXITED(how) && WEXITSTATUS(how) == 0);
  kill_krgd(1);
  const auto region = Region::attach("resized", {.gate = gate(0)});
  ASSERT_TRUE(region) << region.error().message();
  EXPECT_EQ(region->size(), 32u * 4096);
  *at(*region, 31) = 1;
  const auto plain = Region::attach("plain", {.gate = gate(2)});
  ASSERT_TRUE(plain) << plain.error().message();
  *at(*plain, 7) = 1;
}

RegionShape released_at(std::uint32_t node) {
  RegionShape shape;
  shape.placement = Placement::node;
  shape.node = node;
  shape.consistency = Consistency::release;
  return shape;
}

TEST_F(LostPages, WhatANodeHasReleasedOutlivesIt) {
  ASSERT_TRUE(Region::create("kept", 64 * 4096, released_at(0), gate(0)));
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t writer = ::fork();
  if (writer == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    auto region = Region::attach("kept", {.gate = gate(1)});
    if (!region) ::_exit(1);
    *at(*region, 1) = 5;
    *at(*region, 2) = 5;
    if (!region->release()) ::_exit(1);
    *at(*region, 2) = 6;
    *at(*region, 3) = 6;
    write_all(ready[1], {std::byte{1}});
    for (;;) ::pause();
  }
  ::close(ready[1]);
  ASSERT_FALSE(read_some(ready[0]).empty());
  ::close(ready[0]);
  auto region = Region::attach("kept", {.gate = gate(0)});
  ASSERT_TRUE(region) << region.error().message();
  EXPECT_EQ(*at(*region, 2), 5) << "what was not released is not seen, as a rule";
  kill_krgd(1);
  ::kill(writer, SIGKILL);
  ::waitpid(writer, nullptr, 0);
  ASSERT_TRUE(region->acquire());
  EXPECT_EQ(*at(*region, 1), 5);
  EXPECT_EQ(*at(*region, 2), 5);
  EXPECT_EQ(*at(*region, 3), 0);
  // It goes on between those that are left.
  auto other = Region::attach("kept", {.address = 0x100000000, .gate = gate(2)});
  ASSERT_TRUE(other) << other.error().message();
  *at(*other, 1) = 7;
  ASSERT_TRUE(other->release());
  ASSERT_TRUE(region->acquire());
  EXPECT_EQ(*at(*region, 1), 7);
}

TEST_F(LostPages, AtHomeOnADeadNodeAreSigbus) {
  ASSERT_TRUE(Region::create("homeless", 64 * 4096, released_at(1), gate(0)));
  auto region = Region::attach("homeless", {.gate = gate(0)});
  ASSERT_TRUE(region) << region.error().message();
  for (const std::size_t page : {20u, 3u, 9u}) *at(*region, page) = static_cast<char>(page);
  ASSERT_TRUE(region->release());
  const auto other = Region::attach("homeless", {.address = 0x100000000, .gate = gate(2)});
  ASSERT_TRUE(other) << other.error().message();
  EXPECT_EQ(*at(*other, 9), 9);
  kill_krgd(1);
  EXPECT_EQ(*at(*other, 9), 9) << "a copy stays until it is dropped";
  EXPECT_EQ(*at(*region, 9), 9);
  EXPECT_EQ(*at(*other, 40), 0) << "nobody has written it";
  *at(*region, 20) = 1;
  const Status released = region->release();
  ASSERT_FALSE(released);
  EXPECT_EQ(released.error().code(), Errc::lost) << released.error().message();
  expect_sigbus(at(*region, 20));
  EXPECT_NE(logged().find("region homeless page 20 on node 0"), std::string::npos) << logged();
  // What is not lost is released as before.
  *at(*region, 50) = 1;
  EXPECT_TRUE(region->release());
}

}  // namespace
}  // namespace krg
