/* The parents start two children and hear from each of them. */
#include <mpi.h>
#include <stdio.h>

int main(int argc, char** argv) {
  MPI_Comm parent, others;
  int rank, size, remote = 0, sum = 0, ok;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  MPI_Comm_get_parent(&parent);
  if (parent == MPI_COMM_NULL) {
    int codes[2];
    MPI_Comm_spawn(argv[0], MPI_ARGV_NULL, 2, MPI_INFO_NULL, 0, MPI_COMM_WORLD, &others, codes);
    MPI_Comm_remote_size(others, &remote);
    MPI_Allreduce(&rank, &sum, 1, MPI_INT, MPI_SUM, others);
    ok = remote == 2 && sum == 100 + 101;
  } else {
    int mine = 100 + rank;
    others = parent;
    MPI_Comm_remote_size(others, &remote);
    MPI_Allreduce(&mine, &sum, 1, MPI_INT, MPI_SUM, others);
    ok = size == 2 && sum == remote * (remote - 1) / 2;
  }
  MPI_Comm_disconnect(&others);
  printf("%s %d of %d: %s\n", parent == MPI_COMM_NULL ? "parent" : "child", rank, size,
         ok ? "ok" : "WRONG");
  fflush(stdout);
  MPI_Finalize();
  return ok ? 0 : 1;
}
