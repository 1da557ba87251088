#include "krg/ghost/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "krg/testing/matchers.h"
#include "krg/testing/quiet_fork.h"
#include "sample.h"

// A file holds the whole archive or what it held before, and nothing is left beside it.
namespace krg::ghost {
namespace {

namespace fs = std::filesystem;

class GhostFile : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "krg-ghost-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    path_ = (folder_ / "task").string();
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  std::ptrdiff_t files() const {
    return std::distance(fs::directory_iterator(folder_), fs::directory_iterator());
  }
  Result<std::string> read() const {
    KRG_TRY_ASSIGN(FileSource source, FileSource::open(path_));
    Reader reader(source);
    return read_all(reader);
  }

  fs::path folder_;
  std::string path_;
};

TEST_F(GhostFile, IsThereAfterCommitAndReadAsItWasWritten) {
  {
    auto sink = FileSink::create(path_);
    ASSERT_OK(sink);
    ASSERT_OK(write_sample(*sink));
    EXPECT_FALSE(fs::exists(path_));
    ASSERT_OK(sink->commit());
  }
  EXPECT_EQ(files(), 1);
  EXPECT_EQ(fs::status(path_).permissions(), fs::perms::owner_read | fs::perms::owner_write);
  MemorySink memory;
  ASSERT_OK(write_sample(memory));
  MemorySource source(memory.bytes());
  Reader reader(source);
  EXPECT_EQ(*read(), *read_all(reader));
}

TEST_F(GhostFile, GivenUpLeavesTheOldOneAndNothingElse) {
  std::ofstream(path_) << "old";
  {
    auto sink = FileSink::create(path_);
    ASSERT_OK(sink);
    ASSERT_OK(write_sample(*sink));
    EXPECT_EQ(files(), 2);
  }
  EXPECT_EQ(files(), 1);
  EXPECT_EQ(fs::file_size(path_), 3u);
}

TEST_F(GhostFile, TakesLargeRunsAndTheirPlace) {
  const auto piece = noise(kPieceBytes);
  auto sink = FileSink::create(path_);
  ASSERT_OK(sink);
  Writer writer(*sink);
  ASSERT_OK(writer.begin({"migration", ""}));
  ASSERT_OK(writer.begin_runs({"memory"}));
  for (std::uint64_t i = 0; i < 4; ++i) ASSERT_OK(writer.run(i * kPieceBytes, piece));
  ASSERT_OK(writer.end_runs());
  ASSERT_OK(writer.end());
  ASSERT_OK(sink->commit());
  EXPECT_EQ(fs::file_size(path_), writer.written());

  auto source = FileSource::open(path_);
  ASSERT_OK(source);
  Reader reader(*source);
  ASSERT_OK(reader.next());
  for (std::uint64_t i = 0; i < 4; ++i) {
    const auto run = reader.run();
    ASSERT_OK(run);
    ASSERT_TRUE(*run);
    EXPECT_EQ((*run)->address, i * kPieceBytes);
    EXPECT_TRUE(std::ranges::equal((*run)->bytes, piece));
  }
  EXPECT_FALSE(*reader.run());
  EXPECT_FALSE(*reader.next());
}

TEST_F(GhostFile, SaysWhatIsNotThere) {
  EXPECT_EQ(FileSource::open(path_).error(), Errc::not_found);
  EXPECT_EQ(FileSink::create((folder_ / "none" / "task").string()).error(), Errc::not_found);
}

// In a child: `folder` has room for 128 KiB; by a file system of its own, or, where none may be
// mounted, by the limit of a file's size. The errno that a larger file gets.
int make_narrow(const fs::path& folder) {
  const int flags = CLONE_NEWNS | (::geteuid() == 0 ? 0 : CLONE_NEWUSER);
  if (::unshare(flags) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
      ::mount("tmpfs", folder.c_str(), "tmpfs", 0, "size=128k") == 0) {
    return ENOSPC;
  }
  const rlimit limit{128 * 1024, 128 * 1024};
  ::setrlimit(RLIMIT_FSIZE, &limit);
  ::signal(SIGXFSZ, SIG_IGN);
  return EFBIG;
}

// 0: an archive larger than its disk was refused for want of room, and nothing was left.
int fill_disk(const fs::path& folder) {
  const int expected = make_narrow(folder);
  {
    auto sink = FileSink::create((folder / "task").string());
    if (!sink) return 1;
    Writer writer(*sink);
    const auto piece = noise(256 * 1024);
    Status status = writer.begin({"checkpoint", ""});
    if (status) status = writer.begin_runs({"memory"});
    if (status) status = writer.run(0, piece);
    if (status) return 2;
    if (status.error() != Errc::no_space || status.error().native() != expected) return 3;
    if (writer.end_runs() || writer.end()) return 4;
  }
  return fs::directory_iterator(folder) == fs::directory_iterator() ? 0 : 5;
}

TEST_F(GhostFile, OnAFullDiskIsAClearErrorAndLeavesNothing) {
  const pid_t child = krg::testing::quiet_fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(fill_disk(folder_));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace krg::ghost
