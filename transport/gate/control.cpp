#include "krg/gate/control.h"

#include <unordered_map>

#include "connection.h"
#include "deadline.h"
#include "unix_socket.h"

namespace krg::gate {

// The connection of a Control, and who waits for what on it.
class Control::Link final : public FrameSink {
 public:
  Link(Control& control, UniqueFd fd)
      : greeted(control.reactor_),
        control_(control),
        connection_(control.reactor_, std::move(fd), *this) {}
  ~Link() { connection_.close(Error(Errc::cancelled, "the control connection is closed")); }

  Connection& connection() noexcept { return connection_; }
  std::uint32_t next_id() noexcept { return ++last_id_; }
  void add(std::uint32_t id, PendingCall& call) { calls_.emplace(id, &call); }
  void remove(std::uint32_t id) noexcept { calls_.erase(id); }
  const Error& why_closed() const noexcept { return why_; }

  reactor::Event greeted;  // Or closed.

 private:
  Status on_frame(const FrameHeader& header, std::span<const std::byte> body,
                  std::vector<UniqueFd> fds) override {
    if (!greeted.is_set()) {
      if (header.kind != FrameKind::hello || header.call != kMagic) {
        return Error(Errc::protocol_error, "gate: not a server of ours");
      }
      if (header.code != kVersion) return Error(Errc::version_mismatch, "krgd's gate");
      greeted.set();
      return {};
    }
    const auto found = calls_.find(header.call);
    if (found == calls_.end()) return {};  // Given up meanwhile.
    PendingCall& call = *found->second;
    switch (header.kind) {
      case FrameKind::item:
        call.conversation_.deliver_item({body.begin(), body.end()});
        return {};
      case FrameKind::reply:
        calls_.erase(found);
        call.answered_ = true;
        call.error_ = error_of(header);
        call.answer_ = {{body.begin(), body.end()}, std::move(fds)};
        call.conversation_.disconnect(Error(Errc::end_of_stream));
        call.done_.set();
        return {};
      default:
        return Error(Errc::protocol_error, "gate: a frame that only a client sends");
    }
  }

  void on_closed(Error why) override {
    why_ = why;
    for (auto& [id, call] : std::exchange(calls_, {})) {
      call->answered_ = true;
      call->error_ = why;
      call->conversation_.disconnect(why);
      call->done_.set();
    }
    if (greeted.is_set()) control_.gone_.set();
    greeted.set();
  }

  Control& control_;
  Connection connection_;
  std::unordered_map<std::uint32_t, PendingCall*> calls_;
  std::uint32_t last_id_ = 0;
  Error why_;
};

PendingCall::PendingCall(Control& control, std::uint32_t id)
    : control_(&control),
      id_(id),
      done_(control.reactor_),
      conversation_(control.reactor_, control.link_->connection(), id) {}

PendingCall::~PendingCall() {
  if (answered_) return;
  control_->link_->remove(id_);
  FrameHeader header;
  header.kind = FrameKind::cancel;
  header.call = id_;
  // If the connection breaks now, the server cancels by itself.
  static_cast<void>(control_->link_->connection().send(header, {}).has_value());
}

Co<Result<PendingCall::Answer>> PendingCall::answer(Deadline deadline) {
  KRG_CO_TRY(co_await done_.wait(deadline));
  if (error_.code() != Errc::ok) co_return error_;
  co_return std::move(answer_);
}

Control::Control(reactor::Reactor& reactor) : reactor_(reactor), gone_(reactor) {}
Control::~Control() = default;

bool Control::connected() const noexcept {
  return link_ != nullptr && link_->greeted.is_set() && !link_->connection().closed();
}

Co<Status> Control::connect(std::string path, Deadline deadline) {
  KRG_CO_TRY_ASSIGN(UniqueFd fd, connect_to(path));
  link_ = std::make_unique<Link>(*this, std::move(fd));
  gone_.clear();
  KRG_CO_TRY(link_->connection().start());
  FrameHeader hello;
  hello.call = kMagic;
  hello.code = kVersion;
  KRG_CO_TRY(link_->connection().send(hello, {}));
  KRG_CO_TRY(co_await link_->greeted.wait(deadline));
  if (link_->connection().closed()) co_return link_->why_closed();
  co_return Status();
}

std::unique_ptr<PendingCall> Control::start(ServiceId service, std::vector<std::byte> request,
                                            Deadline deadline, std::vector<UniqueFd> fds) {
  KRG_ASSERT(link_ != nullptr);
  const std::uint32_t id = link_->next_id();
  std::unique_ptr<PendingCall> call(new PendingCall(*this, id));
  link_->add(id, *call);
  FrameHeader header;
  header.kind = FrameKind::request;
  header.call = id;
  header.code = service.value;
  header.word = timeout_until(reactor_.now(), deadline);
  if (auto status = link_->connection().send(header, request, std::move(fds)); !status) {
    link_->remove(id);
    call->answered_ = true;
    call->error_ = status.error();
    call->conversation_.disconnect(status.error());
    call->done_.set();
  }
  return call;
}

}  // namespace krg::gate
