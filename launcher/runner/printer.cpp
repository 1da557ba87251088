#include "printer.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <system_error>

namespace krg::runner {
namespace {

constexpr std::size_t kCongested = 1 << 20;

bool is_writable(int fd) {
  pollfd one{fd, POLLOUT, 0};
  return poll(&one, 1, 0) > 0;
}

std::string time_of_day() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm local{};
  localtime_r(&now.tv_sec, &local);
  char text[32];
  const std::size_t n = std::strftime(text, sizeof text, "%H:%M:%S", &local);
  char all[48];
  std::snprintf(all, sizeof all, "%.*s.%03ld ", static_cast<int>(n), text, now.tv_nsec / 1'000'000);
  return all;
}

std::string cannot_write(const std::string& name, int error) {
  return "can not write to " + name + ": " + std::generic_category().message(error);
}

}  // namespace

Drain::~Drain() {
  if (watching_) reactor_.unwatch(fd_);
}

void Drain::add(std::string_view text) {
  if (text.empty()) return;
  in_line_ = text.back() != '\n';
  if (error_ != 0) return;
  queue_.append(text);
  if (!watching_) push();
}

// A pipe that poll() calls writable takes PIPE_BUF bytes at once; a terminal or a file as many.
void Drain::push() noexcept {
  while (queued() > 0 && error_ == 0 && is_writable(fd_)) {
    const ssize_t n =
        ::write(fd_, queue_.data() + done_, std::min<std::size_t>(queued(), PIPE_BUF));
    if (n > 0) {
      done_ += static_cast<std::size_t>(n);
    } else if (errno != EINTR && errno != EAGAIN) {
      error_ = errno;
    }
  }
  if (queued() == 0 || error_ != 0) {
    queue_.clear();
    done_ = 0;
    if (watching_) reactor_.unwatch(fd_);
    watching_ = false;
  } else if (!watching_) {
    // Only what can block can be watched; the rest is always writable.
    watching_ = reactor_.watch(fd_, EPOLLOUT, *this).has_value();
  }
}

void Drain::finish() {
  while (queued() > 0 && error_ == 0) {
    pollfd one{fd_, POLLOUT, 0};
    poll(&one, 1, -1);
    push();
  }
}

Printer::Printer(reactor::Reactor& reactor, krgrun::Output how, std::string job,
                 std::vector<std::string> hosts)
    : how_(std::move(how)),
      job_(std::move(job)),
      hosts_(std::move(hosts)),
      out_(reactor, STDOUT_FILENO),
      err_(reactor, STDERR_FILENO) {}

bool Printer::congested() const noexcept {
  return out_.queued() > kCongested || err_.queued() > kCongested;
}

void Printer::add_ranks(std::uint32_t first, std::uint32_t count, const std::string& host) {
  hosts_.resize(std::max<std::size_t>(hosts_.size(), std::size_t{first} + count));
  std::fill_n(hosts_.begin() + first, count, host);
}

void Printer::finish() {
  out_.finish();
  err_.finish();
  note_full();
}

bool Printer::broken() const noexcept { return out_.error() == EPIPE; }

void Printer::note_full() {
  if (out_.error() == 0 || broken() || !complaint_.empty()) return;
  complaint_ = cannot_write("standard output", out_.error());
}

void Printer::print(std::uint32_t rank, int stream, std::span<const std::byte> text) {
  const std::string_view piece(reinterpret_cast<const char*>(text.data()), text.size());
  if (!how_.directory.empty() || !how_.file.empty()) return to_file(rank, stream, piece);
  Drain& drain = stream == 1 ? out_ : err_;
  drain.add(how_.tag || how_.timestamp ? decorate(rank, stream, piece, drain) : std::string(piece));
  note_full();
}

std::string Printer::prefix(std::uint32_t rank) const {
  std::string text;
  if (how_.timestamp) text += time_of_day();
  if (how_.tag) text += "[" + std::to_string(rank) + "] ";
  return text;
}

// Puts the prefix at the start of every line, and ends the unfinished line of another rank before.
std::string Printer::decorate(std::uint32_t rank, int stream, std::string_view text, Drain& drain) {
  const std::uint64_t id = std::uint64_t{rank} * 2 + static_cast<std::uint64_t>(stream - 1);
  Source& source = sources_[id];
  std::uint64_t& last = last_source_[stream - 1];
  std::string out;
  if (drain.in_line() && last != id) out += '\n';
  bool at_start = !source.in_line || last != id;
  last = id;
  const std::string before = prefix(rank);
  while (!text.empty()) {
    const std::size_t newline = text.find('\n');
    const std::size_t length = newline == std::string_view::npos ? text.size() : newline + 1;
    if (at_start) out += before;
    out += text.substr(0, length);
    at_start = newline != std::string_view::npos;
    text.remove_prefix(length);
  }
  source.in_line = !at_start;
  return out;
}

void Printer::rank_ended(std::uint32_t rank) {
  for (const int stream : {1, 2}) {
    const std::uint64_t id = std::uint64_t{rank} * 2 + static_cast<std::uint64_t>(stream - 1);
    const auto source = sources_.find(id);
    if (source == sources_.end()) continue;
    Drain& drain = stream == 1 ? out_ : err_;
    if (source->second.in_line && last_source_[stream - 1] == id) drain.add("\n");
    sources_.erase(source);
  }
}

std::string Printer::file_name(std::uint32_t rank, int stream) const {
  if (!how_.directory.empty()) {
    return how_.directory + "/rank." + std::to_string(rank) + (stream == 1 ? ".out" : ".err");
  }
  std::string name;
  for (std::size_t i = 0; i < how_.file.size(); ++i) {
    if (how_.file[i] != '%' || i + 1 == how_.file.size()) {
      name += how_.file[i];
      continue;
    }
    const auto pid = pids_.find(rank);
    switch (how_.file[++i]) {
      case 'r':
        name += std::to_string(rank);
        break;
      case 'h':
        name += rank < hosts_.size() ? hosts_[rank] : "";
        break;
      case 'j':
        name += job_;
        break;
      case 'p':
        name += std::to_string(pid == pids_.end() ? 0 : pid->second);
        break;
      default:
        name += how_.file[i];
    }
  }
  return name;
}

void Printer::to_file(std::uint32_t rank, int stream, std::string_view text) {
  const std::string name = file_name(rank, stream);
  UniqueFd& file = files_[name];
  const auto give_up = [&] {
    if (complaint_.empty()) complaint_ = cannot_write(name, errno);
  };
  if (!file) {
    std::error_code ignored;
    const auto parent = std::filesystem::path(name).parent_path();
    if (!parent.empty()) std::filesystem::create_directories(parent, ignored);
    file.reset(open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_APPEND, 0666));
    if (!file) return give_up();
  }
  while (!text.empty()) {
    const ssize_t n = ::write(file.get(), text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return give_up();
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

Status prepare_output(const krgrun::Output& how, std::string& complaint) {
  std::string folder = how.directory;
  if (folder.empty()) {
    // Up to the first part that depends on the rank.
    const std::string fixed = how.file.substr(0, how.file.find('%'));
    folder = fixed.substr(0, fixed.rfind('/') + 1);
  }
  if (folder.empty()) return {};
  // A device, or the file of a run before: its folder may well be somebody else's.
  const bool one_file = !how.file.empty() && how.file.find('%') == std::string::npos;
  if (one_file && access(how.file.c_str(), W_OK) == 0) return {};
  std::error_code failed;
  std::filesystem::create_directories(folder, failed);
  // Only making a file shows whether files can be made: access(2) lets root write to /proc.
  std::string probe = folder + "/.krgrun-XXXXXX";
  const UniqueFd file(failed ? -1 : mkostemp(probe.data(), O_CLOEXEC));
  if (!file) {
    complaint = std::string(how.directory.empty() ? "--output-file: " : "--output-dir: ") +
                cannot_write(folder, failed ? failed.value() : errno);
    return Errc::invalid_argument;
  }
  unlink(probe.c_str());
  return {};
}

}  // namespace krg::runner
