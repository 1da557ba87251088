#include "task_waits.h"

#include <algorithm>
#include <utility>

#include "krg/base/descriptors.h"
#include "krg/gate/own_user.h"

namespace krg::sync {
namespace {

// Of one task; for what is forgotten beyond that, others are woken in vain.
constexpr std::size_t kKeys = 1024;

// As the objects: the words that are waited for can be written by all who map them.
Status check_caller(const gate::Call& call) {
  return gate::check_own_user(call, "waits are for tasks of krgd's own user");
}

}  // namespace

struct TaskWaits::Task final : reactor::FdHandler {
  Task(TaskWaits& o, pid_t p) : owner(o), pid(p) {}
  void on_fd(std::uint32_t) noexcept override { owner.ended(pid); }

  TaskWaits& owner;
  const pid_t pid;
  UniqueFd process;  // A pidfd.
  bool ended = false;
  std::map<Key, Waits> keys;
};

// One wait of a task; the task may end before it.
struct TaskWaits::Stay {
  Stay(std::shared_ptr<Task> t, const Key& k) : task(std::move(t)), key(k) {
    Waits& waits = task->owner.waits_of(*task, key);
    waits.most = std::max(waits.most, ++waits.now);
  }
  Stay(const Stay&) = delete;
  Stay& operator=(const Stay&) = delete;
  ~Stay() {
    const auto at = task->keys.find(key);
    if (at != task->keys.end() && --at->second.now == 0 && !at->second.woken) {
      task->keys.erase(at);
    }
  }

  const std::shared_ptr<Task> task;
  const Key key;
};

TaskWaits::TaskWaits(reactor::Reactor& reactor, gate::Server& gate, Sync& sync)
    : reactor_(reactor), sync_(sync) {
  serve(gate);
}

TaskWaits::~TaskWaits() {
  for (const auto& [pid, task] : tasks_) reactor_.unwatch(task->process.get());
}

Result<std::shared_ptr<TaskWaits::Task>> TaskWaits::task_of(const gate::Call& call) {
  const pid_t pid = call.caller().pid;
  if (const auto at = tasks_.find(pid); at != tasks_.end()) return at->second;
  auto task = std::make_shared<Task>(*this, pid);
  task->process = open_process(pid);
  if (!task->process) return errno_error(Errc::system_error, "pidfd_open");
  KRG_TRY(reactor_.watch(task->process.get(), EPOLLIN, *task));
  tasks_.emplace(pid, task);
  return task;
}

void TaskWaits::ended(pid_t pid) noexcept {
  const auto at = tasks_.find(pid);
  if (at == tasks_.end()) return;
  const std::shared_ptr<Task> task = std::move(at->second);
  tasks_.erase(at);
  reactor_.unwatch(task->process.get());
  task->ended = true;
  for (const auto& [key, waits] : task->keys) {
    if (waits.woken) sync_.pass_on(key, waits.most);
  }
}

TaskWaits::Waits& TaskWaits::waits_of(Task& task, const Key& key) {
  if (task.keys.size() >= kKeys && !task.keys.contains(key)) {
    for (auto at = task.keys.begin(); at != task.keys.end(); ++at) {
      if (at->second.now != 0) continue;
      sync_.pass_on(at->first, at->second.most);
      task.keys.erase(at);
      break;
    }
  }
  return task.keys[key];
}

Co<Result<wire::Empty>> TaskWaits::wait(gate::Call& call, calls::Wait::Request request) {
  KRG_CO_TRY(check_caller(call));
  KRG_CO_TRY_ASSIGN(std::shared_ptr<Task> task, task_of(call));
  const Stay stay(std::move(task), request.key);
  KRG_CO_TRY(co_await sync_.wait(request.key, request.ticket, request.bits, call.deadline()));
  if (stay.task->ended) {
    sync_.pass_on(request.key, 1);
  } else {
    stay.task->keys[request.key].woken = true;
    call.if_unwanted([this, key = request.key] { sync_.pass_on(key, 1); });
  }
  co_return wire::Empty{};
}

void TaskWaits::serve(gate::Server& gate) {
  gate.serve<calls::Prepare>([this](gate::Call& call, calls::Prepare::Request request)
                                 -> Co<Result<calls::Prepare::Reply>> {
    KRG_CO_TRY(check_caller(call));
    KRG_CO_TRY_ASSIGN(const Ticket ticket, co_await sync_.prepare(request.key, call.deadline()));
    co_return calls::Prepare::Reply{ticket};
  });
  gate.serve<calls::Wait>([this](gate::Call& call, calls::Wait::Request request) {
    return wait(call, std::move(request));
  });
  gate.serve<calls::Meet>(
      [this](gate::Call& call, calls::Meet::Request request) -> Co<Result<calls::Meet::Reply>> {
        KRG_CO_TRY(check_caller(call));
        co_return co_await sync_.meet(std::move(request), call.deadline());
      });
  gate.serve<calls::Wake>(
      [this](gate::Call& call, calls::Wake::Request request) -> Co<Result<calls::Wake::Reply>> {
        KRG_CO_TRY(check_caller(call));
        KRG_CO_TRY_ASSIGN(
            const std::uint32_t waited,
            co_await sync_.wake(request.key, request.count, request.bits, call.deadline()));
        co_return calls::Wake::Reply{waited};
      });
}

}  // namespace krg::sync
