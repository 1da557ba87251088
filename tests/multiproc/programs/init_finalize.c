// init_finalize: MPI_Init and MPI_Finalize, and nothing between; what the start of a job costs.
#include <mpi.h>

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  MPI_Finalize();
  return 0;
}
