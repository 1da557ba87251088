#include "krg/control/clusters.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "krg/control/socket.h"

namespace krg::control {
namespace {

class ClustersTest : public testing::Test, protected ListenerHandler {
 protected:
  void SetUp() override {
    char name[] = "/tmp/krg-clusters-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    base = name;
  }
  void TearDown() override { std::filesystem::remove_all(base); }
  void on_caller(UniqueFd connection) override { callers.push_back(std::move(connection)); }

  reactor::RealClock clock;
  reactor::Reactor reactor{clock};
  std::vector<UniqueFd> callers;
  std::string base;
};

TEST_F(ClustersTest, AClusterIsFoundByNameWhileItAnswers) {
  const auto folder = make_folder(base, "blue");
  ASSERT_TRUE(folder);
  {
    Listener listener(reactor, *this);
    ASSERT_TRUE(listener.open(socket_of(*folder, 3)));
    const auto found = find_cluster(base, "blue");
    ASSERT_TRUE(found);
    EXPECT_EQ(found->socket, *folder + "/node3");
    EXPECT_EQ(find_cluster(base, "green").error(), Errc::not_found);
  }
  EXPECT_EQ(find_cluster(base, "blue").error(), Errc::not_found);
}

TEST_F(ClustersTest, TheLowestNodeThatAnswersIsTaken) {
  const auto folder = make_folder(base, "blue");
  ASSERT_TRUE(folder);
  Listener ten(reactor, *this), nine(reactor, *this);
  ASSERT_TRUE(ten.open(socket_of(*folder, 10)));
  ASSERT_TRUE(nine.open(socket_of(*folder, 9)));
  EXPECT_EQ(find_cluster(base, "blue")->socket, *folder + "/node9");
}

TEST_F(ClustersTest, ASocketInUseIsNotTakenOver) {
  const auto folder = make_folder(base, "blue");
  ASSERT_TRUE(folder);
  Listener first(reactor, *this), second(reactor, *this);
  ASSERT_TRUE(first.open(socket_of(*folder, 0)));
  EXPECT_EQ(second.open(socket_of(*folder, 0)).error(), Errc::already_exists);
  struct stat info {};
  ASSERT_EQ(stat(first.path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_EQ(stat(folder->c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(ClustersTest, AFolderThatOthersCanWriteIsNotUsed) {
  ASSERT_TRUE(make_folder(base, "blue"));
  const std::string folder = base + "/krg/blue";
  ASSERT_EQ(chmod(folder.c_str(), 0777), 0);
  const auto again = make_folder(base, "blue");
  if (again) {
    EXPECT_NE(*again, folder);
    remove_folder(*again);
  }
}

TEST_F(ClustersTest, NamesAreChecked) {
  for (const char* name :
       {"", ".", "..", "a/b", "a b", "-\n", "x234567890123456789012345678901234"}) {
    EXPECT_EQ(make_folder(base, name).error(), Errc::invalid_argument) << name;
  }
  EXPECT_TRUE(is_cluster_name("job-17.a_B"));
}

}  // namespace
}  // namespace krg::control
