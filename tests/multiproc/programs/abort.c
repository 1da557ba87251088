// abort [RANK [CODE]]: one rank calls MPI_Abort(CODE) while all others wait for it in a barrier.
#include "check.h"

int main(int argc, char** argv) {
  begin(&argc, &argv);
  MPI_Barrier(MPI_COMM_WORLD);
  if (world_rank == number(argc, argv, 1, 0)) {
    fprintf(stderr, "rank %d aborts\n", world_rank);
    MPI_Abort(MPI_COMM_WORLD, number(argc, argv, 2, 7));
  }
  MPI_Barrier(MPI_COMM_WORLD);
  return finish("abort did not happen");
}
