// krgd: the kernel of a node, as a process.
#include <string>

#include "krg/boot/protocol.h"
#include "krg/cli/exit.h"
#include "krg/config/environment.h"
#include "krg/krgd/krgd.h"
#include "krg/topo/topology.h"

namespace {

constexpr const char kUsage[] =
    "Usage: krgd --boot\n"
    "\n"
    "The daemon of one node of a krg cluster. krgrun and 'krgadm cluster start' start it; with\n"
    "--boot it reads its part in the cluster from standard input. See krgd(8).\n";

}  // namespace

int main(int argc, char** argv) {
  const krg::config::Environment environment = krg::config::Environment::of_process();
  krg::topo::skip_plugins();
  const std::string word = argc == 2 ? argv[1] : "";
  if (word == "--boot") return krg::krgd::run(environment);
  if (word == "--version" || word == "-V") {
    return krg::cli::print("krgd " + krg::boot::version() + "\n");
  }
  if (word == "--help" || word == "-h") return krg::cli::print(kUsage);
  if (argc < 2) {
    return krg::cli::refuse("krgd", "krgrun and 'krgadm cluster start' start it; try: krgd --help");
  }
  const std::string wrong = argv[argc - 1];
  return krg::cli::refuse("krgd", "unknown option '" + wrong + "'; try: krgd --help");
}
