// Objects in a file: where they lie, what a full disk says, and who may do the I/O.
#include "krg/linkers/file_linker.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "krg/reactor/block_on.h"
#include "krg/reactor/event.h"
#include "krg/reactor/reactor.h"

namespace krg::kddm {
namespace {

constexpr SetId kSet{2000};
constexpr std::size_t kSize = 4096;
using Bytes = std::vector<std::byte>;

// A folder that goes with the test.
class Folder {
 public:
  Folder() {
    char name[] = "/tmp/krg-linkers-XXXXXX";
    KRG_ASSERT(::mkdtemp(name) != nullptr);
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string file() const { return path_ + "/objects"; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// No file of this process may grow beyond `bytes`, while it lives.
class FileLimit {
 public:
  explicit FileLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit now{bytes, before_.rlim_max};
    KRG_ASSERT(::setrlimit(RLIMIT_FSIZE, &now) == 0);
  }
  ~FileLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }

 private:
  rlimit before_{};
};

SetOptions in_file(const std::string& path) {
  SetOptions options;
  options.object_bytes = kSize;
  options.flags = static_cast<std::uint32_t>(SetFlag::touch_at_home);
  options.linker = "file";
  options.linker_data = path;
  return options;
}

class FileLinkerTest : public ::testing::Test {
 protected:
  Status write(std::uint64_t object, int value) {
    const Bytes bytes(kSize, static_cast<std::byte>(value));
    return reactor::block_on(reactor_, linker_.write_back(kSet, ObjectId{object}, bytes));
  }
  // All bytes alike: their value; else -1.
  Result<int> read(std::uint64_t object) {
    Bytes bytes(kSize, std::byte{0xee});
    KRG_TRY(reactor::block_on(reactor_, linker_.first_touch(kSet, ObjectId{object}, bytes)));
    for (const std::byte b : bytes) {
      if (b != bytes[0]) return -1;
    }
    return static_cast<int>(bytes[0]);
  }

  Folder folder_;
  reactor::RealClock clock_;
  reactor::Reactor reactor_{clock_};
  IoThread io_{reactor_};
  FileLinker linker_{NodeId{0}, &io_};
};

TEST_F(FileLinkerTest, AnObjectLiesAtItsNumberTimesItsSize) {
  linker_.begin(kSet, in_file(folder_.file()));
  ASSERT_TRUE(write(3, 7));
  ASSERT_TRUE(write(1, 5));
  EXPECT_EQ(std::filesystem::file_size(folder_.file()), 4 * kSize);
  std::ifstream file(folder_.file(), std::ios::binary);
  file.seekg(3 * kSize);
  EXPECT_EQ(file.get(), 7);
  EXPECT_EQ(*read(1), 5);
  EXPECT_EQ(*read(2), 0) << "a hole";
  EXPECT_EQ(*read(3), 7);
  EXPECT_EQ(*read(100), 0) << "beyond the end";
}

TEST_F(FileLinkerTest, AFileThatEndsWithinAnObjectReadsAsZerosFromThere) {
  std::ofstream(folder_.file(), std::ios::binary) << "abc";
  linker_.begin(kSet, in_file(folder_.file()));
  Bytes bytes(kSize, std::byte{0xee});
  ASSERT_TRUE(reactor::block_on(reactor_, linker_.first_touch(kSet, ObjectId{0}, bytes)));
  EXPECT_EQ(bytes[2], std::byte{'c'});
  EXPECT_EQ(bytes[3], std::byte{0});
  EXPECT_EQ(bytes[kSize - 1], std::byte{0});
}

TEST_F(FileLinkerTest, AFileThatMayNotGrowSaysSoAndGoesOnWhenItMay) {
  linker_.begin(kSet, in_file(folder_.file()));
  ASSERT_TRUE(write(0, 1));
  {
    const FileLimit limit(2 * kSize);
    ASSERT_TRUE(write(1, 2));
    const Status full = write(2, 3);
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code(), Errc::no_space);
    EXPECT_EQ(full.error().native(), EFBIG);
    EXPECT_TRUE(write(0, 4)) << "what lies within the limit can still be written";
  }
  EXPECT_TRUE(write(2, 3));
  EXPECT_EQ(*read(0), 4);
  EXPECT_EQ(*read(1), 2);
  EXPECT_EQ(*read(2), 3);
}

// Goal    of writes that wait for the disk together each has its own end: the one that fails does
//         not fail the others, and none says that it is done before it is.
TEST_F(FileLinkerTest, OfWritesThatAreSyncedTogetherEachHasItsOwnEnd) {
  linker_.begin(kSet, in_file(folder_.file()));
  constexpr std::uint64_t kWrites = 40;
  const FileLimit limit(30 * kSize);
  std::array<Status, kWrites> ends;
  reactor::WaitGroup group(reactor_);
  group.add(kWrites);
  const auto write_one = [](FileLinker& linker, std::uint64_t object, Status& end,
                            reactor::WaitGroup& all) -> Co<void> {
    const Bytes bytes(kSize, static_cast<std::byte>(object));
    end = co_await linker.write_back(kSet, ObjectId{object}, bytes);
    all.done();
  };
  for (std::uint64_t i = 0; i < kWrites; ++i) {
    reactor_.spawn(write_one(linker_, i, ends[i], group));
  }
  const auto wait = [](reactor::WaitGroup& all) -> Co<Status> {
    co_return co_await all.wait(Deadline::never());
  };
  ASSERT_TRUE(reactor::block_on(reactor_, wait(group)));
  for (std::uint64_t i = 0; i < kWrites; ++i) {
    ASSERT_EQ(ends[i].has_value(), i < 30) << i;
    if (ends[i]) {
      EXPECT_EQ(*read(i), static_cast<int>(i));
    } else {
      EXPECT_EQ(ends[i].error().code(), Errc::no_space) << i;
    }
  }
}

TEST_F(FileLinkerTest, AFullDeviceSaysNoSpace) {
  linker_.begin(kSet, in_file("/dev/full"));
  EXPECT_EQ(*read(0), 0);
  const Status full = write(0, 1);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code(), Errc::no_space);
  EXPECT_EQ(full.error().native(), ENOSPC);
}

// In a mount namespace of its own. 0: as it should be; 77: mounting is not allowed here.
int on_a_small_disk(const std::string& folder) {
  if (::unshare(CLONE_NEWNS | (::geteuid() == 0 ? 0 : CLONE_NEWUSER)) != 0) return 77;
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 77;
  if (::mount("krg", folder.c_str(), "tmpfs", 0, "size=64k") != 0) return 77;
  const reactor::RealClock clock;
  reactor::Reactor reactor(clock);
  FileLinker linker(NodeId{0}, nullptr);
  linker.begin(kSet, in_file(folder + "/objects"));
  const Bytes bytes(kSize, std::byte{9});
  for (std::uint64_t object = 0; object < 16; ++object) {
    if (!reactor::block_on(reactor, linker.write_back(kSet, ObjectId{object}, bytes))) return 1;
  }
  const Status full = reactor::block_on(reactor, linker.write_back(kSet, ObjectId{16}, bytes));
  if (full || full.error().code() != Errc::no_space || full.error().native() != ENOSPC) return 2;
  if (!reactor::block_on(reactor, linker.write_back(kSet, ObjectId{3}, bytes))) return 3;
  Bytes back(kSize);
  if (!reactor::block_on(reactor, linker.first_touch(kSet, ObjectId{15}, back))) return 4;
  return back == bytes ? 0 : 5;
}

TEST_F(FileLinkerTest, AFullDiskSaysNoSpace) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(on_a_small_disk(folder_.path()));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) {
    // Then /dev/full and the limit of a file's size above stand for it.
    std::printf("mounting is not allowed here: no small disk was tried\n");
    return;
  }
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST_F(FileLinkerTest, OnlyTheNodeWhoseFileItIsDoesItsInputAndOutput) {
  SetOptions options = in_file(folder_.file());
  options.policy = HomePolicy::fixed;
  options.home = NodeId{5};
  linker_.begin(kSet, options);
  EXPECT_EQ(linker_.preferred_home(kSet, ObjectId{1}), NodeId{5});
  EXPECT_EQ(read(0).error().code(), Errc::unreachable);
  EXPECT_EQ(write(0, 1).error().code(), Errc::unreachable);
  EXPECT_FALSE(std::filesystem::exists(folder_.file()));
}

TEST_F(FileLinkerTest, ErrorsOfTheFileAreTold) {
  linker_.begin(kSet, in_file(folder_.path() + "/none/objects"));
  EXPECT_EQ(read(0).error().code(), Errc::not_found);
  linker_.begin(kSet, in_file(folder_.path()));
  EXPECT_EQ(read(0).error().code(), Errc::system_error) << "a folder";
  linker_.begin(kSet, in_file(folder_.file()));
  EXPECT_EQ(read(~std::uint64_t{0} / 2).error().code(), Errc::too_large);
  linker_.end(kSet);
  EXPECT_EQ(read(0).error().code(), Errc::not_found);
}

TEST_F(FileLinkerTest, SetsThatCanNotLieInAFileAreRefused) {
  EXPECT_TRUE(linker_.accepts(in_file("/a")));
  EXPECT_FALSE(linker_.accepts(in_file("")));
  EXPECT_FALSE(linker_.accepts(in_file("a/b")));
  EXPECT_FALSE(linker_.accepts(in_file(std::string("/a\0b", 4))));
  SetOptions options = in_file("/a");
  options.variable_size = true;
  EXPECT_FALSE(linker_.accepts(options));
  options = in_file("/a");
  options.object_bytes = 0;
  EXPECT_FALSE(linker_.accepts(options));
  options = in_file("/a");
  options.flags = 0;
  EXPECT_FALSE(linker_.accepts(options));
}

}  // namespace
}  // namespace krg::kddm
