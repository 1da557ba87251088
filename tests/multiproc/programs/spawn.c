// spawn [CHILDREN]: starts more ranks of itself, and both sides add up what the other side has.
#include "check.h"

static void talk(MPI_Comm others, int their_size) {
  int sum = -1;
  MPI_Allreduce(&world_rank, &sum, 1, MPI_INT, MPI_SUM, others);
  CHECK(sum == their_size * (their_size - 1) / 2);
}

int main(int argc, char** argv) {
  begin(&argc, &argv);
  MPI_Comm parent, children;
  int size;
  MPI_Comm_get_parent(&parent);
  if (parent != MPI_COMM_NULL) {
    MPI_Comm_remote_size(parent, &size);
    talk(parent, size);
    MPI_Comm_disconnect(&parent);
    MPI_Finalize();
    return 0;
  }
  const int count = number(argc, argv, 1, 2);
  MPI_Comm_spawn(argv[0], MPI_ARGV_NULL, count, MPI_INFO_NULL, 0, MPI_COMM_WORLD, &children,
                 MPI_ERRCODES_IGNORE);
  MPI_Comm_remote_size(children, &size);
  CHECK(size == count);
  talk(children, count);
  MPI_Comm_disconnect(&children);
  return finish("spawn");
}
