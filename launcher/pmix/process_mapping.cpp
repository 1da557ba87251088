#include "krg/pmix/process_mapping.h"

#include <vector>

namespace krg::pmix {
namespace {

struct Run {
  std::uint32_t host, ranks;
  bool operator==(const Run&) const = default;
};

std::vector<Run> runs_of(std::span<const std::uint32_t> hosts) {
  std::vector<Run> runs;
  for (const std::uint32_t host : hosts) {
    if (!runs.empty() && runs.back().host == host) {
      ++runs.back().ranks;
    } else {
      runs.push_back({host, 1});
    }
  }
  return runs;
}

// The shortest prefix that gives all runs when it is repeated; only the last run of all may be cut
// short. Knuth, Morris and Pratt's failure function, over every run but the last.
std::size_t period_of(const std::vector<Run>& runs) {
  if (runs.size() < 2) return runs.size();
  const std::size_t whole = runs.size() - 1;
  std::vector<std::size_t> border(whole + 1, 0);
  for (std::size_t i = 1, k = 0; i < whole; ++i) {
    while (k > 0 && runs[i] != runs[k]) k = border[k];
    if (runs[i] == runs[k]) ++k;
    border[i + 1] = k;
  }
  // Borders of the whole, longest first, give the periods, shortest first.
  for (std::size_t k = border[whole];; k = border[k]) {
    const std::size_t period = whole - k;
    const Run& like = runs[whole % period];
    if (like.host == runs[whole].host && runs[whole].ranks <= like.ranks) return period;
    if (k == 0) return runs.size();
  }
}

}  // namespace

std::string process_mapping(std::span<const std::uint32_t> hosts, std::size_t length_max) {
  std::vector<Run> runs = runs_of(hosts);
  runs.resize(period_of(runs));
  std::string text = "(vector";
  for (std::size_t i = 0; i < runs.size();) {
    std::size_t n = 1;
    while (i + n < runs.size() && runs[i + n].host == runs[i].host + n &&
           runs[i + n].ranks == runs[i].ranks) {
      ++n;
    }
    text += ",(" + std::to_string(runs[i].host) + "," + std::to_string(n) + "," +
            std::to_string(runs[i].ranks) + ")";
    if (text.size() >= length_max) return {};
    i += n;
  }
  text += ")";
  return text.size() <= length_max ? text : std::string();
}

}  // namespace krg::pmix
