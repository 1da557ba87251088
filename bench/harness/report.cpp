#include "report.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cstdio>
#include <nlohmann/json.hpp>
#include <utility>

namespace krg::harness {
namespace {

// Three significant digits at least, no more than two behind the point.
std::string number(double value) {
  if (value >= 1000) return fmt::format("{:.0f}", value);
  return value >= 100 ? fmt::format("{:.1f}", value) : fmt::format("{:.2f}", value);
}

// What the table shows of one side.
struct Cells {
  explicit Cells(const Series* series) {
    if (series == nullptr) return;
    const Spread values = spread(series->values);
    median = number(values.median);
    min = number(values.min);
    if (const double tail = spread(series->p99).median; tail > 0) p99 = number(tail);
  }

  std::string median = "-", min = "-", p99 = "-";
};

}  // namespace

const char* name(Transport transport) noexcept {
  switch (transport) {
    case Transport::shm:
      return "shm";
    case Transport::tcp:
      return "tcp";
    case Transport::sim:
      return "sim";
  }
  return "?";
}

Report::Report(std::string bench, std::string base, const Settings& settings)
    : bench_(std::move(bench)), base_(std::move(base)), settings_(settings) {}

std::string Report::provider() const {
  return settings_.transport == Transport::sim ? "sim" : settings_.provider;
}

void Report::print(const Line& line) {
  if (settings_.json) {
    print_json(line);
  } else {
    print_text(line);
  }
  std::fflush(stdout);
}

void Report::print_json(const Line& line) const {
  nlohmann::ordered_json out;
  out["bench"] = bench_;
  out["row"] = line.row.name;
  out["transport"] = name(settings_.transport);
  out["size"] = line.row.job.size;
  out["unit"] = line.row.unit;
  out["krg"] = nullptr;
  out["base"] = nullptr;
  out["ratio"] = nullptr;
  out["peer"] = line.peer;
  out["provider"] = provider();
  out["rounds"] = settings_.rounds;
  if (line.krg != nullptr) {
    const Spread krg = spread(line.krg->values);
    out["krg"] = krg.median;
    out["krg_min"] = krg.min;
    out["krg_max"] = krg.max;
    out["krg_p99"] = spread(line.krg->p99).median;
  }
  if (line.base != nullptr) {
    const Spread base = spread(line.base->values);
    out["base"] = base.median;
    if (line.krg != nullptr) {
      out["ratio"] = spread(line.krg->values).median / base.median;
      out["ratio_paired"] = paired_ratio(line.krg->values, line.base->values);
    }
    out["base_min"] = base.min;
    out["base_max"] = base.max;
    out["base_p99"] = spread(line.base->p99).median;
  }
  fmt::print("{}\n", out.dump());
}

void Report::print_head() {
  fmt::print(
      "# {}: transport {}, krg over {}, {} cpus, medians of {} interleaved rounds of {} ms\n",
      bench_, name(settings_.transport), provider(), sysconf(_SC_NPROCESSORS_ONLN),
      settings_.rounds, settings_.run.count());
  fmt::print("# base: {}\n", base_);
  fmt::print("# ratio: krg/base of the medians; paired: median of each round's own ratio\n");
  fmt::print("# {:<22} {:>9} {:>5} {:>10} {:>10} {:>10} {:>10} {:>7} {:>7} {:>9} {:>9}  {}\n",
             "row", "size", "unit", "krg", "krg min", "base", "base min", "ratio", "paired",
             "krg p99", "base p99", "peer");
}

void Report::print_text(const Line& line) {
  if (!std::exchange(headed_, true)) print_head();
  const Cells krg(line.krg), base(line.base);
  std::string ratio = "-", paired = "-";
  if (line.krg != nullptr && line.base != nullptr) {
    const auto &a = line.krg->values, &b = line.base->values;
    ratio = fmt::format("{:.3f}", spread(a).median / spread(b).median);
    paired = fmt::format("{:.3f}", paired_ratio(a, b));
  }
  fmt::print("  {:<22} {:>9} {:>5} {:>10} {:>10} {:>10} {:>10} {:>7} {:>7} {:>9} {:>9}  {}\n",
             line.row.name, line.row.job.size, line.row.unit, krg.median, krg.min, base.median,
             base.min, ratio, paired, krg.p99, base.p99, line.peer);
}

}  // namespace krg::harness
