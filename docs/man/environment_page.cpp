// Writes krg-environment(7) in scdoc's language from the tables of configuration.
#include <cstdio>

#include "krg/config/render.h"
#include "krg/settings/given.h"
#include "krg/settings/settings.h"

namespace {

constexpr const char kBegin[] =
    "krg-environment(7)\n"
    "\n"
    "# NAME\n"
    "\n"
    "krg-environment - what the commands and daemons of krg can be told\n"
    "\n"
    "# DESCRIPTION\n"
    "\n"
    "Every setting is a variable of the environment and a key in two files. Later ones win: the\n"
    "default, /etc/krg/krg.toml, $XDG\\_CONFIG\\_HOME/krg/krg.toml (or ~/.config/krg/krg.toml), "
    "the\n"
    "environment, the command line. *krgadm config* shows every value and where it comes from.\n"
    "\n"
    "A duration is written as 250ms, 1.5s or 5min, a size as 64KiB; a switch as yes or no.\n"
    "\n"
    "# VARIABLES\n"
    "\n";

constexpr const char kGiven[] =
    "# VARIABLES OF TASKS\n"
    "\n"
    "Every task that *krgrun*(1) starts finds these in its environment; krg itself reads none of "
    "them.\n"
    "\n";

constexpr const char kEnd[] =
    "# VARIABLES OF OTHERS\n"
    "\n"
    "*HWLOC\\_XMLFILE*, *HWLOC\\_SYNTHETIC*, *HWLOC\\_THISSYSTEM*\n"
    "\tA topology to take instead of this machine's, and whether to bind by it; see *hwloc*(7).\n"
    "\n"
    "*MPIEXEC\\_TIMEOUT*\n"
    "\tThe same as krgrun's *--timeout*, in seconds.\n"
    "\n"
    "*TMPDIR*\n"
    "\tWhere daemons and jobs make their folders; /tmp if it is not set.\n"
    "\n"
    "# EXAMPLES\n"
    "\n"
    "A file that says the same as KRG\\_LAUNCH\\_AGENT and KRG\\_LAUNCH\\_KILL\\_GRACE:\n"
    "\n"
    "```\n"
    "[launch]\n"
    "agent = \"ssh -o BatchMode=yes\"\n"
    "kill_grace = \"5s\"\n"
    "```\n"
    "\n"
    "# SEE ALSO\n"
    "\n"
    "*krgrun*(1), *krgadm*(1), *krgd*(8)\n";

}  // namespace

int main() {
  const std::string variables = krg::config::manual(krg::settings::tables());
  const std::string given = krg::config::manual(krg::settings::given());
  bool ok = true;
  for (const char* part : {kBegin, variables.c_str(), kGiven, given.c_str(), kEnd}) {
    ok = ok && std::fputs(part, stdout) >= 0;
  }
  return ok ? 0 : 1;
}
