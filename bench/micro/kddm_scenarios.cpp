#include "kddm_scenarios.h"

#include <algorithm>
#include <array>
#include <utility>

namespace krg::bench {
namespace {

using harness::Job;
using harness::Kind;
using harness::Row;

// The first one is what streams of single gets do, too.
constexpr std::array kScenarios{
    KddmScenario{"remote_get", "2hop", KddmOp::get, 2, 1, 1, 1, false, true},
    KddmScenario{"remote_get", "3hop", KddmOp::get, 3, 1, 2, 1, false, true},
    KddmScenario{"remote_grab", "3hop", KddmOp::grab, 3, 1, 2, 1, false, true},
    KddmScenario{"get", "first_touch", KddmOp::get, 2, 1, kNobody, 0},
    KddmScenario{"grab", "first_touch", KddmOp::grab, 2, 1, kNobody, 0},
    KddmScenario{"grab", "first_touch_at_home", KddmOp::grab, 2, 0, kNobody, 0},
    KddmScenario{"grab", "1reader", KddmOp::grab, 2, 1, 1, 1, false, true},
    KddmScenario{"grab", "2readers", KddmOp::grab, 3, 1, 1, 2, false, true},
    KddmScenario{"grab", "3readers", KddmOp::grab, 4, 1, 1, 3, false, true},
    KddmScenario{"upgrade", "1reader", KddmOp::grab, 2, 1, 1, 1, true},
    KddmScenario{"upgrade", "2readers", KddmOp::grab, 3, 1, 1, 2, true},
    KddmScenario{"upgrade", "3readers", KddmOp::grab, 4, 1, 1, 3, true},
    KddmScenario{"remove", "1copy", KddmOp::remove, 2, 1, 1, 1},
    KddmScenario{"remove", "3copies", KddmOp::remove, 4, 1, 1, 3},
    KddmScenario{"range_get", "64mib", KddmOp::range_get, 2, 1, 1, 1, false, true},
    KddmScenario{"hit_get", "put", KddmOp::hit_get, 2, 1, 1, 1, true},
    KddmScenario{"hit_grab", "put", KddmOp::hit_grab, 2, 0, 0, 0},
};
// A reply without an object's bytes.
constexpr std::size_t kNoData = 8;
// What bandwidth is compared with: messages of this size, 64 MiB of them.
constexpr std::size_t kBulk = std::size_t{1} << 20;
constexpr std::uint32_t kBulkPlaces = 64;
// Of the peers of a range.
constexpr std::uint32_t kRangeWindow = 8;

bool is_hit(const KddmScenario& scenario) noexcept { return scenario.op >= KddmOp::hit_get; }

bool is_range(const KddmScenario& scenario) noexcept { return scenario.op == KddmOp::range_get; }

Row row_of(std::size_t index, std::size_t size) {
  const KddmScenario& scenario = kScenarios[index];
  Row row;
  row.name = std::string(scenario.before) + "_" + std::to_string(size) + "_" + scenario.after;
  row.unit = is_hit(scenario) ? "ns" : "us";
  row.job = {.kind = Kind::latency,
             .size = size,
             .reply = scenario.carries ? std::max(size, kNoData) : kNoData,
             .places = kObjects,
             .detail = index};
  return row;
}

}  // namespace

std::span<const KddmScenario> kddm_scenarios() noexcept { return kScenarios; }

std::vector<Row> kddm_latency_rows(const std::vector<std::size_t>& sizes, unsigned nodes) {
  std::vector<Row> rows;
  for (const std::size_t size : sizes) {
    for (std::size_t i = 0; i < kScenarios.size(); ++i) {
      if (is_hit(kScenarios[i]) || is_range(kScenarios[i])) continue;
      if (kScenarios[i].nodes <= nodes) rows.push_back(row_of(i, size));
    }
  }
  return rows;
}

std::vector<Row> kddm_hit_rows(const std::vector<std::size_t>& sizes) {
  std::vector<Row> rows;
  for (const std::size_t size : sizes) {
    for (std::size_t i = 0; i < kScenarios.size(); ++i) {
      if (is_hit(kScenarios[i])) rows.push_back(row_of(i, size));
    }
  }
  return rows;
}

Row kddm_stream_row(std::string name, Kind kind, std::size_t size, std::uint32_t window) {
  Job job{.kind = kind, .window = window, .size = size, .reply = size, .places = kStreamObjects};
  if (kind == Kind::bandwidth) {
    job.reply = kBulk;
    job.places = kBulkPlaces;
  }
  if (window == 0) {
    const auto range = std::find_if(kScenarios.begin(), kScenarios.end(), is_range);
    job.detail = static_cast<std::size_t>(range - kScenarios.begin());
    job.window = kRangeWindow;
  }
  return {std::move(name), kind == Kind::rate ? "1/s" : "MB/s", job};
}

}  // namespace krg::bench
