#include "krg/cli/exit.h"

#include <errno.h>

#include <cstdio>
#include <string>
#include <system_error>

namespace krg::cli {

int refuse(std::string_view program, std::string_view complaint) {
  std::string line(program);
  line += ": ";
  line += complaint;
  line += '\n';
  // One write, so that lines of several commands do not mix. Nobody is left to tell if it fails.
  std::fwrite(line.data(), 1, line.size(), stderr);
  return kUsage;
}

int print(std::string_view text) {
  const bool ok =
      std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0;
  if (ok) return kDone;
  refuse(program_invocation_short_name,
         "can not write to standard output: " + std::generic_category().message(errno));
  return kFailed;
}

}  // namespace krg::cli
