// slow_rank [RANK [SECONDS]]: one rank comes late, first to the communication, then to
// MPI_Finalize.
#include <time.h>

#include "check.h"

static void sleep_seconds(int seconds) {
  const struct timespec time = {.tv_sec = seconds};
  nanosleep(&time, NULL);
}

int main(int argc, char** argv) {
  begin(&argc, &argv);
  const int slow = number(argc, argv, 1, 0), seconds = number(argc, argv, 2, 2);
  if (world_rank == slow) sleep_seconds(seconds);
  int sum = 0;
  MPI_Allreduce(&world_rank, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  CHECK(sum == world_size * (world_size - 1) / 2);
  if (world_rank == slow) {
    printf("slow_rank: %d ranks: right\n", world_size);
    fflush(stdout);
    sleep_seconds(seconds);
  }
  MPI_Finalize();
  return 0;
}
