#include "open_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "proc_files.h"

namespace krg::epm {
namespace {

bool writes(const MappingImage& mapping) {
  return mapping.shared && (mapping.protection & PROT_WRITE) != 0;
}

// What open(2) may be told a second time.
int reopen_flags(std::uint32_t flags) {
  return (static_cast<int>(flags) & ~(O_CREAT | O_EXCL | O_TRUNC)) | O_CLOEXEC | O_NOCTTY;
}
constexpr int kStatusFlags = O_APPEND | O_NONBLOCK | O_ASYNC | O_DIRECT;

}  // namespace

Status OpenFiles::open(const Image& image, Relays& relays) {
  for (const FileImage& file : image.files) first_ = std::max(first_, file.fd + 1);
  next_ = first_;
  KRG_TRY(open_mapped(image));
  for (const FileImage& file : image.files) {
    if (file.kind != FileImage::Kind::copy) KRG_TRY(open_file(file, image, relays));
  }
  for (const FileImage& file : image.files) {
    if (file.kind != FileImage::Kind::copy) continue;
    const auto at = by_fd_.find(file.other);
    if (at == by_fd_.end()) return Error(Errc::corrupt, "a copy of a descriptor that is not there");
    place(file, at->second);
  }
  return {};
}

Result<int> OpenFiles::keep(UniqueFd fd) {
  UniqueFd high(fcntl(fd.get(), F_DUPFD, next_));
  if (!high) return errno_error(Errc::limit_reached, "no descriptors for the task's files");
  next_ = high.get() + 1;
  held_.push_back(std::move(high));
  return held_.back().get();
}

void OpenFiles::place(const FileImage& file, int from) {
  by_fd_[file.fd] = from;
  places_.push_back({from, file.fd, (file.flags & O_CLOEXEC) != 0});
}

Status OpenFiles::open_mapped(const Image& image) {
  for (const MappingImage& mapping : image.mappings) {
    if (mapping.kind != MappingImage::Kind::file) continue;
    const std::pair key(mapping.path, writes(mapping));
    if (mapped_.contains(key)) continue;
    UniqueFd fd(::open(mapping.path.c_str(), (key.second ? O_RDWR : O_RDONLY) | O_CLOEXEC));
    const FileId found = fd ? identify(fd.get()) : FileId{};
    // A library may stand on each node's own disk; what is written to must be the same file.
    const bool same = found.size == mapping.file.size &&
                      found.changed_ns == mapping.file.changed_ns &&
                      (!mapping.shared || found.inode == mapping.file.inode);
    if (!fd || (!same && !key.second)) {
      complaint_ =
          fmt::format("{}: {}", mapping.path, fd ? "is another file there" : "is not there");
      return Error(fd ? Errc::stale : Errc::not_found, "a mapped file");
    }
    KRG_TRY_ASSIGN(mapped_[key], keep(std::move(fd)));
  }
  return {};
}

int OpenFiles::of_mapping(const MappingImage& mapping) const {
  const auto at = mapped_.find({mapping.path, writes(mapping)});
  return mapping.kind == MappingImage::Kind::file && at != mapped_.end() ? at->second : -1;
}

Result<UniqueFd> OpenFiles::open_path(const FileImage& file) {
  UniqueFd fd(::open(file.path.c_str(), reopen_flags(file.flags)));
  struct stat status {};
  if (!fd || fstat(fd.get(), &status) != 0) {
    complaint_ = fmt::format("fd {}: {} can not be opened there", file.fd, file.path);
    return errno_error(Errc::not_found, "an open file");
  }
  if (S_ISREG(status.st_mode)) {
    const FileId found = identify(fd.get());
    if (found.inode != file.file.inode || found.size < file.file.size) {
      complaint_ = fmt::format("fd {}: {} is another file there", file.fd, file.path);
      return Error(Errc::stale, "an open file");
    }
    (void)lseek(fd.get(), static_cast<off_t>(file.position), SEEK_SET);
  }
  return fd;
}

Status OpenFiles::open_pipe(const FileImage& reader, const Image& image) {
  const auto writer =
      std::find_if(image.files.begin(), image.files.end(), [&](const FileImage& file) {
        return file.fd == reader.other && file.kind == FileImage::Kind::pipe_write;
      });
  int ends[2];
  if (writer == image.files.end()) return Error(Errc::corrupt, "a pipe with one end");
  if (pipe2(ends, O_CLOEXEC) != 0) return errno_error(Errc::limit_reached, "making a pipe");
  UniqueFd out(ends[0]), in(ends[1]);
  (void)fcntl(in.get(), F_SETPIPE_SZ, static_cast<int>(reader.value));
  (void)fcntl(in.get(), F_SETFL, O_NONBLOCK);
  const auto size = static_cast<ssize_t>(reader.content.size());
  if (size != 0 && write(in.get(), reader.content.data(), reader.content.size()) != size) {
    return Error(Errc::system_error, "filling a pipe");
  }
  (void)fcntl(in.get(), F_SETFL, static_cast<int>(writer->flags) & kStatusFlags);
  (void)fcntl(out.get(), F_SETFL, static_cast<int>(reader.flags) & kStatusFlags);
  KRG_TRY_ASSIGN(const int kept_out, keep(std::move(out)));
  KRG_TRY_ASSIGN(const int kept_in, keep(std::move(in)));
  place(reader, kept_out);
  place(*writer, kept_in);
  return {};
}

// One end is the task's; the other is ours, which the relay feeds and reads.
Result<UniqueFd> OpenFiles::open_relay(const FileImage& file, Relays& relays) {
  const int access = static_cast<int>(file.flags) & O_ACCMODE;
  int ends[2];
  const int made = access == O_RDWR ? socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends)
                                    : pipe2(ends, O_CLOEXEC);
  if (made != 0) return errno_error(Errc::limit_reached, "no descriptors for a relay");
  UniqueFd theirs(ends[access == O_WRONLY ? 1 : 0]), ours(ends[access == O_WRONLY ? 0 : 1]);
  (void)fcntl(theirs.get(), F_SETFL, static_cast<int>(file.flags) & kStatusFlags);
  (void)fcntl(ours.get(), F_SETFL, O_NONBLOCK);
  relayed_[identify(theirs.get()).inode] = file.value;
  relays.add(file.value, std::move(ours), access != O_RDONLY, access != O_WRONLY);
  return theirs;
}

Status OpenFiles::open_file(const FileImage& file, const Image& image, Relays& relays) {
  UniqueFd fd;
  switch (file.kind) {
    case FileImage::Kind::path: {
      KRG_TRY_ASSIGN(fd, open_path(file));
      break;
    }
    case FileImage::Kind::event:
      fd.reset(eventfd(0, EFD_CLOEXEC));
      if (fd && file.value != 0 && write(fd.get(), &file.value, sizeof file.value) < 0) fd.reset();
      if (!fd) return errno_error(Errc::system_error, "making an eventfd");
      (void)fcntl(fd.get(), F_SETFL, static_cast<int>(file.flags) & O_NONBLOCK);
      break;
    case FileImage::Kind::pipe_read:
      return open_pipe(file, image);
    case FileImage::Kind::relay: {
      KRG_TRY_ASSIGN(fd, open_relay(file, relays));
      break;
    }
    case FileImage::Kind::pipe_write:  // With its reader.
    case FileImage::Kind::copy:
      return {};
  }
  KRG_TRY_ASSIGN(const int kept, keep(std::move(fd)));
  place(file, kept);
  return {};
}

}  // namespace krg::epm
