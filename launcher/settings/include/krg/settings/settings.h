// settings/settings.h: every KRG_* variable of the commands, and the values this process was given.
//
// Model    one table per module, gathered in tables(); `krgadm config` and krg-environment(7) print
//          them. Read once at start.
// Threads  immutable.
// Blocks   read() as reading two small files does.
// Source   krg-environment(7)
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "krg/config/config.h"
#include "krg/error/result.h"

namespace krg::settings {

struct Log {
  enum class Level { trace, debug, info, warn, error, off };
  Level level = Level::warn;
  config::Path file;
  static const config::Table<Log>& table();
};

struct Cluster {
  std::string name;
  config::Path prefix;
  static const config::Table<Cluster>& table();
};

struct Transport {
  enum class Provider { ucx, ofi };
  enum class Reach { any, shm, tcp };
  Provider provider = Provider::ucx;
  Reach reach = Reach::any;
  std::string listen;
  static const config::Table<Transport>& table();
};

struct Node {
  Duration heartbeat_interval{};
  Duration heartbeat_patience{};
  static const config::Table<Node>& table();
};

// What the nodes of a cluster must have alike: whoever starts it says so to all.
struct Hotplug {
  enum class Voters { one, three, five };
  Duration heartbeat_period{};
  Duration heartbeat_timeout{};
  Duration lease{};
  Voters voters = Voters::five;
  bool failover = true;
  static const config::Table<Hotplug>& table();
};

// What a node has of what the cluster shares: objects, and pages of regions.
struct Memory {
  config::Size budget;
  Duration patience{};
  bool remote = true;
  static const config::Table<Memory>& table();
};

// Tasks read it.
struct Region {
  enum class Faults : std::uint8_t { all, user };
  Faults faults{};
  static const config::Table<Region>& table();
};

struct Launch {
  Duration timeout{};
  std::string agent;
  Duration kill_grace{};
  static const config::Table<Launch>& table();
};

struct Settings {
  Log log;
  Cluster cluster;
  Transport transport;
  Node node;
  Hotplug hotplug;
  Memory memory;
  Region region;
  Launch launch;
};

// All tables, in the order in which they are shown.
const std::vector<const config::TableBase*>& tables();
// Whether what is wrong is logged: no by who is told by somebody who has logged it.
enum class Report { yes, no };
// The values from files and environment. A bad one is logged, and its default stands.
Settings read(const config::Sources& sources, Report report = Report::yes);
// NAME=value of every variable of `environment` that a table knows and whose value it takes: what a
// krgd elsewhere is to be told.
std::vector<std::string> accepted(const config::Environment& environment);
// NAME=value of what all nodes must have alike; stronger than what they find themselves.
std::vector<std::string> agreed(const Hotplug& hotplug);
// A budget as a command line says it; none: it is no size from 1 MiB to 8 TiB.
std::optional<config::Size> parse_budget(std::string_view text);
// The same of a budget that whoever starts the cluster has given to all its nodes.
std::string agreed(const config::Size& budget);
// Points krg::log where these say.
Status apply(const Log& log);

}  // namespace krg::settings
