#include "krg/harness/program.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <map>
#include <utility>

#include "report.h"
#include "table.h"

namespace krg::harness {

struct Program::State {
  State(std::string n, std::string b) : name(std::move(n)), base(std::move(b)) {}

  std::string name;
  std::string base;
  CLI::App app;
  Settings settings;
  unsigned run_ms = 100;
  std::string row;
  std::vector<Match> matches;
};

Program::Program(std::string name, std::string base)
    : state_(std::make_unique<State>(std::move(name), std::move(base))) {
  CLI::App& app = state_->app;
  Settings& settings = state_->settings;
  app.name(state_->name);
  app.description("Measures krg beside a raw peer, in interleaved rounds of one run.\nbase: " +
                  state_->base);
  const std::map<std::string, Transport> transports{
      {"shm", Transport::shm}, {"tcp", Transport::tcp}, {"sim", Transport::sim}};
  app.add_option("--transport", settings.transport, "shm, tcp or sim (default shm)")
      ->transform(CLI::CheckedTransformer(transports));
  app.add_option("--provider", settings.provider, "krg's fabric provider: ucx or ofi (default ucx)")
      ->check(CLI::IsMember({"ucx", "ofi"}));
  app.add_option("--size", settings.sizes, "message sizes in bytes (default: the bench's own)")
      ->delimiter(',')
      ->check(CLI::Range(std::size_t{0}, std::size_t{1} << 30));
  app.add_option("--rounds", settings.rounds, "interleaved rounds (default 5)")
      ->check(CLI::Range(1u, 1000u));
  app.add_option("--run-ms", state_->run_ms,
                 "length of one run of one side in ms (default 100, or as the bench needs)")
      ->check(CLI::Range(1u, 60000u));
  app.add_option("--row", state_->row, "only the rows whose name contains this");
  app.add_flag("--json", settings.json, "one JSON object a line instead of a table");
  app.add_flag("!--no-pin", settings.pin, "leave the placement of the two sides to the kernel");
}

Program::~Program() = default;

void Program::add_option(const std::string& flag, std::string& value, const std::string& help) {
  state_->app.add_option(flag, value, help);
}

void Program::add_option(const std::string& flag, unsigned& value, const std::string& help) {
  state_->app.add_option(flag, value, help);
}

void Program::default_run(std::chrono::milliseconds length) {
  state_->run_ms = static_cast<unsigned>(length.count());
}

const Settings& Program::parse(int argc, char** argv) {
  try {
    state_->app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = state_->app.exit(error);
    std::exit(code == 0 ? 0 : 2);
  }
  state_->settings.run = std::chrono::milliseconds(state_->run_ms);
  return state_->settings;
}

std::vector<std::size_t> Program::sizes_or(std::vector<std::size_t> otherwise) const {
  return state_->settings.sizes.empty() ? std::move(otherwise) : state_->settings.sizes;
}

void Program::add(Match match) {
  std::erase_if(match.rows,
                [&](const Row& row) { return row.name.find(state_->row) == std::string::npos; });
  if (!match.rows.empty()) state_->matches.push_back(std::move(match));
}

int Program::run() {
  Report report(state_->name, state_->base, state_->settings);
  for (const Match& match : state_->matches) {
    const auto series = play(match, state_->settings);
    if (!series) {
      fmt::print(stderr, "{}: {}\n", state_->name, series.error().message());
      return 1;
    }
    for (std::size_t r = 0; r < match.rows.size(); ++r) {
      const std::vector<Series>& row = (*series)[r];
      if (row.size() == 1) {
        report.print({match.rows[r], row[0], nullptr, ""});
      } else if (match.base == Base::highest) {
        const auto best = std::max_element(row.begin() + 1, row.end(), [](auto& a, auto& b) {
          return spread(a.values).median < spread(b.values).median;
        });
        const auto index = static_cast<std::size_t>(best - row.begin());
        report.print({match.rows[r], row[0], &*best, match.entrants[index].name});
      } else {
        for (std::size_t e = 1; e < row.size(); ++e) {
          report.print({match.rows[r], row[0], &row[e], match.entrants[e].name});
        }
      }
    }
  }
  return 0;
}

}  // namespace krg::harness
