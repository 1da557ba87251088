// A node without a fabric, and a task of it in another thread.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <thread>

#include "krg/gate/client.h"
#include "krg/node/node.h"

namespace krg::node {
namespace {

using namespace std::chrono_literals;

class NodeGateTest : public testing::Test {
 protected:
  NodeGateTest() {
    char name[] = "/tmp/krg_node_XXXXXX";
    EXPECT_NE(mkdtemp(name), nullptr);
    folder_ = name;
  }
  ~NodeGateTest() override {
    unlink((folder_ + "/gate").c_str());
    rmdir(folder_.c_str());
  }

  std::string folder_;
  reactor::RealClock clock_;
  reactor::Reactor reactor_{clock_};
  Node node_{reactor_,
             {.self = {NodeId{3}, Incarnation{1}},
              .cluster = "test",
              .host = "here",
              .key = {},
              .listen = "",
              .watch = {}}};
};

TEST_F(NodeGateTest, ATaskAsksItsNodeHowItIs) {
  EXPECT_EQ(node_.gate_path(), "");
  ASSERT_TRUE(node_.open_gate(folder_ + "/gate"));
  EXPECT_EQ(node_.gate_path(), folder_ + "/gate");
  std::thread krgd([this] { reactor_.run(); });
  auto task = gate::Client::connect(node_.gate_path(), {});
  ASSERT_TRUE(task) << task.error().message();
  EXPECT_TRUE((*task)->call<Ping>({}, 10s));
  const auto status = (*task)->call<Status>({}, 10s);
  ASSERT_TRUE(status);
  EXPECT_EQ(status->host, "here");
  EXPECT_EQ(status->pid, static_cast<std::uint32_t>(getpid()));
  const auto counted = (*task)->call<Stats>({}, 10s);
  ASSERT_TRUE(counted);
  const auto value = [&](std::string_view name) -> std::int64_t {
    const stats::Item* const item = counted->counted.find(name);
    return item == nullptr ? 0 : item->value;
  };
  EXPECT_EQ(value("gate.node.ping.served.count"), 1);
  EXPECT_EQ(value("gate.node.status.served.count"), 1);
  EXPECT_GT(value("gate.node.status.served.bytes_out"), 20);
  EXPECT_EQ(value("gate.node.stats.served.count"), 1);  // This very call.
  const stats::Item* const latency = counted->counted.find("gate.node.ping.served.latency");
  ASSERT_NE(latency, nullptr);
  EXPECT_EQ(latency->distribution.count(), 1u);
  EXPECT_EQ(counted->counted.find("rpc.node.ping.served.count"), nullptr) << "zeros are left out";
  reactor_.stop();
  krgd.join();
}

TEST_F(NodeGateTest, AFolderThatOthersCanReachIsRefused) {
  ASSERT_EQ(chmod(folder_.c_str(), 0755), 0);
  EXPECT_EQ(node_.open_gate(folder_ + "/gate").error().code(), Errc::denied);
  EXPECT_EQ(node_.gate_path(), "");
}

}  // namespace
}  // namespace krg::node
