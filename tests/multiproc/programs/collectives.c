// collectives: the collective operations that programs live on, with results that are known.
#include "check.h"

static void reductions(void) {
  for (int count = 1; count <= 1 << 14; count *= 128) {
    long* mine = malloc((size_t)count * sizeof(long));
    long* sum = malloc((size_t)count * sizeof(long));
    for (int i = 0; i < count; ++i) mine[i] = world_rank + i;
    MPI_Allreduce(mine, sum, count, MPI_LONG, MPI_SUM, MPI_COMM_WORLD);
    for (long i = 0; i < count; ++i)
      CHECK(sum[i] == (long)world_size * (world_size - 1) / 2 + i * world_size);
    MPI_Scan(mine, sum, count, MPI_LONG, MPI_MAX, MPI_COMM_WORLD);
    for (long i = 0; i < count; ++i) CHECK(sum[i] == world_rank + i);
    free(mine);
    free(sum);
  }
}

static void exchanges(void) {
  int* out = malloc((size_t)world_size * sizeof(int));
  int* in = malloc((size_t)world_size * sizeof(int));
  for (int i = 0; i < world_size; ++i) out[i] = world_rank * 1000 + i;
  MPI_Alltoall(out, 1, MPI_INT, in, 1, MPI_INT, MPI_COMM_WORLD);
  for (int i = 0; i < world_size; ++i) CHECK(in[i] == i * 1000 + world_rank);
  MPI_Allgather(&world_rank, 1, MPI_INT, in, 1, MPI_INT, MPI_COMM_WORLD);
  for (int i = 0; i < world_size; ++i) CHECK(in[i] == i);
  const int root = world_size - 1;
  int value = world_rank == root ? 4711 : 0;
  MPI_Bcast(&value, 1, MPI_INT, root, MPI_COMM_WORLD);
  CHECK(value == 4711);
  MPI_Scatter(out, 1, MPI_INT, &value, 1, MPI_INT, root, MPI_COMM_WORLD);
  CHECK(value == root * 1000 + world_rank);
  free(out);
  free(in);
}

// Odd and even ranks apart; and the ranks of each host apart.
static void communicators(void) {
  MPI_Comm half, host;
  int size, sum;
  MPI_Comm_split(MPI_COMM_WORLD, world_rank % 2, world_rank, &half);
  MPI_Comm_size(half, &size);
  CHECK(size == world_size / 2 + (world_rank % 2 == 0 ? world_size % 2 : 0));
  MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
  MPI_Comm_size(host, &size);
  const int one = 1;
  MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, host);
  CHECK(sum == size);
  MPI_Comm_free(&half);
  MPI_Comm_free(&host);
}

int main(int argc, char** argv) {
  begin(&argc, &argv);
  for (int round = number(argc, argv, 1, 3); round > 0; --round) {
    reductions();
    exchanges();
    communicators();
    MPI_Barrier(MPI_COMM_WORLD);
  }
  return finish("collectives");
}
