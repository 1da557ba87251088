#include "app.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "job.h"
#include "krg_team.h"
#include "native_team.h"

namespace krg::bench {
namespace {

struct Settings {
  Plan plan;
  unsigned tasks = 4;
  std::vector<unsigned> nodes = {1, 4};
  unsigned rounds = 3;
  unsigned patience_s = 240;
  bool json = false;
  bool no_hints = false;
  std::string consistency = "sequential";
  unsigned as_task = 0;  // Not 0: a task of a job on so many nodes.
};

// One run, as a job's first task prints it.
struct Report {
  double seconds = 0;
  unsigned iterations = 0;
  Traffic traffic, minimum;
  bool right = false;
};

Report report_of(const Team& team, const Outcome& outcome) {
  return {team.seconds(), outcome.iterations, team.traffic(), outcome.minimum, outcome.right};
}

Report run_native(const App& app, const Settings& settings) {
  Report report;
  run_natively(settings.tasks, [&](Team& team) {
    const Outcome outcome = app.work(team, settings.plan);
    if (team.rank() == 0) report = report_of(team, outcome);
  });
  return report;
}

constexpr const char* kLine =
    "app seconds {:.9f} iterations {} sent {} {} minimum {} {} right {}\n";

int run_task(const App& app, const Settings& settings) {
  KrgTeam team(
      app.name, settings.as_task,
      {.hints = settings.plan.hints,
       .consistency = settings.plan.release ? Consistency::release : Consistency::sequential});
  const Outcome outcome = app.work(team, settings.plan);
  team.barrier();  // Nobody's pages go before member 0 has checked them.
  if (team.rank() != 0) return 0;
  const Report report = report_of(team, outcome);
  fmt::print(kLine, report.seconds, report.iterations, report.traffic.messages,
             report.traffic.bytes, report.minimum.messages, report.minimum.bytes,
             report.right ? 1 : 0);
  return 0;
}

Result<Report> read_report(const std::string& text) {
  Report report;
  std::array<unsigned long long, 4> n{};
  int right = 0;
  if (std::sscanf(text.c_str(),
                  "app seconds %lf iterations %u sent %llu %llu minimum %llu %llu right %d",
                  &report.seconds, &report.iterations, &n[0], &n[1], &n[2], &n[3], &right) != 7) {
    fmt::print(stderr, "not a report: {}\n", text);
    return Error(Errc::corrupt, "a job's report");
  }
  report.traffic = {n[0], n[1]};
  report.minimum = {n[2], n[3]};
  report.right = right == 1;
  return report;
}

std::string own_path() {
  std::array<char, 4096> self{};
  const ssize_t n = readlink("/proc/self/exe", self.data(), self.size() - 1);
  return {self.data(), n > 0 ? static_cast<std::size_t>(n) : 0};
}

Result<Report> run_cluster(const Settings& settings, unsigned nodes) {
  const std::string self = own_path();
  Command command = {self.substr(0, self.rfind('/')) + "/../../bin/krgrun",
                     "--nodes",
                     std::to_string(nodes),
                     "--ppn",
                     std::to_string(settings.tasks / nodes),
                     "-n",
                     std::to_string(settings.tasks),
                     "--oversubscribe",
                     self,
                     "--as-task",
                     std::to_string(nodes),
                     "--size",
                     std::to_string(settings.plan.size)};
  if (settings.plan.iterations > 0) {
    command.insert(command.end(), {"--iterations", std::to_string(settings.plan.iterations)});
  }
  if (!settings.plan.hints) command.push_back("--no-hints");
  if (settings.plan.release) command.insert(command.end(), {"--consistency", "release"});
  if (settings.plan.spoil) command.push_back("--spoil");
  KRG_TRY_ASSIGN(const std::string text,
                 run_job(command, std::chrono::seconds(settings.patience_s)));
  return read_report(text);
}

// All rounds of one way to run the program.
struct Row {
  std::string name;
  unsigned nodes = 0;  // 0: natively.
  std::vector<Report> reports;

  // The run of the median time: its traffic belongs to it.
  const Report& median() {
    const auto middle = reports.begin() + static_cast<std::ptrdiff_t>(reports.size() / 2);
    std::nth_element(reports.begin(), middle, reports.end(),
                     [](const Report& a, const Report& b) { return a.seconds < b.seconds; });
    return *middle;
  }
};

double each(std::uint64_t count, unsigned iterations) {
  return static_cast<double>(count) / std::max(1U, iterations);
}

// null: there is no least.
nlohmann::json ratio(std::uint64_t count, std::uint64_t minimum) {
  if (minimum == 0) return nullptr;
  return static_cast<double>(count) / static_cast<double>(minimum);
}

void print_json(const App& app, const Settings& settings, Row& row, double native) {
  const Report& report = row.median();
  nlohmann::ordered_json line;
  line["bench"] = "krg_app_" + app.name;
  line["row"] = row.name;
  line["nodes"] = std::max(1U, row.nodes);
  line["tasks"] = settings.tasks;
  line["size"] = settings.plan.size;
  line["rounds"] = row.reports.size();
  line["iterations"] = report.iterations;
  line["consistency"] = settings.consistency;
  line["unit"] = "ms";
  line["ms"] = report.seconds * 1e3;
  line["ms_per_iteration"] = report.seconds * 1e3 / std::max(1U, report.iterations);
  line["times_native"] = report.seconds / native;
  line["messages"] = each(report.traffic.messages, report.iterations);
  line["minimum_messages"] = each(report.minimum.messages, report.iterations);
  line["messages_ratio"] = ratio(report.traffic.messages, report.minimum.messages);
  line["bytes"] = each(report.traffic.bytes, report.iterations);
  line["minimum_bytes"] = each(report.minimum.bytes, report.iterations);
  line["bytes_ratio"] = ratio(report.traffic.bytes, report.minimum.bytes);
  fmt::print("{}\n", line.dump());
}

std::string shown(const nlohmann::json& ratio) {
  return ratio.is_null() ? "-" : fmt::format("{:.2f}", ratio.get<double>());
}

void print_text(Row& row, double native) {
  const Report& report = row.median();
  fmt::print("{:<16}{:>10.3f}{:>8.2f}{:>11.1f}{:>9.1f}{:>8}{:>13.0f}{:>12.0f}{:>8}\n", row.name,
             report.seconds * 1e3 / std::max(1U, report.iterations), report.seconds / native,
             each(report.traffic.messages, report.iterations),
             each(report.minimum.messages, report.iterations),
             shown(ratio(report.traffic.messages, report.minimum.messages)),
             each(report.traffic.bytes, report.iterations),
             each(report.minimum.bytes, report.iterations),
             shown(ratio(report.traffic.bytes, report.minimum.bytes)));
}

// False: it has failed, or the result was wrong; said.
bool run_once(const App& app, const Settings& settings, Row& row) {
  if (row.nodes == 0) {
    row.reports.push_back(run_native(app, settings));
  } else {
    const auto report = run_cluster(settings, row.nodes);
    if (!report) {
      fmt::print(stderr, "krg_app_{}: {}: {}\n", app.name, row.name, report.error().message());
      return false;
    }
    row.reports.push_back(*report);
  }
  if (row.reports.back().right) return true;
  fmt::print(stderr, "krg_app_{}: {}: the result is wrong\n", app.name, row.name);
  return false;
}

int measure(const App& app, const Settings& settings) {
  std::vector<Row> rows = {{"native", 0, {}}};
  for (const unsigned nodes : settings.nodes) {
    rows.push_back({fmt::format("krg, {} node{}", nodes, nodes == 1 ? "" : "s"), nodes, {}});
  }
  bool right = true;
  for (unsigned round = 0; round < settings.rounds && right; ++round) {
    for (Row& row : rows) right = run_once(app, settings, row) && right;
  }
  if (!right) return 1;
  const double native = rows.front().median().seconds;
  if (!settings.json) {
    fmt::print(
        "krg_app_{}: --size {}, {} tasks, {} consistency, median of {}; of an "
        "iteration\n{:<16}{:>10}{:>8}"
        "{:>11}{:>9}{:>8}{:>13}{:>12}{:>8}\n",
        app.name, settings.plan.size, settings.tasks, settings.consistency, settings.rounds, "",
        "ms", "native", "messages", "least", "ratio", "bytes", "least", "ratio");
  }
  for (Row& row : rows) {
    if (settings.json) {
      print_json(app, settings, row, native);
    } else {
      print_text(row, native);
    }
  }
  return 0;
}

void add_options(CLI::App& line, const App& app, Settings& settings) {
  line.add_option("--size", settings.plan.size,
                  fmt::format("{} (default {})", app.size_is, app.size))
      ->check(CLI::Range(app.smallest, app.largest));
  if (!app.iterations_is.empty()) {
    line.add_option("--iterations", settings.plan.iterations,
                    fmt::format("{} (default {})", app.iterations_is, app.iterations))
        ->check(CLI::Range(1, 100'000));
  }
  line.add_option("--tasks", settings.tasks, "threads, and tasks of krgrun (default 4)")
      ->check(CLI::Range(1, 256));
  line.add_option("--nodes", settings.nodes, "nodes of the jobs, inside this machine (default 1,4)")
      ->delimiter(',')
      ->check(CLI::Range(1, 64));
  line.add_option("--rounds", settings.rounds, "runs of each, in turn (default 3)")
      ->check(CLI::Range(1, 1000));
  line.add_option("--patience", settings.patience_s, "seconds that a job may take (default 240)")
      ->check(CLI::Range(1, 86'400));
  line.add_option("--consistency", settings.consistency,
                  "of the shared arrays: sequential (default) or release")
      ->check(CLI::IsMember({"sequential", "release"}));
  line.add_flag("--no-hints", settings.no_hints, "nothing is said ahead of what will be used");
  line.add_flag("--spoil", settings.plan.spoil, "changes a result, which the check has to see");
  line.add_flag("--json", settings.json, "one JSON object a line instead of a table");
  line.add_option("--as-task", settings.as_task, "to be a task of a job on so many nodes")
      ->check(CLI::Range(1, 64));
}

// "": nothing is wrong with them.
std::string complaint_about(const App& app, const Settings& settings) {
  if (settings.plan.size % app.granule != 0) {
    return fmt::format("--size: a multiple of {}", app.granule);
  }
  if (settings.plan.size / app.granule < settings.tasks) return "--size: too little for --tasks";
  for (const unsigned nodes : settings.nodes) {
    if (settings.tasks % nodes != 0) return "--tasks: a multiple of each of --nodes";
  }
  return "";
}

}  // namespace

int run_app(const App& app, int argc, char** argv) {
  const std::string name = "krg_app_" + app.name;
  Settings settings;
  settings.plan.size = app.size;
  settings.plan.iterations = app.iterations;
  CLI::App line(app.about +
                    "\nThe base is the same source with threads of one process; the least is what "
                    "a program that sends messages\nwould send for the same decomposition. The "
                    "result is compared with that of one thread.",
                name);
  add_options(line, app, settings);
  try {
    line.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return line.exit(error);
    fmt::print(stderr, "{}: {}\n", name, error.what());
    return 2;
  }
  settings.plan.hints = !settings.no_hints;
  settings.plan.release = settings.consistency == "release";
  if (const std::string wrong = complaint_about(app, settings); !wrong.empty()) {
    fmt::print(stderr, "{}: {}\n", name, wrong);
    return 2;
  }
  return settings.as_task > 0 ? run_task(app, settings) : measure(app, settings);
}

}  // namespace krg::bench
