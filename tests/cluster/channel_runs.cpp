// More seeds of the channels' simulation than a test has time for:
//   sim_channel_runs [FIRST [LAST]]    exit code 1 and the seed if one breaks a rule
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <string_view>

#include "channel_chaos.h"
#include "krg/log/log.h"

namespace {

bool number(std::string_view text, std::uint64_t& value) {
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), value);
  return bad == std::errc() && end == text.data() + text.size();
}

int run(std::uint64_t first, std::uint64_t last) {
  const auto begun = std::chrono::steady_clock::now();
  std::uint64_t bad = 0, views = 0, trace = 0, sent = 0, resent = 0, early = 0, later = 0;
  for (std::uint64_t seed = first; seed <= last && bad < 10; ++seed) {
    const auto result = krg::cluster_test::run_channel_chaos(seed);
    views += result.views;
    trace = trace * 31 + result.trace;
    sent += result.stats.sent;
    resent += result.stats.resent;
    early += result.stats.early;
    later += result.stats.later;
    if (result.complaint.empty()) continue;
    ++bad;
    fmt::print("seed {}: {}\n  replay: sim_channel_runs {}\n", seed, result.complaint, seed);
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  fmt::print(
      "seeds {}-{}: {} bad, {} views, {} messages, {} sent again, {} early, {} of later "
      "views, trace {:016x}, {:.1f} s\n",
      first, last, bad, views, sent, resent, early, later, trace, took.count());
  return bad == 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t first = 1, last = 500;
  krg::log::set_level(krg::log::Level::off);
  if (argc > 3 || (argc > 1 && !number(argv[1], first)) || (argc > 2 && !number(argv[2], last))) {
    fmt::print(stderr, "usage: sim_channel_runs [FIRST [LAST]]\n");
    return 2;
  }
  return run(first, argc == 2 ? first : last);
}
