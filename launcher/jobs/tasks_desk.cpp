#include "krg/jobs/tasks_desk.h"

#include <charconv>

#include "krg/rpc/multicast.h"

namespace krg::jobs {
namespace {

constexpr Duration kAnswerTime = std::chrono::seconds(3);

std::string reason_of(const Error& error) {
  return error.what() == nullptr ? std::string(text(error.code())) : error.what();
}

// An error's own text does not travel: what it means of a task does.
std::string reason_of_task(const Error& error) {
  switch (error.code()) {
    case Errc::not_found:
      return "it is no task of a job of this cluster, or has ended";
    case Errc::denied:
      return "it may not be changed: it lacks CHANGE_KERRIGHED_CAP, or belongs to another user";
    case Errc::would_block:
      return "a capability that would be taken away is in use now";
    case Errc::invalid_argument:
      return "that contradicts itself";
    case Errc::no_service:
      return "krg does not have that capability";
    default:
      return reason_of(error);
  }
}

// Which node has the task. On failure `name.node` stays as it is and the reason is returned.
Co<std::string> locate(node::Node& node, TaskName& name) {
  if (name.node != kNoNode) {
    const bool known = node.view().find(name.node) != nullptr;
    co_return known ? "" : "there is no node " + std::to_string(name.node.value);
  }
  const tasks::Has::Request question{name.pid};
  const auto answers = co_await rpc::call_all<tasks::Has>(
      node.rpc(), node.view().node_ids(), question, node.reactor().after(kAnswerTime));
  std::string found, silent;
  std::size_t count = 0;
  for (const auto& answer : answers) {
    if (!answer.reply) silent += " node " + std::to_string(answer.node.value);
    if (!answer.reply || !answer.reply->here) continue;
    name.node = answer.node;
    found += (found.empty() ? "" : ", ") + to_text({answer.node, name.pid});
    ++count;
  }
  if (count == 1 && silent.empty()) co_return "";
  name.node = kNoNode;
  if (count > 1) co_return "several nodes have such a task: say which, " + found;
  if (!silent.empty()) co_return "not answered, so say which node it is on:" + silent;
  co_return "it is no task of a job of this cluster";
}

}  // namespace

std::optional<TaskName> parse_task(std::string_view text) {
  TaskName name;
  const auto number = [](std::string_view digits, auto& value) {
    const char* const end = digits.data() + digits.size();
    const auto [rest, error] = std::from_chars(digits.data(), end, value);
    return !digits.empty() && error == std::errc() && rest == end;
  };
  if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    if (!number(text.substr(0, colon), name.node.value) || name.node == kNoNode) {
      return std::nullopt;
    }
    text.remove_prefix(colon + 1);
  }
  if (!number(text, name.pid) || name.pid <= 0) return std::nullopt;
  return name;
}

std::string to_text(const TaskName& name) {
  const std::string pid = std::to_string(name.pid);
  return name.node == kNoNode ? pid : std::to_string(name.node.value) + ":" + pid;
}

bool TasksDesk::takes(std::uint16_t type) noexcept {
  return type == AskTasks::kFrame || type == SignalTask::kFrame || type == AskCapabilities::kFrame;
}

bool TasksDesk::on_frame(std::uint16_t type, wire::Bytes body) {
  reactor::Reactor& reactor = node_.reactor();
  if (type == AskTasks::kFrame) {
    reactor.spawn(list(alive_));
    return true;
  }
  if (type == SignalTask::kFrame) {
    const auto wish = wire::decode<SignalTask>(body);
    if (wish) reactor.spawn(kill(*wish, alive_));
    return wish.has_value();
  }
  const auto wish = wire::decode<AskCapabilities>(body);
  if (wish) reactor.spawn(capabilities(*wish, alive_));
  return wish.has_value();
}

Co<void> TasksDesk::list(std::weak_ptr<char> alive) {
  const auto answers = co_await rpc::call_all<tasks::List>(node_.rpc(), node_.view().node_ids(), {},
                                                           node_.reactor().after(kAnswerTime));
  if (alive.expired()) co_return;
  AllTasks all;
  for (const auto& answer : answers) {
    AllTasks::Node& node = all.nodes.emplace_back();
    node.node = answer.node;
    if (answer.reply) {
      node.tasks = answer.reply->tasks;
    } else {
      node.why = reason_of(answer.reply.error());
    }
  }
  client_.send(all);
}

Co<void> TasksDesk::kill(SignalTask wish, std::weak_ptr<char> alive) {
  TaskSignalled answer;
  node::Node& node = node_;
  answer.why = co_await locate(node, wish.task);
  if (answer.why.empty()) {
    const tasks::Kill::Request request{wish.task.pid, wish.number};
    const Deadline deadline = node.reactor().after(kAnswerTime);
    const auto done =
        co_await node.rpc().call<tasks::Kill>(wish.task.node, request, {.deadline = deadline});
    if (!done) {
      answer.why = done.error() == Errc::invalid_argument ? "there is no such signal"
                                                          : reason_of_task(done.error());
    }
  }
  if (!alive.expired()) client_.send(answer);
}

Co<void> TasksDesk::capabilities(AskCapabilities wish, std::weak_ptr<char> alive) {
  TheCapabilities answer;
  node::Node& node = node_;
  answer.why = co_await locate(node, wish.task);
  if (answer.why.empty()) {
    const tasks::Capabilities::Request request{wish.task.pid, wish.wanted};
    const Deadline deadline = node.reactor().after(kAnswerTime);
    const auto sets = co_await node.rpc().call<tasks::Capabilities>(wish.task.node, request,
                                                                    {.deadline = deadline});
    if (sets) answer.sets = *sets;
    if (!sets) answer.why = reason_of_task(sets.error());
  }
  answer.task = wish.task;
  if (!alive.expired()) client_.send(answer);
}

}  // namespace krg::jobs
