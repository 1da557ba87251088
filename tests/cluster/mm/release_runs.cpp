// More seeds of the simulation of release consistency than a test has time for:
//   sim_mm_runs [FIRST [LAST [BUG]]]    exit code 1 and the seed if one reads what it must not
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <string_view>

#include "krg/log/log.h"
#include "mutants.h"
#include "release_world.h"

namespace krg::mm {

Mutant planted = Mutant::none;

}  // namespace krg::mm

namespace {

bool number(std::string_view text, std::uint64_t& value) {
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), value);
  return bad == std::errc() && end == text.data() + text.size();
}

int run(std::uint64_t first, std::uint64_t last) {
  const auto begun = std::chrono::steady_clock::now();
  std::uint64_t bad = 0;
  krg::mm_sim::Report all;
  for (std::uint64_t seed = first; seed <= last && bad < 10; ++seed) {
    const auto report = krg::mm_sim::run_seed(seed);
    all.reads += report.reads;
    all.writes += report.writes;
    all.releases += report.releases;
    all.alone += report.alone;
    all.deaths += report.deaths;
    if (report.complaint.empty()) continue;
    ++bad;
    fmt::print("seed {} ({} deaths): {}\n  replay: sim_mm_runs {}\n", seed, report.deaths,
               report.complaint, seed);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  fmt::print(
      "seeds {}-{}: {} bad, {} reads, {} writes, {} releases, {} pages alone, {} deaths, "
      "{:.1f} s\n",
      first, last, bad, all.reads, all.writes, all.releases, all.alone, all.deaths, took.count());
  return bad == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first = 1, last = 2000, bug = 0;
  krg::log::set_level(krg::log::Level::off);
  if (argc > 4 || (argc > 1 && !number(argv[1], first)) || (argc > 2 && !number(argv[2], last)) ||
      (argc > 3 && !number(argv[3], bug)) ||
      bug >= static_cast<std::uint64_t>(krg::mm::Mutant::count)) {
    fmt::print(stderr, "usage: sim_mm_runs [FIRST [LAST [BUG]]]\n");
    return 2;
  }
  krg::mm::planted = static_cast<krg::mm::Mutant>(bug);
  return run(first, argc == 2 ? first : last);
}
