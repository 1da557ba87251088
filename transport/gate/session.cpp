#include "session.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>

#include "deadline.h"
#include "krg/base/descriptors.h"
#include "krg/log/log.h"

namespace krg::gate {
namespace {

constexpr std::size_t kCallsMax = 256;  // In service at once for one session, over its socket.
constexpr std::size_t kLanesMax = 16;   // Of one session.

}  // namespace

Session::Session(SessionHost& host, UniqueFd socket, const Caller& caller)
    : host_(host),
      caller_(caller),
      connection_(host.reactor(), std::move(socket), *this),
      process_(open_process(caller.pid)) {}

Session::~Session() {
  // The coroutines of calls may hold streams of the connection: they go first.
  calls_.clear();
  lanes_.clear();
  if (process_) host_.reactor().unwatch(process_.get());
  if (bell_fd_) host_.reactor().unwatch(bell_fd_.get());
}

Status Session::start() {
  if (process_) KRG_TRY(host_.reactor().watch(process_.get(), EPOLLIN, *this));
  return connection_.start();
}

void Session::on_fd(std::uint32_t) noexcept {
  // What the process sent before it ended does not matter: nobody is there to hear the answers.
  close(Error(Errc::peer_down, "the process has ended"));
}

bool Session::poll() noexcept {
  bool worked = false;
  // A handler may close the session, but lanes go only with it.
  for (const auto& lane : lanes_) {
    if (closed()) break;
    const Result<bool> found = lane->poll();
    if (found) {
      worked |= *found;
    } else {
      close(found.error());
    }
  }
  return worked;
}

bool Session::has_work() const noexcept {
  if (closed()) return false;
  return std::any_of(lanes_.begin(), lanes_.end(),
                     [](const auto& lane) { return lane->has_work(); });
}

void Session::on_closed(Error why) {
  if (why == Errc::peer_down) {
    KRG_DEBUG("gate: process {} has gone: {}", caller_.pid, why.message());
  } else {
    KRG_WARN("gate: process {} is cut off: {}", caller_.pid, why.message());
  }
  for (auto& [id, call] : calls_) call->conversation()->disconnect(why);
  host_.retire(*this);
}

Status Session::on_frame(const FrameHeader& header, std::span<const std::byte> body,
                         std::vector<UniqueFd> fds) {
  if (!greeted_) return on_hello(header);
  if (header.kind == FrameKind::request) return on_request(header, body, std::move(fds));

  // The others name a call, which may have ended while they were on their way.
  const auto found = calls_.find(header.call);
  switch (header.kind) {
    case FrameKind::item:
      if (found != calls_.end()) {
        found->second->conversation()->deliver_item({body.begin(), body.end()});
      }
      return {};
    case FrameKind::end:
      if (found != calls_.end()) {
        found->second->conversation()->deliver_end(Error(Errc::end_of_stream));
      }
      return {};
    case FrameKind::cancel:
      if (found != calls_.end()) calls_.erase(found);
      return {};
    default:
      return Error(Errc::protocol_error, "gate: a frame that only a server sends");
  }
}

Status Session::on_hello(const FrameHeader& header) {
  if (header.kind != FrameKind::hello || header.call != kMagic) {
    return Error(Errc::protocol_error, "gate: not a client of ours");
  }
  FrameHeader hello;
  hello.call = kMagic;
  hello.code = kVersion;
  KRG_TRY(connection_.send(hello, {}));
  if (header.code != kVersion) return Error(Errc::version_mismatch, "gate");
  greeted_ = true;
  return {};
}

Status Session::on_request(const FrameHeader& header, std::span<const std::byte> body,
                           std::vector<UniqueFd> fds) {
  if (calls_.contains(header.call)) {
    return Error(Errc::protocol_error, "gate: a call's number is used twice");
  }
  if (header.code == kAttach.value) return on_attach(header);
  Handler* handler = host_.find(ServiceId{header.code});
  if (handler == nullptr) {
    return connection_.send(reply_header(header.call, Error(Errc::no_service)), {});
  }
  if (calls_.size() >= kCallsMax) {
    return connection_.send(reply_header(header.call, Error(Errc::limit_reached)), {});
  }
  auto call = std::make_unique<SocketCall>(
      *this, header.call, std::vector<std::byte>(body.begin(), body.end()), std::move(fds),
      deadline_in(host_.reactor().now(), header.word));
  SocketCall& served = *call;
  calls_.emplace(header.call, std::move(call));
  served.serve(*handler);
  return {};
}

Status Session::make_bell() {
  if (bell_fd_) return {};
  UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd) return errno_error(Errc::system_error, "making an eventfd");
  // Edge-triggered: each write wakes us, and nobody needs to read it.
  KRG_TRY(host_.reactor().watch(fd.get(), EPOLLIN | EPOLLET, bell_));
  bell_fd_ = std::move(fd);
  return {};
}

Status Session::on_attach(const FrameHeader& header) {
  const auto refuse = [&](const Error& why) {
    return connection_.send(reply_header(header.call, why), {});
  };
  if (lanes_.size() >= kLanesMax) return refuse(Error(Errc::limit_reached));
  if (auto bell = make_bell(); !bell) return refuse(bell.error());
  auto lane = LaneServer::create(host_.reactor(), host_, caller_);
  if (!lane) return refuse(lane.error());
  std::vector<UniqueFd> fds;
  for (const int fd : {(*lane)->fd(), host_.status_fd(), bell_fd_.get()}) {
    fds.push_back(duplicate(fd));
    if (!fds.back()) return refuse(errno_error(Errc::system_error, "out of descriptors"));
  }
  lanes_.push_back(std::move(*lane));
  return connection_.send(reply_header(header.call, Error()), {}, std::move(fds));
}

}  // namespace krg::gate
