#include "krg/ghost/file.h"

#include <fcntl.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace krg::ghost {
namespace {

// Parts up to this size are gathered, so that an archive of small sections is not a write each.
constexpr std::size_t kGathered = 64 * 1024;

// The calling thread's errno as an Error.
Error file_error(const char* what) noexcept {
  switch (errno) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return errno_error(Errc::no_space, what);
    case ENOENT:
    case ENOTDIR:
      return errno_error(Errc::not_found, what);
    case EACCES:
    case EPERM:
    case EROFS:
      return errno_error(Errc::denied, what);
    default:
      return errno_error(Errc::system_error, what);
  }
}

// All bytes of both, in as many writes as it takes.
Status write_all(int fd, Bytes first, Bytes second) noexcept {
  while (!first.empty() || !second.empty()) {
    const std::array<iovec, 2> parts{iovec{const_cast<std::byte*>(first.data()), first.size()},
                                     iovec{const_cast<std::byte*>(second.data()), second.size()}};
    const ssize_t written = ::writev(fd, parts.data(), 2);
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return file_error("writing an archive");
    const auto of_first = std::min(static_cast<std::size_t>(written), first.size());
    first = first.subspan(of_first);
    second = second.subspan(static_cast<std::size_t>(written) - of_first);
  }
  return {};
}

std::string folder_of(const std::string& path) {
  const auto slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

FileSink::FileSink(std::string path, std::string temporary, UniqueFd fd) noexcept
    : path_(std::move(path)), temporary_(std::move(temporary)), fd_(std::move(fd)) {}

FileSink::FileSink(FileSink&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_(std::exchange(other.temporary_, {})),
      fd_(std::move(other.fd_)),
      buffer_(std::move(other.buffer_)) {}

Result<FileSink> FileSink::create(std::string path) {
  std::string temporary = path + ".XXXXXX";
  // Readable for its owner alone: a task's memory holds secrets.
  UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return file_error("beginning an archive");
  return FileSink(std::move(path), std::move(temporary), std::move(fd));
}

FileSink::~FileSink() {
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

Status FileSink::flush(Bytes more) {
  const Status status = write_all(fd_.get(), buffer_, more);
  buffer_.clear();
  return status;
}

Status FileSink::write(Bytes head, Bytes body) {
  buffer_.insert(buffer_.end(), head.begin(), head.end());
  if (buffer_.size() + body.size() > kGathered) return flush(body);
  buffer_.insert(buffer_.end(), body.begin(), body.end());
  return {};
}

Status FileSink::commit() {
  KRG_ASSERT(!temporary_.empty());
  KRG_TRY(flush({}));
  // The content before the name: after a crash, no name of ours stands for half an archive.
  if (::fsync(fd_.get()) != 0) return file_error("writing an archive to the disk");
  const UniqueFd folder(::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) return file_error("opening the folder of an archive");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) {
    return file_error("putting an archive in its place");
  }
  temporary_.clear();
  if (::fsync(folder.get()) != 0 && errno != EINVAL) return file_error("fsync of a folder");
  return {};
}

Result<FileSource> FileSource::open(const std::string& path) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return file_error("opening an archive");
  return FileSource(std::move(fd));
}

Result<Bytes> FileSource::peek(std::size_t size) {
  if (end_ - begin_ >= size) return Bytes(buffer_).subspan(begin_, size);
  if (begin_ != 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (buffer_.size() < std::max(size, kGathered)) buffer_.resize(std::max(size, kGathered));
  while (end_ < size) {
    const ssize_t got = ::read(fd_.get(), buffer_.data() + end_, buffer_.size() - end_);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error("reading an archive");
    if (got == 0) return Error(Errc::end_of_stream, "the archive ends too early");
    end_ += static_cast<std::size_t>(got);
  }
  return Bytes(buffer_).first(size);
}

}  // namespace krg::ghost
