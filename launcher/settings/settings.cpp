#include "krg/settings/settings.h"

#include "krg/config/entry.h"
#include "krg/log/log.h"
#include "krg/settings/given.h"

namespace krg::settings {

const config::Table<Log>& Log::table() {
  static const config::Table<Log> table(
      "log",
      {
          {"level",
           &Log::level,
           "warn",
           "",
           "The least important lines that are logged.",
           {.choices = {"trace", "debug", "info", "warn", "error", "off"}}},
          {"file", &Log::file, "", "", "The file that lines are appended to; empty means stderr."},
      });
  return table;
}

const config::Table<Cluster>& Cluster::table() {
  static const config::Table<Cluster> table(
      "cluster",
      {
          {"name",
           &Cluster::name,
           "",
           "",
           "The cluster that krgrun and krgadm talk to when --cluster does not name one.",
           {.variable = "KRG_CLUSTER"}},
          {"prefix",
           &Cluster::prefix,
           "",
           "",
           "The folder whose bin/krgd is started; empty means the folder of krgrun itself.",
           {.variable = "KRG_PREFIX"}},
      });
  return table;
}

const config::Table<Transport>& Transport::table() {
  static const config::Table<Transport> table(
      "transport",
      {
          {"provider",
           &Transport::provider,
           "ucx",
           "",
           "The network library that carries messages between nodes.",
           {.choices = {"ucx", "ofi"}, .variable = "KRG_TRANSPORT"}},
          {"reach",
           &Transport::reach,
           "any",
           "",
           "The ways between nodes that may be used; any is right outside of benchmarks.",
           {.choices = {"any", "shm", "tcp"}}},
          {"listen", &Transport::listen, "", "",
           "The host or address on which a krgd awaits its peers; empty means every interface."},
      });
  return table;
}

const config::Table<Node>& Node::table() {
  static const config::Table<Node> table(
      "node", {
                  {"heartbeat_interval",
                   &Node::heartbeat_interval,
                   "1s",
                   "ms",
                   "How often krgrun asks the node that leads its job whether it lives.",
                   {.min = "10ms", .max = "60s"}},
                  {"heartbeat_patience",
                   &Node::heartbeat_patience,
                   "5s",
                   "ms",
                   "How long that node may be silent before krgrun takes it for lost.",
                   {.min = "50ms", .max = "600s"}},
              });
  return table;
}

const config::Table<Hotplug>& Hotplug::table() {
  static const config::Table<Hotplug> table(
      "hotplug", {
                     {"heartbeat_period",
                      &Hotplug::heartbeat_period,
                      "300ms",
                      "ms",
                      "How often a node says to those who watch it that it lives.",
                      {.min = "20ms", .max = "60s"}},
                     {"heartbeat_timeout",
                      &Hotplug::heartbeat_timeout,
                      "2s",
                      "ms",
                      "How long a node may be silent before those who watch it accuse it; at least "
                      "two periods.",
                      {.min = "50ms", .max = "600s"}},
                     {"lease",
                      &Hotplug::lease,
                      "1500ms",
                      "ms",
                      "How long a node may serve shared state without hearing from the others; a "
                      "silent one is excluded so much after its accusation.",
                      {.min = "700ms", .max = "60s"}},
                     {"voters",
                      &Hotplug::voters,
                      "5",
                      "",
                      "How many nodes at most agree on who is in the cluster.",
                      {.choices = {"1", "3", "5"}}},
                     {"failover", &Hotplug::failover, "yes", "",
                      "Whether of two nodes the coordinator goes on without the other; else either "
                      "stops."},
                 });
  return table;
}

const config::Table<Memory>& Memory::table() {
  static const config::Table<Memory> table(
      "memory",
      {{"budget",
        &Memory::budget,
        "0",
        "B",
        "What a node's copies of shared objects and pages of regions may take; 0 means 80 % of its "
        "memory, or of what its control group may use.",
        {.max = "8TiB"}},
       {"patience",
        &Memory::patience,
        "30s",
        "ms",
        "How long a task waits for a page that no node has room for, before it gets SIGBUS.",
        {.min = "1ms", .max = "3600s"}},
       {"remote",
        &Memory::remote,
        "yes",
        "",
        "Whether pages of the regions that a program makes may go to another node when theirs is "
        "full.",
        {}}});
  return table;
}

const config::Table<Region>& Region::table() {
  static const config::Table<Region> table(
      "region", {{"faults",
                  &Region::faults,
                  "all",
                  "",
                  "Whose touches of a region's missing pages wait for them: user means those of "
                  "the tasks alone, as where userfaultfd may not do more, and system calls end "
                  "with EFAULT.",
                  {.choices = {"all", "user"}}}});
  return table;
}

const config::Table<Launch>& Launch::table() {
  static const config::Table<Launch> table(
      "launch", {
                    {"timeout",
                     &Launch::timeout,
                     "30s",
                     "ms",
                     "How long the start of a cluster may take.",
                     {.min = "1s", .max = "3600s"}},
                    {"agent", &Launch::agent, "", "",
                     "The command that starts krgd on another host, as 'agent host command'; empty "
                     "means ssh."},
                    {"kill_grace",
                     &Launch::kill_grace,
                     "2s",
                     "ms",
                     "How long tasks have between SIGTERM and SIGKILL when a job is ended.",
                     {.min = "0ms", .max = "600s"}},
                });
  return table;
}

const std::vector<const config::TableBase*>& tables() {
  static const std::vector<const config::TableBase*> all = {
      &Log::table(),     &Cluster::table(), &Transport::table(), &Node::table(),
      &Hotplug::table(), &Memory::table(),  &Region::table(),    &Launch::table()};
  return all;
}

Settings read(const config::Sources& sources, Report report) {
  const config::Config config(tables(), sources, given());
  // What is wrong is logged; the values below the wrong one stand.
  if (report == Report::yes) (void)config.report();
  return {config.read(Log::table()),       config.read(Cluster::table()),
          config.read(Transport::table()), config.read(Node::table()),
          config.read(Hotplug::table()),   config.read(Memory::table()),
          config.read(Region::table()),    config.read(Launch::table())};
}

std::vector<std::string> accepted(const config::Environment& environment) {
  config::Sources sources;
  sources.environment = environment;
  const config::Config config(tables(), sources, given());
  std::vector<std::string> entries;
  for (const config::Setting& setting : config.settings()) {
    if (setting.level != config::Level::environment) continue;
    const std::string& variable = setting.entry->variable;
    entries.push_back(variable + "=" + std::string(*environment.get(variable)));
  }
  return entries;
}

std::vector<std::string> agreed(const Hotplug& hotplug) {
  const auto time = [](const char* name, Duration value) {
    const auto us = std::chrono::duration_cast<std::chrono::microseconds>(value).count();
    return std::string("KRG_HOTPLUG_") + name + "=" + std::to_string(us) + "us";
  };
  const char* const voters = hotplug.voters == Hotplug::Voters::one     ? "1"
                             : hotplug.voters == Hotplug::Voters::three ? "3"
                                                                        : "5";
  return {time("HEARTBEAT_PERIOD", hotplug.heartbeat_period),
          time("HEARTBEAT_TIMEOUT", hotplug.heartbeat_timeout), time("LEASE", hotplug.lease),
          std::string("KRG_HOTPLUG_VOTERS=") + voters,
          std::string("KRG_HOTPLUG_FAILOVER=") + (hotplug.failover ? "yes" : "no")};
}

std::optional<config::Size> parse_budget(std::string_view text) {
  config::Entry entry;
  entry.kind = config::Kind::size;
  entry.unit = "B";
  entry.min = std::int64_t{1} << 20;
  entry.max = std::int64_t{8} << 40;
  const auto value = config::parse(entry, text);
  if (!value) return std::nullopt;
  return config::Size{static_cast<std::uint64_t>(std::get<std::int64_t>(*value))};
}

std::string agreed(const config::Size& budget) {
  return "KRG_MEMORY_BUDGET=" + std::to_string(budget.bytes) + "B";
}

Status apply(const Log& log) {
  log::set_level(static_cast<log::Level>(log.level));
  return log.file.name.empty() ? Status() : log::open(log.file.name);
}

}  // namespace krg::settings
