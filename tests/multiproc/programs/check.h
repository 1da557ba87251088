// check.h: what the MPI test programs have in common.
#pragma once

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>

// Ends the whole job with exit code 1 if the condition does not hold.
#define CHECK(condition)                                                            \
  do {                                                                              \
    if (!(condition)) {                                                             \
      fprintf(stderr, "%s:%d: %s does not hold\n", __FILE__, __LINE__, #condition); \
      MPI_Abort(MPI_COMM_WORLD, 1);                                                 \
    }                                                                               \
  } while (0)

static int world_rank, world_size;

static inline void begin(int* argc, char*** argv) {
  MPI_Init(argc, argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &world_rank);
  MPI_Comm_size(MPI_COMM_WORLD, &world_size);
}

// Every rank must come here; rank 0 says so.
static inline int finish(const char* what) {
  int one = 1, sum = 0;
  MPI_Allreduce(&one, &sum, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD);
  CHECK(sum == world_size);
  if (world_rank == 0) {
    printf("%s: %d ranks: right\n", what, world_size);
    fflush(stdout);
  }
  MPI_Finalize();
  return 0;
}

// The argument at `index`, or `otherwise`.
static inline int number(int argc, char** argv, int index, int otherwise) {
  return index < argc ? atoi(argv[index]) : otherwise;
}
