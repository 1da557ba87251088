// machine.h: what this machine allows krg to do, looked at where it can be tried.
//
// Model    a list of findings, each with what was found, what that means and what to do. Nothing is
//          changed; what has to be tried is tried in a child process.
// Threads  any.
// Blocks   for some milliseconds.
// Source   ioctl_userfaultfd(2), user_namespaces(7), ptrace(2), cgroups(7); docs/design/mm.md
#pragma once

#include <string>
#include <vector>

namespace krg::krgadm {

struct Finding {
  enum class Kind {
    good,     // Nothing to do.
    limited,  // krg runs; something is slower, or not there.
    missing,  // krg does not run.
  };
  std::string what;
  Kind kind = Kind::good;
  std::string found;
  std::string meaning;
  std::string remedy;  // "": there is nothing to do.
};

std::vector<Finding> look_at_machine();

}  // namespace krg::krgadm
