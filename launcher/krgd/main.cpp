// krgd: the kernel of a node, as a process.
#include <cstdio>
#include <string>

#include "krg/boot/protocol.h"
#include "krg/config/environment.h"
#include "krg/krgd/krgd.h"
#include "krg/topo/topology.h"

namespace {

constexpr const char kUsage[] =
    "usage: krgd --boot\n"
    "\n"
    "The daemon of one node of a krg cluster. krgrun and 'krgadm cluster start' start it; with\n"
    "--boot it reads its part in the cluster from standard input. See krgd(8).\n";

}  // namespace

int main(int argc, char** argv) {
  const krg::config::Environment environment = krg::config::Environment::of_process();
  krg::topo::skip_plugins();
  const std::string word = argc == 2 ? argv[1] : "";
  if (word == "--boot") return krg::krgd::run(environment);
  if (word == "--version") {
    std::printf("krgd %s\n", krg::boot::version().c_str());
    return 0;
  }
  std::FILE* const to = word == "--help" ? stdout : stderr;
  std::fputs(kUsage, to);
  return word == "--help" ? 0 : 2;
}
