#include "home.h"

#include <sys/epoll.h>
#include <sys/wait.h>

#include <chrono>
#include <csignal>
#include <cstring>

#include "krg/base/descriptors.h"
#include "krg/log/log.h"
#include "krg/reactor/event.h"

namespace krg::epm {
namespace {

constexpr Duration kMoveTime = std::chrono::seconds(60);
constexpr Duration kFlushStep = std::chrono::milliseconds(1);
constexpr Duration kFarewell = std::chrono::milliseconds(200);

}  // namespace

Home::Home(reactor::Reactor& reactor, Port& port, pid_t pid)
    : reactor_(reactor),
      port_(port),
      pid_(pid),
      process_(open_process(pid)),
      machine_(this_machine()),
      relays_(reactor, {[this](const RelayData& m) { host_->send(m); },
                        [this](const RelayTaken& m) {
                          if (host_) host_->send(m);
                        },
                        [this](const RelayEnd& m) {
                          if (host_) host_->send(m);
                        }}),
      deputy_(pid, {[this](const SignalInfo& info, bool leader) { deliver(info, leader); },
                    [this] { reactor_.spawn(leave_the_stage()); }}) {
  if (process_) (void)reactor_.watch(process_.get(), EPOLLIN, *this);
}

Home::~Home() { reactor_.unwatch(process_.get()); }

// The process has ended: the deputy, or the task itself, and then nobody needs us.
void Home::on_fd(std::uint32_t) noexcept {
  look();
  reactor_.unwatch(process_.get());
  if (!host_ && !deputy_.gone()) reactor_.spawn(leave_the_stage());
}

void Home::answer(std::string complaint, std::vector<std::string> problems) {
  step_ = Step::none;
  Answer answer;
  answer.complaint = std::move(complaint);
  answer.problems = std::move(problems);
  answer.away = host_ != nullptr;
  answer.node = at_;
  (void)port_.send(answer);
}

void Home::on_order(const Order& order) {
  order_ = order;
  if (order.only_check) return check_only();
  if (step_ != Step::none) {
    return (void)port_.send(Answer{"it is being moved already", {}, host_ != nullptr, at_, 0});
  }
  if (host_ ? order.node == at_ : order.node == order.home) return answer("");
  if (!host_) {
    // Before anything is stopped or sent.
    Survey now = survey(pid_, known_);
    if (!now.problems.empty()) return answer("it can not be moved", std::move(now.problems));
  }
  step_ = Step::stream;
  eager_ = order.eager;
  problems_.clear();
  if (!port_.send(Open{order.node, 0})) return answer("its krgd does not listen");
  reactor_.spawn(give_up_later(++moves_));
}

void Home::check_only() {
  if (host_) return host_->send(AskProblems{});
  Survey now = survey(pid_, known_);
  const Step step = step_;
  answer("", std::move(now.problems));
  step_ = step;
}

Co<void> Home::give_up_later(std::uint64_t move) {
  co_await reactor::sleep_for(reactor_, kMoveTime);
  if (move == moves_ && step_ != Step::none && step_ != Step::runs) abort("it took too long");
}

// Back to where it was before the order.
void Home::abort(std::string complaint, std::vector<std::string> problems) {
  former_ = std::move(next_);  // We may be inside it.
  if (!host_) {
    source_.reset();  // Goes on here.
  } else if (step_ == Step::ready || step_ == Step::released) {
    host_->send(Resume{});
  }
  for (const Deliver& one : std::exchange(held_signals_, {})) deliver_now(one);
  answer(std::move(complaint), std::move(problems));
}

void Home::on_opened(const Opened& opened, UniqueFd stream) {
  if (step_ != Step::stream && step_ != Step::source_stream) return;
  if (!stream)
    return abort(opened.complaint.empty() ? "that node does not answer" : opened.complaint);
  if (step_ == Step::source_stream) return leave_home(std::move(stream));
  control::ConnectionHandler& handler = *this;
  next_ = std::make_unique<Connection>(reactor_, std::move(stream), UniqueFd(), handler);
  step_ = Step::hello;
}

void Home::on_hello(const Hello& hello) {
  std::string why = obstacle(machine_, hello.machine);
  if (!why.empty()) return abort(std::move(why));
  token_ = hello.token;
  if (!hello.machine.serves_kernel) eager_ = true;
  if (host_) {
    step_ = Step::ready;
    return host_->send(Leave{order_.node, token_, eager_});
  }
  step_ = Step::source_stream;
  if (!port_.send(Open{order_.node, token_})) abort("its krgd does not listen");
}

void Home::leave_home(UniqueFd stream) {
  source_ = std::make_unique<Source>(reactor_, pid_);
  const Status begun = source_->begin(known_);
  if (!begun) {
    auto problems = source_->frozen().problems();
    return abort("it can not be moved: " + begun.error().message(), std::move(problems));
  }
  frozen_at_us_ = source_->frozen_at_us();
  step_ = Step::ready;
  source_->send(std::move(stream), eager_, [this](bool whole) { on_whole(whole); });
}

// The task's own ends of what is relayed become ours.
void Home::take_relays() {
  for (const FileImage& file : source_->frozen().image().files) {
    if (file.kind != FileImage::Kind::relay) continue;
    UniqueFd fd = source_->frozen().take_fd(file.fd);
    const int access = static_cast<int>(file.flags) & 3;
    relays_.add(file.value, std::move(fd), access != 1, access != 0);
  }
}

void Home::on_ready() {
  if (host_) {
    step_ = Step::released;
    return host_->send(Release{});
  }
  take_relays();
  commit();
}

void Home::on_released(const Released& released) {
  frozen_at_us_ = released.frozen_at_us;
  relays_.pause();
  relays_.rewind_all();
  for (const auto& [relay, bytes] : released.unread) relays_.rewind(relay, bytes);
  commit();
}

// From here on the task is at the next host or nowhere.
void Home::commit() {
  step_ = Step::runs;
  next_->send(Commit{});
  former_ = std::move(host_);
  host_ = std::move(next_);
  at_ = order_.node;
  relays_.start();
  for (const Deliver& one : std::exchange(held_signals_, {})) deliver_now(one);
}

void Home::on_runs(const Runs& runs) {
  if (step_ != Step::runs) return;
  step_ = Step::none;
  Answer answer;
  answer.away = true;
  answer.node = at_;
  answer.stopped_us = static_cast<std::uint32_t>(runs.at_us - frozen_at_us_);
  (void)port_.send(answer);
}

// The first host has all pages, or the way to it has broken.
void Home::on_whole(bool whole) {
  if (!whole) {
    if (host_) return lose("the way to its pages broke");
    return abort("the way to that node broke");
  }
  if (!source_ || deputy_.begun()) return;
  if (const Status begun = deputy_.begin(source_->frozen()); !begun) {
    KRG_ERROR("task {}: no deputy: {}", pid_, begun.error().message());
    return lose("its deputy could not be made");
  }
  source_.reset();
}

void Home::deliver(const SignalInfo& info, bool to_leader) {
  const Deliver one{info, to_leader};
  const bool moving = step_ == Step::ready || step_ == Step::released;
  if (host_ && !moving) return deliver_now(one);
  held_signals_.push_back(one);
}

void Home::deliver_now(const Deliver& one) {
  if (host_) host_->send(one);
}

void Home::look() { deputy_.look(); }

void Home::on_frame(Connection& from, std::uint16_t type, wire::Bytes body) {
  if (&from == host_.get()) return on_host_frame(type, body);
  if (&from == next_.get()) return on_next_frame(type, body);
}

void Home::on_next_frame(std::uint16_t type, wire::Bytes body) {
  if (type == Hello::kFrame && step_ == Step::hello) {
    const auto hello = wire::decode<Hello>(body);
    return hello ? on_hello(*hello) : abort("that node does not make sense");
  }
  if (type == Ready::kFrame && step_ == Step::ready) return on_ready();
  if (type == Failed::kFrame) {
    auto failed = wire::decode<Failed>(body);
    return abort(failed ? std::move(failed->complaint) : "that node does not make sense");
  }
}

template <class M, class F>
static void take(wire::Bytes body, F then) {
  auto message = wire::decode<M>(body);
  if (message) then(*message);
}

void Home::on_host_frame(std::uint16_t type, wire::Bytes body) {
  switch (type) {
    case RelayData::kFrame:
      return take<RelayData>(body, [this](RelayData& m) { relays_.on_data(m); });
    case RelayTaken::kFrame:
      return take<RelayTaken>(body, [this](RelayTaken& m) { relays_.on_taken(m); });
    case RelayEnd::kFrame:
      return take<RelayEnd>(body, [this](RelayEnd& m) { relays_.on_end(m); });
    case Runs::kFrame:
      return take<Runs>(body, [this](Runs& m) { on_runs(m); });
    case Released::kFrame:
      if (step_ != Step::released) return;
      return take<Released>(body, [this](Released& m) { on_released(m); });
    case Failed::kFrame:
      if (step_ == Step::runs) return lose("the node could not begin with it");
      if (step_ != Step::ready) return;
      return take<Failed>(body, [this](Failed& m) {
        step_ = Step::hello;  // It stays, and need not be told.
        abort(std::move(m.complaint), std::move(m.problems));
      });
    case Problems::kFrame:
      return take<Problems>(body, [this](Problems& m) {
        const Step step = step_;
        answer("", std::move(m.problems));
        step_ = step;
      });
    case Exited::kFrame:
      return take<Exited>(body, [this](Exited& m) {
        if (!std::exchange(ending_, true)) reactor_.spawn(end_deputy(m.status));
      });
    default:
      return;
  }
}

void Home::on_closed(Connection& connection, Status) {
  if (&connection == next_.get()) return abort("that node is gone");
  if (&connection == host_.get() && !ending_) lose("the node that it was on is gone");
}

void Home::lose(const char* why) {
  if (std::exchange(ending_, true)) return;
  KRG_ERROR("task {} is lost: {}", pid_, why);
  if (step_ != Step::none) answer(std::string("it is lost: ") + why);
  deputy_.end(SIGKILL);
}

// Not before everybody has what the task wrote: its end comes last.
Co<void> Home::end_deputy(int status) {
  if (step_ != Step::none) {
    former_ = std::move(next_);
    answer("it has ended");
  }
  // As long as nobody reads, as the task itself would have waited.
  while (relays_.unwritten() && !deputy_.gone()) co_await reactor::sleep_for(reactor_, kFlushStep);
  deputy_.end(status);
}

// The deputy has ended: of itself, or it was killed, and then so is the task.
Co<void> Home::leave_the_stage() {
  if (!ending_ && host_) {
    SignalInfo info{};
    const std::int32_t number = SIGKILL;
    std::memcpy(info.data(), &number, sizeof number);
    host_->send(Deliver{info, false});
    (void)host_->flush();
  }
  if (step_ != Step::none) answer("it has ended");
  co_await reactor::sleep_for(reactor_, kFarewell);
  reactor_.stop();
}

}  // namespace krg::epm
