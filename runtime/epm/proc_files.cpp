#include "proc_files.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include "krg/base/unique_fd.h"

namespace krg::epm {

std::string slurp(const std::string& path) {
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string text;
  std::array<char, 16384> part;
  ssize_t n = 0;
  while (fd && (n = read(fd.get(), part.data(), part.size())) > 0) {
    text.append(part.data(), static_cast<std::size_t>(n));
  }
  return text;
}

std::string read_link(const std::string& path) {
  std::array<char, 4096> target;
  const ssize_t n = readlink(path.c_str(), target.data(), target.size());
  return n > 0 ? std::string(target.data(), static_cast<std::size_t>(n)) : std::string();
}

std::vector<int> numbered(const std::string& folder) {
  std::vector<int> all;
  const std::unique_ptr<DIR, int (*)(DIR*)> open(opendir(folder.c_str()), closedir);
  if (open == nullptr) return all;
  while (const dirent* entry = readdir(open.get())) {
    if (entry->d_name[0] >= '0' && entry->d_name[0] <= '9') all.push_back(std::atoi(entry->d_name));
  }
  std::sort(all.begin(), all.end());
  return all;
}

std::string of(pid_t pid, const char* name) { return "/proc/" + std::to_string(pid) + "/" + name; }

static FileId id_of(const struct stat& status) {
  return {status.st_ino, static_cast<std::uint64_t>(status.st_size),
          static_cast<std::uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000u +
              static_cast<std::uint64_t>(status.st_mtim.tv_nsec)};
}

FileId identify(const std::string& path) {
  struct stat status {};
  return stat(path.c_str(), &status) == 0 ? id_of(status) : FileId{};
}

FileId identify(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 ? id_of(status) : FileId{};
}

}  // namespace krg::epm
