#include "krg/harness/program.h"

#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
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
  std::vector<Transport> transports{Transport::shm, Transport::tcp, Transport::sim};
  std::string why_only;
  std::string transport = "shm";
  CLI::Option* transport_option = nullptr;
  std::size_t smallest = 0, largest = std::size_t{1} << 30;
  CLI::Option* size_option = nullptr;
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
  state_->transport_option =
      app.add_option("--transport", state_->transport, "shm, tcp or sim (default shm)");
  app.add_option("--provider", settings.provider, "krg's fabric provider: ucx or ofi (default ucx)")
      ->check(CLI::IsMember({"ucx", "ofi"}));
  state_->size_option =
      app.add_option("--size", settings.sizes, "message sizes in bytes (default: the bench's own)")
          ->delimiter(',');
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

void Program::only_over(std::vector<Transport> transports, std::string why) {
  std::string names;
  for (const Transport transport : transports) {
    names += (names.empty() ? "" : " or ") + std::string(name(transport));
  }
  state_->why_only = why + ": only " + names;
  state_->transport_option->description(names + " (default shm): " + why);
  state_->transports = std::move(transports);
}

void Program::sizes_are(const std::string& what, std::size_t smallest, std::size_t largest) {
  state_->size_option->description(what);
  state_->smallest = smallest;
  state_->largest = largest;
}

void Program::refuse(const std::string& why) const {
  fmt::print(stderr, "{}: {}\n", state_->name, why);
  std::exit(2);
}

const Settings& Program::parse(int argc, char** argv) {
  State& state = *state_;
  Settings& settings = state.settings;
  try {
    state.app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() != 0) refuse(error.what());
    std::exit(state.app.exit(error));
  }
  settings.run = std::chrono::milliseconds(state.run_ms);
  if (state.transport != "shm" && state.transport != "tcp" && state.transport != "sim") {
    refuse("--transport " + state.transport + ": shm, tcp or sim");
  }
  const auto known = std::find_if(state.transports.begin(), state.transports.end(),
                                  [&](Transport t) { return name(t) == state.transport; });
  if (known == state.transports.end()) {
    refuse("--transport " + state.transport + ": " + state.why_only);
  }
  settings.transport = *known;
  for (const std::size_t size : settings.sizes) {
    if (size >= state.smallest && size <= state.largest) continue;
    refuse(fmt::format("--size {}: from {} to {}", size, state.smallest, state.largest));
  }
  return settings;
}

void Program::must_be_over(Transport transport, const std::string& why) {
  Transport& now = state_->settings.transport;
  if (state_->transport_option->count() > 0 && now != transport) {
    refuse(fmt::format("--transport {}: {}: only {}", name(now), why, name(transport)));
  }
  now = transport;
}

std::vector<std::size_t> Program::sizes_or(std::vector<std::size_t> otherwise) const {
  return state_->settings.sizes.empty() ? std::move(otherwise) : state_->settings.sizes;
}

std::size_t Program::largest_size(std::size_t least) const {
  for (const std::size_t size : state_->settings.sizes) least = std::max(least, size);
  return least;
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
      if (match.base == Base::alone) {
        for (std::size_t e = 0; e < row.size(); ++e) {
          report.print({match.rows[r], nullptr, &row[e], match.entrants[e].name});
        }
      } else if (row.size() == 1) {
        report.print({match.rows[r], &row[0], nullptr, ""});
      } else if (match.base == Base::highest) {
        const auto best = std::max_element(row.begin() + 1, row.end(), [](auto& a, auto& b) {
          return spread(a.values).median < spread(b.values).median;
        });
        const auto index = static_cast<std::size_t>(best - row.begin());
        report.print({match.rows[r], &row[0], &*best, match.entrants[index].name});
      } else {
        for (std::size_t e = 1; e < row.size(); ++e) {
          report.print({match.rows[r], &row[0], &row[e], match.entrants[e].name});
        }
      }
    }
  }
  return 0;
}

}  // namespace krg::harness
