#include "host.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstring>

#include "krg/log/log.h"
#include "krg/reactor/event.h"

namespace krg::epm {
namespace {

constexpr Duration kFlushStep = std::chrono::milliseconds(1);
constexpr Duration kFlushTime = std::chrono::seconds(2);

}  // namespace

Host::Host(reactor::Reactor& reactor, Port& port, UniqueFd home, std::uint64_t token)
    : reactor_(reactor),
      port_(port),
      relays_(reactor, {[this](const RelayData& m) { home_->send(m); },
                        [this](const RelayTaken& m) { home_->send(m); },
                        [this](const RelayEnd& m) { home_->send(m); }}),
      pager_(
          reactor,
          [this](std::uint64_t from, std::uint64_t pages) {
            if (source_) source_->send(Want{from, static_cast<std::uint32_t>(pages)});
          },
          [this] { whole(); }) {
  control::ConnectionHandler& handler = *this;
  home_ = std::make_unique<Connection>(reactor, std::move(home), UniqueFd(), handler);
  home_->send(Hello{token, this_machine()});
}

Host::~Host() = default;

void Host::on_attach(UniqueFd source) {
  if (source_ || task_) return;
  control::ConnectionHandler& handler = *this;
  source_ = std::make_unique<Connection>(reactor_, std::move(source), UniqueFd(), handler);
}

void Host::on_frame(Connection& from, std::uint16_t type, wire::Bytes body) {
  if (&from == home_.get()) return on_home_frame(type, body);
  if (&from == source_.get()) return on_source_frame(type, body);
}

void Host::on_source_frame(std::uint16_t type, wire::Bytes body) {
  if (type == Begin::kFrame && !task_) {
    auto sent = wire::decode<Begin>(body);
    if (!sent) return refuse(sent.error());
    return begin(std::move(*sent));
  }
  if (type == kPagesFrame && task_) return take_pages(body);
  if (type == Prepared::kFrame && task_ && !runs_) return finish();
}

void Host::begin(Begin sent) {
  if (const Status sane = check(sent.image); !sane) return refuse(sane.error());
  task_.emplace(std::move(sent.image));
  const Status begun = task_->begin(relays_, pager_, !sent.eager);
  if (!begun) refuse(begun.error());
}

void Host::take_pages(wire::Bytes body) {
  std::uint64_t address = 0;
  if (body.size() < sizeof address || (body.size() - sizeof address) % kPage != 0) return;
  std::memcpy(&address, body.data(), sizeof address);
  wire::Bytes bytes = body.subspan(sizeof address);
  // Neighbours may belong to different mappings, some of which nobody looks after.
  while (!bytes.empty()) {
    const bool covered = pager_.is_open() && pager_.covers(address);
    std::size_t part = kPage;
    while (part < bytes.size() && (pager_.is_open() && pager_.covers(address + part)) == covered) {
      part += kPage;
    }
    if (covered) {
      pager_.arrived(address, bytes.first(part));
    } else if (!runs_ && !ended_) {  // Else these were asked for twice.
      const Status written = task_->write_pages(address, bytes.first(part));
      if (!written) return refuse(written.error());
    }
    address += part;
    bytes = bytes.subspan(part);
  }
}

void Host::finish() {
  if (const Status finished = task_->finish(); !finished) return refuse(finished.error());
  home_->send(Ready{});
}

void Host::refuse(const Error& why) {
  std::string text = why.message();
  if (task_ && !task_->complaint().empty()) text += ": " + task_->complaint();
  home_->send(Failed{std::move(text), {}});
  if (task_) task_->stub().end();
  ended_ = true;
}

void Host::run() {
  if (runs_ || !task_ || ended_) return;
  runs_ = true;
  task_->go();
  home_->send(Runs{real_time_us()});
  relays_.start();
  if (pager_.is_open()) {
    pager_.start();
  } else {
    whole();
  }
}

// All pages are here: the source may forget them.
void Host::whole() {
  if (whole_) return;
  whole_ = true;
  if (source_) {
    source_->send(Complete{});
    (void)source_->flush();
  }
  home_->send(Whole{});
  if (leave_) leave();
}

void Host::deliver(const Deliver& signal) {
  if (!task_ || !runs_) return;
  std::int32_t number = 0, code = 0;
  std::memcpy(&number, signal.info.data(), sizeof number);
  std::memcpy(&code, signal.info.data() + 8, sizeof code);
  const pid_t pid = task_->pid();
  if (pid <= 0) return;
  if (signal.to_leader) {
    (void)syscall(SYS_tgkill, pid, pid, number);
  } else if (code == SI_QUEUE && syscall(SYS_rt_sigqueueinfo, pid, number, &signal.info) == 0) {
    return;
  } else {
    kill(pid, number);
  }
}

void Host::on_home_frame(std::uint16_t type, wire::Bytes body) {
  const auto with = [&]<class M>(M message, auto then) {
    auto decoded = wire::decode<M>(body);
    if (decoded) {
      message = std::move(*decoded);
      then(message);
    }
  };
  switch (type) {
    case Commit::kFrame:
      return run();
    case Deliver::kFrame:
      return with(Deliver{}, [this](Deliver& m) { deliver(m); });
    case RelayData::kFrame:
      return with(RelayData{}, [this](RelayData& m) { relays_.on_data(m); });
    case RelayTaken::kFrame:
      return with(RelayTaken{}, [this](RelayTaken& m) { relays_.on_taken(m); });
    case RelayEnd::kFrame:
      return with(RelayEnd{}, [this](RelayEnd& m) { relays_.on_end(m); });
    case Leave::kFrame:
      return with(Leave{}, [this](Leave& m) {
        leave_ = m;
        if (whole_) leave();
      });
    case Release::kFrame:
      return release();
    case Resume::kFrame:
      leave_.reset();
      away_.reset();
      released_ = false;
      return relays_.start();
    case AskProblems::kFrame:
      if (!task_) return;
      return home_->send(Problems{survey(task_->pid(), known()).problems});
    default:
      return;
  }
}

Known Host::known() const {
  Known known;
  known.relays = task_->relayed();
  known.moved = true;
  return known;
}

void Host::leave() {
  if (!runs_ || ended_) return stay("it has ended");
  Survey now = survey(task_->pid(), known());
  if (!now.problems.empty()) return stay("it can not be moved", std::move(now.problems));
  if (!port_.send(Open{leave_->node, leave_->token})) stay("its krgd does not listen");
}

void Host::stay(std::string complaint, std::vector<std::string> problems) {
  leave_.reset();
  away_.reset();
  home_->send(Failed{std::move(complaint), std::move(problems)});
}

void Host::on_opened(const Opened& opened, UniqueFd stream) {
  if (!leave_ || away_) return;
  if (!stream) {
    return stay(opened.complaint.empty() ? "that node does not answer" : opened.complaint);
  }
  send_away(std::move(stream));
}

void Host::send_away(UniqueFd stream) {
  away_ = std::make_unique<Source>(reactor_, task_->pid());
  if (const Status begun = away_->begin(known()); !begun) {
    auto problems = away_->frozen().problems();
    return stay("it can not be moved: " + begun.error().message(), std::move(problems));
  }
  away_->send(std::move(stream), leave_->eager, [this](bool whole) {
    // Without the new host the task goes on here, if home says so; and else nowhere.
    if (whole || released_) end();
  });
}

// What the task has written goes home before it is somebody else's to do so; what it has not read
// goes back.
void Host::release() {
  if (!away_) return;
  released_ = true;
  relays_.drain();
  relays_.pause();
  Released released;
  released.frozen_at_us = away_->frozen_at_us();
  for (const FileImage& file : away_->frozen().image().files) {
    if (file.kind == FileImage::Kind::relay) {
      released.unread.emplace_back(file.value, take_unread(file));
    }
  }
  home_->send(released);
}

std::vector<std::byte> Host::take_unread(const FileImage& file) {
  std::vector<std::byte> bytes;
  if ((file.flags & O_ACCMODE) != O_WRONLY) {
    const UniqueFd fd = away_->frozen().take_fd(file.fd);
    int waiting = 0;
    if (fd && ioctl(fd.get(), FIONREAD, &waiting) == 0 && waiting > 0) {
      bytes.resize(static_cast<std::size_t>(waiting));
      const ssize_t n = read(fd.get(), bytes.data(), bytes.size());
      bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    }
  }
  const std::vector<std::byte> rest = relays_.take_unwritten(file.value);
  bytes.insert(bytes.end(), rest.begin(), rest.end());
  return bytes;
}

void Host::look() {
  if (!task_ || !runs_ || away_ || ended_) return;
  int status = 0;
  if (waitpid(task_->pid(), &status, WNOHANG) == task_->pid()) exited(status);
}

void Host::exited(int status) {
  ended_ = true;
  task_->stub().reaped();
  reactor_.spawn(tell_exit(status));
}

Co<void> Host::tell_exit(int status) {
  relays_.drain();
  home_->send(Exited{status});
  const Deadline patience = reactor_.after(kFlushTime);
  while (!home_->flush() && !patience.passed(reactor_.now())) {
    co_await reactor::sleep_for(reactor_, kFlushStep);
  }
  // The home mover closes the stream when it has dealt with this.
}

void Host::on_closed(Connection& connection, Status) {
  if (&connection == home_.get()) {
    // Given away: the new host still needs the pages.
    if (away_ && released_) return;
    return end();
  }
  if (&connection != source_.get()) return;
  if (!whole_ && runs_) {
    KRG_ERROR("a task is lost: the way to its pages broke");
    return end();
  }
  if (!runs_ && !ended_) refuse(Error(Errc::peer_down, "its source is gone"));
}

void Host::end() {
  if (task_) task_->stub().end();
  reactor_.stop();
}

}  // namespace krg::epm
