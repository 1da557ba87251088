// zipf_mpi: the work of krg_kddm_zipf by MPI's one-sided operations under passive target locks.
//
// Object i is the (i / ranks)-th of rank i % ranks, so that the most wanted ones lie on different
// ranks. MPI locks a rank's window, not an object: finer locks are not in its interface.
#include <mpi.h>

#include "zipf_work.h"

struct window {
  MPI_Win win;
  uint32_t ranks;
};

static int operate(void* context, uint32_t id, int writes) {
  const struct window* const window = context;
  const int target = (int)(id % window->ranks);
  const MPI_Aint at = (MPI_Aint)(id / window->ranks);
  const int size = (int)sizeof(struct zipf_object);
  struct zipf_object object;
  MPI_Win_lock(writes ? MPI_LOCK_EXCLUSIVE : MPI_LOCK_SHARED, target, 0, window->win);
  MPI_Get(&object, size, MPI_BYTE, target, at, size, MPI_BYTE, window->win);
  if (writes) {
    MPI_Win_flush(target, window->win);
    if (zipf_is_whole(&object, id)) {
      zipf_write(&object, id, object.count + 1);
      MPI_Put(&object, size, MPI_BYTE, target, at, size, MPI_BYTE, window->win);
    }
  }
  MPI_Win_unlock(target, window->win);
  if (zipf_is_whole(&object, id)) return 1;
  fprintf(stderr, "zipf_mpi: object %u is not whole\n", id);
  return 0;
}

// This rank's part, made or counted under the lock that the others take too.
static uint64_t go_through(const struct zipf_plan* plan, const struct window* window, int rank,
                           struct zipf_object* mine, int make) {
  uint64_t count = 0;
  MPI_Win_lock(MPI_LOCK_EXCLUSIVE, rank, 0, window->win);
  for (uint64_t i = 0, id = (uint64_t)rank; id < plan->objects; ++i, id += window->ranks) {
    if (make) zipf_write(&mine[i], id, 0);
    count += mine[i].count;
  }
  MPI_Win_unlock(rank, window->win);
  return count;
}

int main(int argc, char** argv) {
  int rank = 0, ranks = 0;
  MPI_Init(&argc, &argv);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  struct zipf_plan plan = {0};
  uint32_t* draws = NULL;
  if (!zipf_read_plan(argc, argv, &plan) || !(draws = zipf_draws(&plan, (unsigned)rank))) {
    MPI_Abort(MPI_COMM_WORLD, 2);
  }
  struct window window = {.ranks = (uint32_t)ranks};
  const uint64_t part = (plan.objects + window.ranks - 1) / window.ranks;
  struct zipf_object* mine = NULL;
  MPI_Win_allocate((MPI_Aint)(part * sizeof *mine), sizeof *mine, MPI_INFO_NULL, MPI_COMM_WORLD,
                   (void*)&mine, &window.win);
  go_through(&plan, &window, rank, mine, 1);
  MPI_Barrier(MPI_COMM_WORLD);

  double start = zipf_now() + 0.2;
  MPI_Bcast(&start, 1, MPI_DOUBLE, 0, MPI_COMM_WORLD);
  struct zipf_result result, all;
  if (!zipf_run(&plan, draws, start, operate, &window, &result)) MPI_Abort(MPI_COMM_WORLD, 1);
  free(draws);
  MPI_Barrier(MPI_COMM_WORLD);  // Meanwhile the others' locks are served.

  const uint64_t count = go_through(&plan, &window, rank, mine, 0);
  uint64_t counted = 0;
  MPI_Reduce(&count, &counted, 1, MPI_UINT64_T, MPI_SUM, 0, MPI_COMM_WORLD);
  MPI_Reduce(&result, &all, 3, MPI_UINT64_T, MPI_SUM, 0, MPI_COMM_WORLD);
  const int right = rank != 0 || zipf_report(&plan, &all, counted);
  MPI_Win_free(&window.win);
  MPI_Finalize();
  return right ? 0 : 1;
}
