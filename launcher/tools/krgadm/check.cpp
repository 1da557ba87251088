// krgadm check: what this machine allows krg to do, and what to do about what it does not.
#include <algorithm>

#include "commands.h"
#include "krg/cli/exit.h"
#include "krg/cli/table.h"
#include "machine.h"

namespace krg::krgadm {
namespace {

const char* text_of(Finding::Kind kind) {
  switch (kind) {
    case Finding::Kind::good:
      return "good";
    case Finding::Kind::limited:
      return "limited";
    case Finding::Kind::missing:
      break;
  }
  return "missing";
}

std::string line_of(const Finding& finding) {
  std::string line = std::string(text_of(finding.kind)) + ": " + finding.what + ": " +
                     finding.found + ": " + finding.meaning;
  if (!finding.remedy.empty()) line += "; to do: " + finding.remedy;
  return line + "\n";
}

}  // namespace

int check_machine(bool json) {
  const std::vector<Finding> findings = look_at_machine();
  std::string text;
  cli::Table table({"what", "state", "found", "meaning", "to do"});
  for (const Finding& finding : findings) {
    text += line_of(finding);
    table.add({finding.what, std::string(text_of(finding.kind)), finding.found, finding.meaning,
               finding.remedy});
  }
  const int printed = cli::print(json ? table.json() : text);
  if (printed != cli::kDone) return printed;
  const bool runs = std::none_of(findings.begin(), findings.end(), [](const Finding& finding) {
    return finding.kind == Finding::Kind::missing;
  });
  return runs ? cli::kDone : cli::kFailed;
}

}  // namespace krg::krgadm
