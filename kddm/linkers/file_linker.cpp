#include "krg/linkers/file_linker.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <limits>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "krg/base/unique_fd.h"

namespace krg::kddm {
namespace {

constexpr auto kOffsetMax = static_cast<std::uint64_t>(std::numeric_limits<off_t>::max());

Error file_error(const char* what) noexcept {
  switch (errno) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      return errno_error(Errc::no_space, what);
    case EACCES:
    case EPERM:
    case EROFS:
    case EBADF:  // It could be opened to read only.
      return errno_error(Errc::denied, what);
    case ENOENT:
    case ENOTDIR:
      return errno_error(Errc::not_found, what);
    default:
      return errno_error(Errc::system_error, what);
  }
}

}  // namespace

// An object that is to be written.
struct FileLinker::Write {
  ObjectId object;
  std::vector<std::byte> bytes;
  bool done = false;  // It and what follows are the writing thread's.
  Status result;
};

// Used by one thread at a time, but for what is const, and for queue().
class FileLinker::File {
 public:
  File(const SetOptions& options)
      : path_(options.linker_data), size_(options.object_bytes), home_(options.home) {}

  NodeId home() const noexcept { return home_; }
  // Requires  into.size() is the objects' size.
  Status read(ObjectId object, std::span<std::byte> into);
  // From any thread; write() of it is to follow.
  void queue(std::shared_ptr<Write> what);
  // Writes all that is queued, and has the disk sync once for all of that. `mine` was queued: so it
  // is among them, or was so in an earlier call.
  Status write(Write& mine);

 private:
  Status open();
  Status put(const Write& what);
  Status sync();
  Result<off_t> offset_of(ObjectId object) const;

  const std::string path_;
  const std::uint64_t size_;
  const NodeId home_;
  UniqueFd fd_;
  std::mutex mutex_;
  std::vector<std::shared_ptr<Write>> queued_;  // Under `mutex_`.
};

Status FileLinker::File::open() {
  if (fd_) return {};
  fd_ = UniqueFd(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd_ && (errno == EACCES || errno == EROFS || errno == EPERM)) {
    fd_ = UniqueFd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  }
  return fd_ ? Status() : Status(file_error("opening a set's file"));
}

Result<off_t> FileLinker::File::offset_of(ObjectId object) const {
  if (object.value >= kOffsetMax / size_) {
    return Error(Errc::too_large, "an object beyond what a file can hold");
  }
  return static_cast<off_t>(object.value * size_);
}

Status FileLinker::File::read(ObjectId object, std::span<std::byte> into) {
  KRG_TRY_ASSIGN(off_t at, offset_of(object));
  KRG_TRY(open());
  while (!into.empty()) {
    const ssize_t got = ::pread(fd_.get(), into.data(), into.size(), at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error("reading a set's file");
    if (got == 0) break;
    into = into.subspan(static_cast<std::size_t>(got));
    at += got;
  }
  if (!into.empty()) std::memset(into.data(), 0, into.size());
  return {};
}

void FileLinker::File::queue(std::shared_ptr<Write> what) {
  const std::lock_guard lock(mutex_);
  queued_.push_back(std::move(what));
}

Status FileLinker::File::put(const Write& what) {
  KRG_TRY_ASSIGN(off_t at, offset_of(what.object));
  KRG_TRY(open());
  for (std::span<const std::byte> from = what.bytes; !from.empty();) {
    const ssize_t put = ::pwrite(fd_.get(), from.data(), from.size(), at);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return file_error("writing a set's file");
    from = from.subspan(static_cast<std::size_t>(put));
    at += put;
  }
  return {};
}

// What can not be synced has no disk behind it: a device, or a file in memory.
Status FileLinker::File::sync() {
  if (!fd_ || ::fdatasync(fd_.get()) == 0 || errno == EINVAL) return {};
  return file_error("syncing a set's file");
}

Status FileLinker::File::write(Write& mine) {
  if (mine.done) return mine.result;
  std::vector<std::shared_ptr<Write>> all;
  {
    const std::lock_guard lock(mutex_);
    all.swap(queued_);
  }
  for (const auto& what : all) what->result = put(*what);
  const Status synced = sync();
  for (const auto& what : all) {
    if (what->result) what->result = synced;
    what->done = true;
  }
  return mine.result;
}

Status FileLinker::accepts(const SetOptions& options) const {
  const auto refuse = [](const char* why) { return Error(Errc::invalid_argument, why); };
  if (options.linker_data.empty() || options.linker_data[0] != '/' ||
      options.linker_data.find('\0') != std::string::npos) {
    return refuse("a set in a file needs the file's absolute path");
  }
  if (options.variable_size || options.object_bytes == 0) {
    return refuse("objects in a file have a fixed size of one byte or more");
  }
  if (!options.has(SetFlag::touch_at_home)) {
    return refuse("objects in a file are touched at their home");
  }
  return {};
}

void FileLinker::begin(SetId set, const SetOptions& options) {
  // Options from a peer: this node would otherwise believe what create() has not checked.
  if (accepts(options)) files_[set] = std::make_shared<File>(options);
}

void FileLinker::end(SetId set) noexcept { files_.erase(set); }

NodeId FileLinker::preferred_home(SetId set, ObjectId) const noexcept {
  const auto at = files_.find(set);
  return at == files_.end() ? kNoNode : at->second->home();
}

Result<std::shared_ptr<FileLinker::File>> FileLinker::file_of(SetId set) const {
  const auto at = files_.find(set);
  if (at == files_.end()) return Error(Errc::not_found, "a set without a file");
  const NodeId home = at->second->home();
  if (home != kNoNode && home != self_) {
    return Error(Errc::unreachable, "the node that has the set's file is not in the cluster");
  }
  return at->second;
}

Co<Status> FileLinker::run(std::function<Status()> work) {
  if (io_ == nullptr) co_return work();
  co_return co_await io_->run(std::move(work));
}

Co<Status> FileLinker::first_touch(SetId set, ObjectId object, Bytes into) {
  KRG_CO_TRY_ASSIGN(const auto file, file_of(set));
  // Bytes of its own: `into` may go while the thread reads.
  const auto bytes = std::make_shared<std::vector<std::byte>>(into.size());
  std::function<Status()> work = [file, object, bytes] { return file->read(object, *bytes); };
  KRG_CO_TRY(co_await run(std::move(work)));
  std::memcpy(into.data(), bytes->data(), into.size());
  co_return Status();
}

Co<Status> FileLinker::write_back(SetId set, ObjectId object, std::span<const std::byte> from) {
  KRG_CO_TRY_ASSIGN(const auto file, file_of(set));
  const auto write = std::make_shared<Write>();
  write->object = object;
  write->bytes.assign(from.begin(), from.end());
  file->queue(write);
  std::function<Status()> work = [file, write] { return file->write(*write); };
  co_return co_await run(std::move(work));
}

}  // namespace krg::kddm
