// harness/program.h: a bench: rows that compare krg with raw peers in one run.
//
// Model    parse() reads the command line; the bench then adds matches. In a match the contestants
// (krg
//          first) meet in every row: per round each runs once, in alternating order, after one run
//          of each to warm up. run() forks a client and a server per match, so that nothing of one
//          match is left in the next, and prints a table or one JSON object a line:
//            {"bench","row","transport","size","unit","krg","base","ratio","peer","provider",...}
//          krg and base are medians over the rounds, ratio is krg/base. What a bench can not do is
//          refused by parse() with one line and exit code 2.
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
  alone,    // krg does not play: one line for every entrant, and krg and ratio are null.
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

  // The only transports that mean something here, and why. Before parse().
  void only_over(std::vector<Transport> transports, std::string why);
  // What --size counts, for --help, and what the bench can do. Before parse().
  void sizes_are(const std::string& what, std::size_t smallest, std::size_t largest);

  // Reads the command line; after --help or a bad option it says so and ends the process.
  const Settings& parse(int argc, char** argv);
  // What was asked for works over `transport` alone: takes it, or refuses what the command line
  // says instead. After parse().
  void must_be_over(Transport transport, const std::string& why);
  // Ends the process with one line and exit code 2.
  [[noreturn]] void refuse(const std::string& why) const;
  // The sizes asked for, or `otherwise`.
  std::vector<std::size_t> sizes_or(std::vector<std::size_t> otherwise) const;
  // The largest of the sizes asked for, at least `least`.
  std::size_t largest_size(std::size_t least) const;

  void add(Match match);
  // Measures and prints; the exit code of the process.
  int run();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace krg::harness
