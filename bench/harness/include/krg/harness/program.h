// harness/program.h: a bench: rows that compare krg with raw peers in one run.
//
// Model    parse() reads the command line; the bench then adds matches. In a match the contestants
// (krg
//          first) meet in every row: per round each runs once, in alternating order, after one run
//          of each to warm up. run() forks a client and a server per match, so that nothing of one
//          match is left in the next, and prints a table or one JSON object a line:
//            {"bench","row","transport","size","unit","krg","base","ratio","peer","provider",...}
//          krg and base are medians over the rounds, ratio is krg/base.
// Threads  owned by one thread.
// Blocks   run() until everything is measured.
// Source   bench/harness/README.md
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "krg/harness/contestant.h"
#include "krg/harness/settings.h"

namespace krg::harness {

struct Entrant {
  std::string name;  // "krg", "raw UCX AM": the JSON member "peer".
  MakeContestant make;
};

struct Row {
  std::string name;
  std::string unit;  // "us", "1/s", "MB/s": what the contestants' values are in.
  Job job;           // Its length is set by the harness.
};

// What base is in each line of a match.
enum class Base {
  each,     // One line for every entrant after krg.
  highest,  // One line a row: the entrant after krg with the highest median.
};

struct Match {
  std::vector<Entrant> entrants;  // krg's first; without others base and ratio are null.
  std::vector<Row> rows;
  Base base = Base::each;
  bool server = true;  // Whether a server process is needed.
};

class Program {
 public:
  // `base` says in one sentence what the base is; --help and the table show it.
  Program(std::string name, std::string base);
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program();

  // Options of this bench alone; `value` holds the default. Before parse().
  void add_option(const std::string& flag, std::string& value, const std::string& help);
  void add_option(const std::string& flag, unsigned& value, const std::string& help);

  // The length of one run where --run-ms does not say it. Before parse().
  void default_run(std::chrono::milliseconds length);

  // Reads the command line; after --help or a bad option it says so and ends the process.
  const Settings& parse(int argc, char** argv);
  // The sizes asked for, or `otherwise`.
  std::vector<std::size_t> sizes_or(std::vector<std::size_t> otherwise) const;

  void add(Match match);
  // Measures and prints; the exit code of the process.
  int run();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace krg::harness
