// meet_mpi ROUNDS MILLISECONDS: the work of meet_krg by MPI: barriers, all-reduces of one number,
// and one lock that all ranks want, which is a word of a window that they compare and swap.
#include <mpi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static double us_each(double begin, int rounds) { return (MPI_Wtime() - begin) * 1e6 / rounds; }

static int64_t hammer(MPI_Win win, double seconds) {
  const int64_t open = 0, taken = 1;
  int64_t before = 0, times = 0;
  const double end = MPI_Wtime() + seconds;
  while (MPI_Wtime() < end) {
    do {
      MPI_Compare_and_swap(&taken, &open, &before, MPI_INT64_T, 0, 0, win);
      MPI_Win_flush(0, win);
    } while (before != open);
    ++times;
    MPI_Accumulate(&open, 1, MPI_INT64_T, 0, 0, 1, MPI_INT64_T, MPI_REPLACE, win);
    MPI_Win_flush(0, win);
  }
  return times;
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  int rank = 0, ranks = 0;
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  const int rounds = argc > 1 ? atoi(argv[1]) : 0;
  const double seconds = (argc > 2 ? atof(argv[2]) : 0) * 1e-3;
  if (rounds <= 0) MPI_Abort(MPI_COMM_WORLD, 2);
  for (int i = 0; i < 20; ++i) MPI_Barrier(MPI_COMM_WORLD);
  double begin = MPI_Wtime();
  for (int i = 0; i < rounds; ++i) MPI_Barrier(MPI_COMM_WORLD);
  const double barrier = us_each(begin, rounds);
  begin = MPI_Wtime();
  for (int i = 0; i < rounds; ++i) {
    const int64_t mine = rank + i;
    int64_t sum = 0;
    MPI_Allreduce(&mine, &sum, 1, MPI_INT64_T, MPI_SUM, MPI_COMM_WORLD);
    if (sum != (int64_t)ranks * (ranks - 1) / 2 + (int64_t)i * ranks) MPI_Abort(MPI_COMM_WORLD, 1);
  }
  const double reduce = us_each(begin, rounds);
  int64_t* word = NULL;
  MPI_Win win;
  MPI_Win_allocate(rank == 0 ? sizeof *word : 0, sizeof *word, MPI_INFO_NULL, MPI_COMM_WORLD,
                   (void*)&word, &win);
  if (rank == 0) *word = 0;
  MPI_Barrier(MPI_COMM_WORLD);
  MPI_Win_lock_all(0, win);
  const int64_t mine = hammer(win, seconds);
  MPI_Win_unlock_all(win);
  int64_t all = 0;
  MPI_Reduce(&mine, &all, 1, MPI_INT64_T, MPI_SUM, 0, MPI_COMM_WORLD);
  if (rank == 0) {
    printf("meet barrier_us %.1f reduce_us %.1f locks_per_s %.0f\n", barrier, reduce,
           seconds > 0 ? (double)all / seconds : 0.0);
  }
  MPI_Win_free(&win);
  MPI_Finalize();
  return 0;
}
