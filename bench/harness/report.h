// harness/report.h: one finished line, and the two ways to print it.
//
// Model    values; printing goes to stdout.
// Threads  owned by one thread.
// Blocks   as stdout does.
// Source   bench/harness/README.md
#pragma once

#include <string>
#include <vector>

#include "krg/harness/program.h"
#include "krg/harness/settings.h"
#include "krg/harness/statistics.h"

namespace krg::harness {

// The samples of one entrant in one row, one a round.
struct Series {
  std::vector<double> values;
  std::vector<double> p99;
};

struct Line {
  const Row& row;
  const Series* krg = nullptr;   // None: the peers stand alone.
  const Series* base = nullptr;  // None: krg stands alone.
  std::string peer;
};

class Report {
 public:
  Report(std::string bench, std::string base, const Settings& settings);
  void print(const Line& line);

 private:
  // Of krg's fabric.
  std::string provider() const;
  void print_head();
  void print_json(const Line& line) const;
  void print_text(const Line& line);

  std::string bench_, base_;
  const Settings& settings_;
  bool headed_ = false;
};

}  // namespace krg::harness
