#include "krg/access/access.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "krg/base/descriptors.h"
#include "krg/base/intrusive_list.h"
#include "krg/calls/calls.h"
#include "krg/gate/own_user.h"
#include "krg/log/log.h"
#include "krg/reactor/event.h"

namespace krg::kddm {
namespace {

OpOptions options_of(const gate::Call& call, const calls::Use::Request& request) noexcept {
  return {call.deadline(), request.try_only, request.no_touch, request.manual_touch,
          request.touch_bytes};
}

LeaseKind kind_of(calls::Verb verb) noexcept {
  return verb == calls::Verb::grab ? LeaseKind::write : LeaseKind::read;
}

}  // namespace

class TaskAccess::Impl {
 public:
  Impl(reactor::Reactor& reactor, gate::Server& gate, Kddm& kddm, MakeStore make_store)
      : reactor_(reactor), kddm_(kddm), make_store_(std::move(make_store)) {
    serve(gate);
  }
  ~Impl() {
    for (auto& [pid, task] : tasks_) task->unwatch();
  }

  std::size_t tasks() const noexcept { return tasks_.size(); }
  std::vector<LockUse> lock_uses();

 private:
  // A task's call for a lease, until it is answered.
  struct Waits : ListNode<Waits> {
    Waits(pid_t p, const calls::Use::Request& r, std::uint64_t n, TimePoint now)
        : use{p, r.thread, r.set, r.object, kind_of(r.verb), n, now, {}} {}
    LockUse use;
  };
  // A process that has a place in the store.
  struct Task {
    struct Bell final : reactor::FdHandler {
      explicit Bell(Task& t) : task(t) {}
      void on_fd(std::uint32_t) noexcept override { task.rung(); }
      Task& task;
    };
    struct End final : reactor::FdHandler {
      explicit End(Task& t) : task(t) {}
      void on_fd(std::uint32_t) noexcept override { task.owner.ended(task.pid); }
      Task& task;
    };

    Task(Impl& o, pid_t p, TaskIndex i) : owner(o), pid(p), index(i) {}
    void rung() noexcept {
      std::uint64_t times = 0;
      static_cast<void>(::read(bell.get(), &times, sizeof times));
      owner.kddm_.on_ring();
    }
    void unwatch() noexcept {
      owner.reactor_.unwatch(bell.get());
      owner.reactor_.unwatch(process.get());
    }

    Impl& owner;
    const pid_t pid;
    const TaskIndex index;
    UniqueFd bell, process;
    Bell on_bell{*this};
    End on_end{*this};
  };

  // What a task has asked for in the name of all of this node that want to share it.
  using Key = std::pair<SetId, ObjectId>;
  struct Asked {
    explicit Asked(reactor::Reactor& reactor) : answered(reactor) {}
    reactor::Event answered;
    bool others = false;
  };
  // Until the answer, or until the task gives up.
  struct Asking {
    Asking(Impl& o, const Key& k, bool shares) : owner(o), key(k) {
      if (!shares) return;
      asked = std::make_shared<Asked>(o.reactor_);
      owner.asked_.emplace(key, asked);
    }
    Asking(const Asking&) = delete;
    Asking& operator=(const Asking&) = delete;
    ~Asking() {
      if (!asked) return;
      owner.asked_.erase(key);
      asked->answered.set();
    }
    Impl& owner;
    const Key key;
    std::shared_ptr<Asked> asked;
  };

  void serve(gate::Server& gate);
  Result<calls::Attach::Reply> attach(gate::Call& call);
  Status watch(Task& task);
  void ended(pid_t pid) noexcept;
  // Errors  not_connected  it has not attached
  Result<TaskIndex> task_of(const gate::Call& call) const;
  Co<Result<calls::Use::Reply>> use(gate::Call& call, calls::Use::Request request);
  Co<Result<calls::Use::Reply>> lease(gate::Call& call, calls::Use::Request request);
  void take_back(TaskIndex task, const Grant& grant);
  bool is_lock(SetId set) const noexcept {
    const SetOptions* const options = kddm_.options_here(set);
    return options != nullptr && options->has(SetFlag::locks);
  }
  Co<Result<calls::Name::Reply>> name(gate::Call& call, calls::Name::Request request);
  Co<Result<calls::NameSpace::Reply>> name_space(gate::Call& call,
                                                 calls::NameSpace::Request request);
  Result<calls::Resize::Reply> resize(gate::Call& call, const calls::Resize::Request& request);

  reactor::Reactor& reactor_;
  Kddm& kddm_;
  const MakeStore make_store_;
  NodeStore* store_ = nullptr;
  std::unordered_map<pid_t, std::unique_ptr<Task>> tasks_;
  std::map<Key, std::shared_ptr<Asked>> asked_;
  IntrusiveList<Waits, Waits> waits_;
  std::uint64_t waits_so_far_ = 0;
};

// --- Coming and going ---------------------------------------------------------------------------

Result<calls::Attach::Reply> TaskAccess::Impl::attach(gate::Call& call) {
  const gate::Caller& caller = call.caller();
  // All tasks write the same memory.
  KRG_TRY(gate::check_own_user(call, "shared objects are for tasks of krgd's own user"));
  if (tasks_.contains(caller.pid)) {
    return Error(Errc::already_exists, "this process has attached already");
  }
  KRG_TRY_ASSIGN(store_, make_store_());
  KRG_TRY_ASSIGN(const TaskIndex index, store_->attach());
  auto task = std::make_unique<Task>(*this, caller.pid, index);
  Status how = watch(*task);
  for (const int fd : {store_->directory_fd(), store_->shared_fd(), task->bell.get()}) {
    if (how) how = call.pass_copy(fd);
  }
  if (!how) {
    task->unwatch();
    static_cast<void>(store_->release_all(index));
    return how.error();
  }
  tasks_[caller.pid] = std::move(task);
  return calls::Attach::Reply{store_->geometry(), index};
}

Status TaskAccess::Impl::watch(Task& task) {
  task.bell = UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!task.bell) return errno_error(Errc::system_error, "eventfd");
  task.process = open_process(task.pid);
  if (!task.process) return errno_error(Errc::system_error, "pidfd_open");
  KRG_TRY(reactor_.watch(task.bell.get(), EPOLLIN, task.on_bell));
  return reactor_.watch(task.process.get(), EPOLLIN, task.on_end);
}

void TaskAccess::Impl::ended(pid_t pid) noexcept {
  const auto at = tasks_.find(pid);
  if (at == tasks_.end()) return;
  const std::unique_ptr<Task> task = std::move(at->second);
  tasks_.erase(at);
  task->unwatch();
  const NodeStore::Released released = store_->release_all(task->index);
  if (!released.torn.empty()) {
    KRG_INFO("task {} died while it wrote {} shared objects; they are as it left them", pid,
             released.torn.size());
  }
  kddm_.on_released(released);
}

Result<TaskIndex> TaskAccess::Impl::task_of(const gate::Call& call) const {
  const auto at = tasks_.find(call.caller().pid);
  if (at == tasks_.end()) {
    return Error(Errc::not_connected, "this process has not attached to the shared objects");
  }
  return at->second->index;
}

// --- Calls --------------------------------------------------------------------------------------

Co<Result<calls::Use::Reply>> TaskAccess::Impl::lease(gate::Call& call,
                                                      calls::Use::Request request) {
  KRG_CO_TRY_ASSIGN(const TaskIndex task, task_of(call));
  const OpOptions options = options_of(call, request);
  Waits waits(call.caller().pid, request, ++waits_so_far_, reactor_.now());
  waits_.push_back(waits);
  const bool shares = request.share && request.verb == calls::Verb::grab && is_lock(request.set);
  const Key key{request.set, request.object};
  if (const auto at = shares ? asked_.find(key) : asked_.end(); at != asked_.end()) {
    const std::shared_ptr<Asked> first = at->second;
    first->others = true;
    KRG_CO_TRY(co_await first->answered.wait(call.deadline()));
    co_return calls::Use::Reply{};
  }
  const Asking asking(*this, key, shares);
  const bool* const others = shares ? &asking.asked->others : nullptr;
  const Result<Grant> grant = co_await kddm_.lease_for(task, kind_of(request.verb), request.set,
                                                       request.object, options, others);
  if (!grant) co_return grant.error();
  call.if_unwanted([this, task, given = *grant] { take_back(task, given); });
  co_return calls::Use::Reply{*grant};
}

std::vector<LockUse> TaskAccess::Impl::lock_uses() {
  std::vector<LockUse> uses;
  for (const Waits& waits : waits_) {
    if (is_lock(waits.use.set)) uses.push_back(waits.use);
  }
  for (const auto& [pid, task] : tasks_) {
    for (const Leased& leased : store_->leases_of(task->index)) {
      const SetId set = store_->set_of(leased.slot);
      if (!is_lock(set)) continue;
      LockUse use{pid, 0, set, store_->object_of(leased.slot), leased.kind, 0, {}, {}};
      const auto bytes = store_->bytes(leased.slot);
      std::copy_n(bytes.begin(), std::min(bytes.size(), use.front.size()), use.front.begin());
      uses.push_back(use);
    }
  }
  return uses;
}

// The task has given up waiting, and will never know of it.
void TaskAccess::Impl::take_back(TaskIndex task, const Grant& grant) {
  store_->withdraw(task, grant);
  kddm_.on_ring();
}

Result<calls::Resize::Reply> TaskAccess::Impl::resize(gate::Call& call,
                                                      const calls::Resize::Request& request) {
  KRG_TRY_ASSIGN(const TaskIndex task, task_of(call));
  calls::Resize::Reply reply;
  KRG_TRY_ASSIGN(reply.grant,
                 kddm_.resize_for(task, request.slot, request.entry, request.size, reply.how));
  return reply;
}

Co<Result<calls::Use::Reply>> TaskAccess::Impl::use(gate::Call& call, calls::Use::Request request) {
  const OpOptions options = options_of(call, request);
  Status how;
  switch (request.verb) {
    case calls::Verb::get:
    case calls::Verb::grab:
      co_return co_await lease(call, request);
    case calls::Verb::flush:
      how = co_await kddm_.flush(request.set, request.object, options, request.to);
      break;
    case calls::Verb::sync:
      how = co_await kddm_.sync(request.set, request.object, options);
      break;
    case calls::Verb::remove:
      how = co_await kddm_.remove(request.set, request.object, options);
      break;
    case calls::Verb::prefetch:
      how = co_await kddm_.prefetch(request.set, request.object, options);
      break;
    default:
      how = Error(Errc::invalid_argument, "no such use of an object");
  }
  if (!how) co_return how.error();
  co_return calls::Use::Reply{};
}

Co<Result<calls::Name::Reply>> TaskAccess::Impl::name(gate::Call& call,
                                                      calls::Name::Request request) {
  calls::Name::Reply reply;
  const Deadline deadline = call.deadline();
  switch (request.verb) {
    case calls::NameVerb::bind:
      KRG_CO_TRY(co_await kddm_.bind(std::move(request.name), request.set, deadline, request.in));
      break;
    case calls::NameVerb::look_up: {
      const auto set = co_await kddm_.look_up(std::move(request.name), deadline, request.in);
      if (!set) co_return set.error();
      reply.set = *set;
      break;
    }
    case calls::NameVerb::unbind:
      KRG_CO_TRY(co_await kddm_.unbind(std::move(request.name), deadline, request.in));
      break;
    default:
      co_return Error(Errc::invalid_argument, "no such use of a name");
  }
  co_return reply;
}

Co<Result<calls::NameSpace::Reply>> TaskAccess::Impl::name_space(
    gate::Call& call, calls::NameSpace::Request request) {
  calls::NameSpace::Reply reply;
  const Deadline deadline = call.deadline();
  switch (request.verb) {
    case calls::NameSpaceVerb::create: {
      KRG_CO_TRY_ASSIGN(reply.id,
                        co_await kddm_.create_name_space(std::move(request.name), deadline));
      break;
    }
    case calls::NameSpaceVerb::find: {
      KRG_CO_TRY_ASSIGN(reply.id,
                        co_await kddm_.find_name_space(std::move(request.name), deadline));
      break;
    }
    case calls::NameSpaceVerb::destroy:
      KRG_CO_TRY(co_await kddm_.destroy_name_space(request.id, deadline));
      break;
    default:
      co_return Error(Errc::invalid_argument, "no such use of a name space");
  }
  co_return reply;
}

void TaskAccess::Impl::serve(gate::Server& gate) {
  gate.serve<calls::Attach>([this](gate::Call& call, const wire::Empty&) { return attach(call); });
  gate.serve<calls::Use>([this](gate::Call& call, calls::Use::Request request) {
    return use(call, std::move(request));
  });
  gate.serve<calls::Bring>(
      [this](gate::Call& call, calls::Bring::Request request) -> Co<Result<wire::Empty>> {
        if (request.count > calls::Bring::kMax) {
          co_return Error(Errc::invalid_argument, "more objects than one call may bring");
        }
        const auto kind = request.for_write ? LeaseKind::write : LeaseKind::read;
        const OpOptions options{call.deadline(), request.try_only, request.no_touch,
                                request.manual_touch};
        KRG_CO_TRY(co_await kddm_.prefetch_range(request.set, request.first, request.count, options,
                                                 kind));
        co_return wire::Empty{};
      });
  gate.serve<calls::Resize>([this](gate::Call& call, const calls::Resize::Request& request) {
    return resize(call, request);
  });
  gate.serve<calls::Name>([this](gate::Call& call, calls::Name::Request request) {
    return name(call, std::move(request));
  });
  gate.serve<calls::NameSpace>([this](gate::Call& call, calls::NameSpace::Request request) {
    return name_space(call, std::move(request));
  });
  gate.serve<calls::Create>(
      [this](gate::Call& call, calls::Create::Request request) -> Co<Result<calls::Create::Reply>> {
        const auto set =
            co_await kddm_.create(std::move(request.options), call.deadline(), request.wanted);
        if (!set) co_return set.error();
        co_return calls::Create::Reply{*set};
      });
  gate.serve<calls::Describe>(
      [this](gate::Call& call,
             calls::Describe::Request request) -> Co<Result<calls::Describe::Reply>> {
        auto options = co_await kddm_.options_of(request.set, call.deadline());
        if (!options) co_return options.error();
        co_return calls::Describe::Reply{std::move(*options)};
      });
  gate.serve<calls::Destroy>(
      [this](gate::Call& call, calls::Destroy::Request request) -> Co<Result<wire::Empty>> {
        KRG_CO_TRY(co_await kddm_.destroy(request.set, call.deadline()));
        co_return wire::Empty{};
      });
  gate.serve<calls::SyncSet>(
      [this](gate::Call& call, calls::SyncSet::Request request) -> Co<Result<wire::Empty>> {
        KRG_CO_TRY(co_await kddm_.sync(request.set, call.deadline()));
        co_return wire::Empty{};
      });
}

TaskAccess::TaskAccess(reactor::Reactor& reactor, gate::Server& gate, Kddm& kddm,
                       MakeStore make_store)
    : impl_(std::make_unique<Impl>(reactor, gate, kddm, std::move(make_store))) {}

TaskAccess::~TaskAccess() = default;

std::size_t TaskAccess::tasks() const noexcept { return impl_->tasks(); }
std::vector<LockUse> TaskAccess::lock_uses() const { return impl_->lock_uses(); }

}  // namespace krg::kddm
