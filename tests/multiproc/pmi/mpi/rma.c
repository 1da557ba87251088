/* Each rank writes into and reads from every other rank's window. */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
  int rank, size, *window_memory, bad = 0;
  MPI_Win window;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  MPI_Win_allocate((MPI_Aint)(size * sizeof(int)), sizeof(int), MPI_INFO_NULL, MPI_COMM_WORLD,
                   &window_memory, &window);
  MPI_Win_fence(0, window);
  int mine = 100 + rank;
  for (int peer = 0; peer < size; ++peer) {
    MPI_Put(&mine, 1, MPI_INT, peer, rank, 1, MPI_INT, window);
  }
  MPI_Win_fence(0, window);
  for (int peer = 0; peer < size; ++peer) bad += window_memory[peer] != 100 + peer;
  int* theirs = malloc((size_t)size * sizeof(int));
  for (int peer = 0; peer < size; ++peer) {
    MPI_Get(&theirs[peer], 1, MPI_INT, peer, peer, 1, MPI_INT, window);
  }
  MPI_Win_fence(0, window);
  for (int peer = 0; peer < size; ++peer) bad += theirs[peer] != 100 + peer;
  free(theirs);
  MPI_Win_free(&window);
  printf("rank %d: %s\n", rank, bad == 0 ? "ok" : "WRONG");
  fflush(stdout);
  MPI_Finalize();
  return bad == 0 ? 0 : 1;
}
