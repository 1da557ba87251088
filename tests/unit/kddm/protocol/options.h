// What the program was asked on its command line.
#pragma once

#include <string>

namespace krg::kddm_protocol::testing {

struct Options {
  bool large = false;  // --large: minutes instead of seconds.
  bool write = false;  // --write: put the generated tables into the page instead of comparing.
  std::string doc;     // --doc FILE: the page that shows the tables.
};

const Options& options();

}  // namespace krg::kddm_protocol::testing
