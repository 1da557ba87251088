// krgadm nodes wait, add and del, and krgadm events: who comes into the cluster and who goes.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <ctime>
#include <map>
#include <span>

#include "commands.h"
#include "krg/cli/exit.h"
#include "krg/cli/table.h"
#include "krg/config/entry.h"
#include "krg/jobs/client.h"
#include "krg/jobs/members.h"
#include "krg/runner/start_nodes.h"

namespace krg::krgadm {
namespace {

using std::chrono::milliseconds;

// What draining a node three times takes, and a little.
constexpr milliseconds kLongEnough{100'000};

std::optional<std::uint32_t> number(std::string_view text) {
  std::uint32_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc() || rest != end) return std::nullopt;
  return value;
}

// As krgrun's times are written.
std::optional<milliseconds> time(std::string_view text) {
  config::Entry entry;
  entry.kind = config::Kind::duration;
  entry.unit = "s";
  entry.max = std::chrono::nanoseconds(std::chrono::hours(24 * 365)).count();
  const auto value = config::parse(entry, text);
  if (!value) return std::nullopt;
  return std::chrono::duration_cast<milliseconds>(
      std::chrono::nanoseconds(std::get<std::int64_t>(*value)));
}

int fail(const std::string& complaint) {
  cli::refuse("krgadm", complaint);
  return cli::kFailed;
}

// "2026-11-28T17:50:12.123456Z", in UTC; "" for no time.
std::string when(std::uint64_t unix_us) {
  if (unix_us == 0) return "";
  const std::time_t seconds = static_cast<std::time_t>(unix_us / 1'000'000);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  const std::size_t size = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &utc);
  return fmt::format("{}.{:06}Z", std::string_view(text.data(), size), unix_us % 1'000'000);
}

cli::Cell unless_empty(std::string text) {
  return text.empty() ? cli::Cell() : cli::Cell(std::move(text));
}

// On one line, at once: whoever reads it may wait for it.
bool print_event(const jobs::NodeChanged& event, bool json) {
  const std::string state(cluster::name_of(event.state));
  const std::string why(cluster::name_of(event.why));
  const std::string time = when(event.unix_us);
  std::string line;
  if (json) {
    cli::Table table({"epoch", "node", "life", "host", "state", "news", "reason", "time"});
    table.add({static_cast<std::int64_t>(event.epoch.value),
               static_cast<std::int64_t>(event.node.value),
               static_cast<std::int64_t>(event.incarnation.value), event.host, state, event.news,
               unless_empty(why), unless_empty(time)});
    const std::string array = table.json();
    line = array.substr(1, array.rfind(']') - 1) + "\n";
  } else {
    line = fmt::format("{}{}epoch {}: node {} (host {}, life {}) is {}{}{}\n", time,
                       time.empty() ? "" : " ", event.epoch.value, event.node.value, event.host,
                       event.incarnation.value, event.news ? "now " : "", state,
                       why.empty() ? "" : ": " + why);
  }
  return std::fputs(line.c_str(), stdout) >= 0 && std::fflush(stdout) == 0;
}

int wait_for_nodes(const Target& target, std::uint32_t wanted, milliseconds patience) {
  std::map<NodeId, bool> online;
  bool all_told = false;
  std::string complaint;
  const Heard heard = [&](std::uint16_t type, wire::Bytes body) {
    if (type == jobs::AllTold::kFrame) all_told = true;
    if (type == jobs::NodeChanged::kFrame) {
      const auto event = wire::decode<jobs::NodeChanged>(body);
      if (event) online[event->node] = event->state == cluster::NodeState::online;
    }
    const auto count =
        std::count_if(online.begin(), online.end(), [](auto& o) { return o.second; });
    return all_told && static_cast<std::uint32_t>(count) >= wanted;
  };
  const Status done = converse(target, jobs::AskEvents::kFrame, {}, patience, heard, complaint);
  if (done) return cli::kDone;
  if (done.error() != Errc::timed_out) return fail(complaint);
  const auto count = std::count_if(online.begin(), online.end(), [](auto& o) { return o.second; });
  return fail(fmt::format("{} of {} nodes are online after {} s", count, wanted,
                          std::chrono::duration<double>(patience).count()));
}

int print_added(const jobs::NodesAdded& added, bool json) {
  cli::Table table({"node", "host", "added"});
  std::string lines;
  bool all = true;
  for (const jobs::NodesAdded::One& one : added.nodes) {
    if (one.why.empty()) {
      table.add({static_cast<std::int64_t>(one.node.value), one.host, !one.already});
      lines += fmt::format("node {} (host {}) is in the cluster{}\n", one.node.value, one.host,
                           one.already ? " already: it is online" : "");
      continue;
    }
    all = false;
    table.add({{}, one.host, false});
    cli::refuse("krgadm", fmt::format("host {} was not added: {}", one.host, one.why));
  }
  const int printed = cli::print(json ? table.json() : lines);
  return printed == cli::kDone && !all ? cli::kFailed : printed;
}

// Never returns: what it has started is to stay.
[[noreturn]] void add_nodes(const Target& target, std::span<const std::string> hosts,
                            milliseconds patience, bool json,
                            const config::Environment& environment) {
  std::string complaint;
  const jobs::AddNodes wish{{hosts.begin(), hosts.end()}};
  auto added = ask<jobs::NodesAdded>(target, wish, complaint, patience + kPatience);
  int code = cli::kFailed;
  if (added) {
    runner::start_nodes(*added, environment, patience);
    code = print_added(*added, json);
  } else {
    cli::refuse("krgadm", complaint);
  }
  std::fflush(stdout);
  _exit(code);
}

// A node by its number, or by its host if that has only one in the cluster.
std::optional<std::uint32_t> find_node(const Target& target, const std::string& name,
                                       std::string& complaint) {
  if (const auto node = number(name)) return node;
  const auto all = ask<jobs::Nodes>(target, jobs::AskNodes{}, complaint);
  if (!all) return std::nullopt;
  std::optional<std::uint32_t> found;
  for (const jobs::NodeReport& node : all->nodes) {
    const bool gone = node.state == cluster::name_of(cluster::NodeState::possible) ||
                      node.state == cluster::name_of(cluster::NodeState::failed);
    if (node.host != name || gone) continue;
    if (found) {
      complaint = fmt::format("host {} has several nodes: say which by its number", name);
      return std::nullopt;
    }
    found = node.node.value;
  }
  if (!found) complaint = fmt::format("no node is on host {}; see 'krgadm nodes'", name);
  return found;
}

int remove_node(const Target& target, const std::string& name, milliseconds patience) {
  std::string complaint;
  const auto found = find_node(target, name, complaint);
  if (!found) return fail(complaint);
  const std::uint32_t node = *found;
  const jobs::RemoveNode wish{NodeId{node}, static_cast<std::uint32_t>(patience.count())};
  const auto removed = ask<jobs::NodeRemoved>(target, wish, complaint, patience + kPatience);
  if (!removed) return fail(complaint);
  if (!removed->why.empty()) return fail(fmt::format("node {}: {}", node, removed->why));
  return cli::print(fmt::format("node {} has left the cluster\n", node));
}

}  // namespace

int show_events(const Target& target, bool json) {
  std::string complaint;
  const Heard heard = [&](std::uint16_t type, wire::Bytes body) {
    if (type != jobs::NodeChanged::kFrame) return false;
    const auto event = wire::decode<jobs::NodeChanged>(body);
    return event && !print_event(*event, json);  // Nobody reads any more.
  };
  const Status done = converse(target, jobs::AskEvents::kFrame, {}, std::nullopt, heard, complaint);
  if (done) return cli::kDone;
  if (done.error() == Errc::peer_down) return fail("the cluster, or its node here, has ended");
  return fail(complaint);
}

int nodes_command(const cli::Arguments& args, const Target& target,
                  const settings::Settings& settings, const config::Environment& environment) {
  const std::string word = args.rest.empty() ? "status" : args.rest.front();
  const std::size_t words = args.rest.size();
  milliseconds patience = kLongEnough;
  if (const auto given = args.value("--timeout")) {
    const auto parsed = time(*given);
    if (!parsed) {
      return cli::refuse("krgadm",
                         fmt::format("--timeout {}: that is no time; write 90, 90s or 5m", *given));
    }
    patience = *parsed;
  }
  if (word == "status" && words <= 1) return show_nodes(target, args.has("--json"));
  if (word == "add" && words >= 2) {
    add_nodes(target, std::span(args.rest).subspan(1),
              std::chrono::duration_cast<milliseconds>(settings.launch.timeout), args.has("--json"),
              environment);
  }
  const auto value = words == 2 ? number(args.rest[1]) : std::nullopt;
  if (word == "wait" && value) return wait_for_nodes(target, *value, patience);
  if (word == "del" && words == 2) return remove_node(target, args.rest[1], patience);
  return cli::refuse(
      "krgadm",
      "nodes: say 'status', 'wait N', 'add HOST...' or 'del NODE', with a number for "
      "N; see krgadm nodes --help");
}

}  // namespace krg::krgadm
