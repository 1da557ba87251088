// app.h: a numeric program, run by threads and by krgrun's tasks, and what is printed of it.
//
// Model    run_app() is main(): it runs the program natively in its own process and then as jobs of
//          krgrun on 1 and more nodes, round by round, and prints for each the median time, what
//          the nodes have sent to each other for an iteration, and the least that the program says
//          its decomposition needs. A task of such a job is the same binary with --as-task.
// Threads  one, and those of a native team.
// Blocks   until everything is measured.
// Source   bench/app/README.md
#pragma once

#include <cstddef>
#include <string>

#include "team.h"

namespace krg::bench {

struct Plan {
  std::size_t size = 0;
  unsigned iterations = 0;
  bool hints = true;
  bool release = false;  // Regions of release consistency.
  bool spoil = false;    // To show that the check sees it: one value of the result is changed.
};

// What one member returns; of `right` and the rest only member 0's counts.
struct Outcome {
  bool right = false;
  unsigned iterations = 0;
  Traffic minimum;  // Of all iterations: what a program that sends messages would send.
};

struct App {
  std::string name;  // "jacobi": of krg_app_jacobi.
  std::string about;
  std::string size_is;  // What --size counts.
  std::size_t size;
  std::size_t smallest, largest;
  std::size_t granule;        // --size is a multiple of it.
  std::string iterations_is;  // What --iterations counts; "": it says nothing here.
  unsigned iterations;
  Outcome (*work)(Team&, const Plan&);
};

// The exit code: 0, 1 something has failed or a result is wrong, 2 the command line is.
int run_app(const App& app, int argc, char** argv);

}  // namespace krg::bench
