/* Every pair of ranks talks; then rank 0 comes to MPI_Finalize SECONDS after the others.
 * Usage: all_pairs [SECONDS] */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char** argv) {
  int rank, size, bad = 0;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  for (int i = 0; i < size; ++i) {
    int to = (rank + i) % size, from = (rank - i + size) % size, got = -1;
    MPI_Sendrecv(&rank, 1, MPI_INT, to, 1, &got, 1, MPI_INT, from, 1, MPI_COMM_WORLD,
                 MPI_STATUS_IGNORE);
    bad += got != from;
  }
  MPI_Barrier(MPI_COMM_WORLD);
  printf("rank %d: %s\n", rank, bad == 0 ? "ok" : "WRONG");
  fflush(stdout);
  if (rank == 0 && argc > 1) sleep((unsigned)atoi(argv[1]));
  MPI_Finalize();
  return bad == 0 ? 0 : 1;
}
