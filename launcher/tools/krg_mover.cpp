// krg_mover: holds, takes and makes one task that moves between nodes. A krgd starts it; by hand it
// does nothing.
#include <fcntl.h>

#include "krg/epm/mover.h"

int main() {
  constexpr int kPort = 3;  // As moves::Service hands it on.
  krg::UniqueFd port(fcntl(kPort, F_DUPFD_CLOEXEC, kPort + 1));
  close(kPort);
  return port ? krg::epm::run_mover(std::move(port)) : 2;
}
