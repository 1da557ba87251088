/* Every rank checks who it is, one collective, and who shares its host.
 * Usage: hello [abort]: with it rank 1 aborts with code 7.
 * hello -l N: the ranks that share this host must be N. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char** argv) {
  int rank, size, local, sum = 0, ok;
  MPI_Comm shared;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  int mine = rank + 1;
  MPI_Allreduce(&mine, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  ok = sum == size * (size + 1) / 2;
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &shared);
  MPI_Comm_size(shared, &local);
  if (argc > 2 && strcmp(argv[1], "-l") == 0) ok = ok && local == atoi(argv[2]);
  MPI_Comm_free(&shared);
  if (argc > 1 && strcmp(argv[1], "abort") == 0) {
    if (rank == 1) MPI_Abort(MPI_COMM_WORLD, 7);
    MPI_Barrier(MPI_COMM_WORLD);
  }
  printf("rank %d of %d, %d on this host: %s\n", rank, size, local, ok ? "ok" : "WRONG");
  fflush(stdout);
  MPI_Finalize();
  return ok ? 0 : 1;
}
