/* Rank 0 publishes a port; the others look it up. */
#include <mpi.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char** argv) {
  char port[MPI_MAX_PORT_NAME] = "krg-test-port-1234", found[MPI_MAX_PORT_NAME] = "";
  int rank, ok = 1;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  if (rank == 0) ok = MPI_Publish_name("krg-test", MPI_INFO_NULL, port) == MPI_SUCCESS;
  MPI_Barrier(MPI_COMM_WORLD);
  if (rank != 0) {
    ok = MPI_Lookup_name("krg-test", MPI_INFO_NULL, found) == MPI_SUCCESS &&
         strcmp(found, port) == 0;
  }
  MPI_Barrier(MPI_COMM_WORLD);
  if (rank == 0) ok = MPI_Unpublish_name("krg-test", MPI_INFO_NULL, port) == MPI_SUCCESS && ok;
  printf("rank %d: %s\n", rank, ok ? "ok" : "WRONG");
  fflush(stdout);
  MPI_Finalize();
  return ok ? 0 : 1;
}
