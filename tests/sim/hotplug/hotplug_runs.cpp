// sim_hotplug_runs [--seeds FIRST-LAST]: many runs of random misfortune; exit code 1
// and the seed if one breaks a rule.
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <string_view>
#include <utility>

#include "hotplug_chaos.h"
#include "krg/log/log.h"

namespace {

bool number(std::string_view text, std::uint64_t& value) {
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), value);
  return bad == std::errc() && end == text.data() + text.size();
}

bool range(std::string_view text, std::uint64_t& first, std::uint64_t& last) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return number(text, first) && number(text, last);
  return number(text.substr(0, dash), first) && number(text.substr(dash + 1), last);
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first = 1, last = 500;
  for (int i = 1; i < argc; ++i) {
    if (std::string_view(argv[i]) == "--seeds" && i + 1 < argc && range(argv[i + 1], first, last)) {
      ++i;
      continue;
    }
    fmt::print(stderr, "usage: sim_hotplug_runs [--seeds FIRST-LAST]\n");
    return 2;
  }
  krg::log::set_level(krg::log::Level::error);
  const auto begun = std::chrono::steady_clock::now();
  std::uint64_t bad = 0, views = 0, trace = 0;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    const krg::testing::ChaosResult result = krg::testing::run_chaos(seed);
    views += result.views;
    trace = trace * 31 + result.trace;
    if (result.good) continue;
    ++bad;
    fmt::print("seed {}: {}\n  replay: sim_hotplug_runs --seeds {}\n", seed, result.text, seed);
    if (bad >= 10) break;
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  fmt::print("seeds {}-{}: {} bad, {} views, trace {:016x}, {:.1f} s\n", first, last, bad, views,
             trace, took.count());
  return bad == 0 ? 0 : 1;
}
