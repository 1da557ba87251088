// Three krgds in processes of their own, over libfabric; the test is a task of any of them.
#pragma once

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

inline constexpr std::uint32_t kNodes = 3;

inline std::vector<std::byte> read_some(int fd) {
  std::vector<std::byte> bytes(4096);
  const ssize_t got = ::read(fd, bytes.data(), bytes.size());
  bytes.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
  return bytes;
}
inline void write_all(int fd, const std::vector<std::byte>& bytes) {
  EXPECT_EQ(::write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
}

struct Room {
  std::uint64_t budget = 0;  // Of each node; 0: its default.
  Duration patience = std::chrono::seconds(30);
};

// Says who it is, hears who the others are, and serves.
inline Status be_krgd(NodeId self, const std::string& folder, int in, int out, const Room& room) {
  const reactor::RealClock clock;
  reactor::Reactor reactor(clock);
  node::Node node(reactor, {.self = {self, Incarnation{1}},
                            .cluster = "test",
                            .host = "here",
                            .key = {},
                            .listen = "127.0.0.1",
                            .watch = {},
                            .memory_budget = room.budget,
                            .memory_patience = room.patience});
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

class Krgds : public testing::Test {
 protected:
  explicit Krgds(Room room = {}) : room_(room) {
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
  ~Krgds() override {
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
      const Status how = be_krgd(NodeId{node}, folder_, to[0], from[1], room_);
      if (!how) std::fprintf(stderr, "%s\n", how.error().message().c_str());
      ::_exit(1);
    }
    ::close(to[0]);
    ::close(from[1]);
    pipes_[node] = {from[0], to[1]};
  }

  const Room room_;
  std::string folder_;
  std::array<pid_t, kNodes> krgds_{};
  std::array<std::array<int, 2>, kNodes> pipes_{};
};

inline volatile char* at(const Region& region, std::size_t page) {
  return reinterpret_cast<volatile char*>(region.data()) + page * 4096;
}

}  // namespace krg
