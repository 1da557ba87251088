#include "krg/tasks/service.h"

#include <pwd.h>

#include <algorithm>
#include <array>
#include <map>

#include "krg/tasks/messages.h"

namespace krg::tasks {
namespace {

// Of a command line; enough for a screen.
constexpr std::size_t kCommandBytes = 512;

std::string user_name(uid_t user) {
  std::array<char, 1024> text;
  passwd entry{};
  passwd* found = nullptr;
  if (::getpwuid_r(user, &entry, text.data(), text.size(), &found) != 0 || found == nullptr) {
    return "";
  }
  return entry.pw_name;
}

List::Reply list(Table& table) {
  List::Reply reply;
  std::map<uid_t, std::string> names;  // Few, and each is a look into a file or over a network.
  for (const proc::Process& process : table.all()) {
    const uid_t user = proc::owner_of(process.pid);
    const auto [name, is_new] = names.try_emplace(user);
    if (is_new) name->second = user_name(user);
    reply.tasks.push_back({process.pid, process.parent, static_cast<std::uint8_t>(process.state),
                           user, name->second, process.threads, process.resident_bytes,
                           process.cpu_ms, proc::command_of(process, kCommandBytes)});
  }
  std::ranges::sort(reply.tasks, {}, &TaskInfo::pid);
  return reply;
}

}  // namespace

void serve(rpc::Rpc& rpc, Table& table) {
  rpc.serve<List>(
      [&table](rpc::Incoming&, wire::Empty&) -> Result<List::Reply> { return list(table); });
  rpc.serve<Has>([&table](rpc::Incoming&, Has::Request& request) -> Result<Has::Reply> {
    return Has::Reply{table.find(request.pid).has_value()};
  });
  rpc.serve<Kill>([&table](rpc::Incoming&, Kill::Request& request) -> Result<wire::Empty> {
    const auto process = table.find(request.pid);
    if (!process) return Error(Errc::not_found, "it is no task of a job");
    KRG_TRY(proc::send_signal(*process, request.signal));
    return wire::Empty{};
  });
  rpc.serve<Capabilities>([&table](rpc::Incoming&, Capabilities::Request& request) -> Result<Sets> {
    if (request.wanted) return table.change(request.pid, *request.wanted);
    return table.sets_of(request.pid);
  });
}

}  // namespace krg::tasks
