// ring: a message goes round all ranks, in sizes from nothing to 1 MiB; each rank checks and
// changes it.
#include <string.h>

#include "check.h"

int main(int argc, char** argv) {
  begin(&argc, &argv);
  const int rounds = number(argc, argv, 1, 3);
  const int next = (world_rank + 1) % world_size;
  const int previous = (world_rank + world_size - 1) % world_size;
  for (int round = 0; round < rounds; ++round) {
    for (int size = 0; size <= 1 << 20; size = size == 0 ? 1 : size * 32) {
      unsigned char* bytes = malloc((size_t)size + 1);
      memset(bytes, round, (size_t)size);
      if (world_rank == 0) MPI_Send(bytes, size, MPI_BYTE, next, size, MPI_COMM_WORLD);
      MPI_Status status;
      int count;
      MPI_Recv(bytes, size, MPI_BYTE, previous, size, MPI_COMM_WORLD, &status);
      MPI_Get_count(&status, MPI_BYTE, &count);
      CHECK(count == size);
      // Every rank before this one, but rank 0, has added one.
      const int added = world_rank == 0 ? world_size - 1 : world_rank - 1;
      for (int i = 0; i < size; ++i) CHECK(bytes[i] == (unsigned char)(round + added));
      if (world_rank != 0) {
        for (int i = 0; i < size; ++i) ++bytes[i];
        MPI_Send(bytes, size, MPI_BYTE, next, size, MPI_COMM_WORLD);
      }
      free(bytes);
    }
  }
  return finish("ring");
}
