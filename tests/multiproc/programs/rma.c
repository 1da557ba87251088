// rma: put, get and atomic operations on the memory of other ranks.
#include "check.h"

int main(int argc, char** argv) {
  begin(&argc, &argv);
  long* memory;
  MPI_Win window;
  // A multiple of 64: MPICH 4.0.2 puts data 8 bytes off where a shared window is of 40 bytes.
  const MPI_Aint bytes = ((MPI_Aint)sizeof(long) * (world_size + 1) + 63) / 64 * 64;
  MPI_Win_allocate(bytes, sizeof(long), MPI_INFO_NULL, MPI_COMM_WORLD, &memory, &window);
  for (int i = 0; i <= world_size; ++i) memory[i] = -1;
  memory[world_size] = 0;

  // Everybody writes its word into everybody's memory.
  MPI_Win_fence(0, window);
  const long word = world_rank * 7L;
  for (int i = 0; i < world_size; ++i)
    MPI_Put(&word, 1, MPI_LONG, i, world_rank, 1, MPI_LONG, window);
  MPI_Win_fence(0, window);
  for (int i = 0; i < world_size; ++i) CHECK(memory[i] == i * 7L);
  MPI_Win_fence(0, window);

  // Everybody counts at rank 0: the numbers handed out are all different.
  const long one = 1;
  long ticket = -1;
  int* taken = calloc((size_t)world_size, sizeof(int));
  MPI_Win_lock(MPI_LOCK_SHARED, 0, 0, window);
  MPI_Fetch_and_op(&one, &ticket, MPI_LONG, 0, world_size, MPI_SUM, window);
  MPI_Win_unlock(0, window);
  CHECK(ticket >= 0 && ticket < world_size);
  taken[ticket] = 1;
  MPI_Allreduce(MPI_IN_PLACE, taken, world_size, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  for (int i = 0; i < world_size; ++i) CHECK(taken[i] == 1);
  free(taken);

  // A neighbour's memory can be read.
  const int next = (world_rank + 1) % world_size;
  long read = -1;
  MPI_Win_lock(MPI_LOCK_SHARED, next, 0, window);
  MPI_Get(&read, 1, MPI_LONG, next, world_rank, 1, MPI_LONG, window);
  MPI_Win_unlock(next, window);
  CHECK(read == word);
  MPI_Win_free(&window);
  return finish("rma");
}
