// heat2d: heat in a square plate, on any number of MPI ranks, and proof that the result is right.
//
//   krgrun -n 64 heat2d [--size CELLS] [--steps STEPS] [--seconds SECONDS]
//
// The equation du/dt = d2u/dx2 + d2u/dy2 on the unit square, zero on its edge, is stepped
// explicitly on CELLS x CELLS inner points. Each rank owns a tile and exchanges its four edges with
// its neighbours in every step. The start is a sum of sine waves; a sine wave keeps its form under
// the discrete operator and only shrinks by a factor known in closed form, so every point of the
// result can be checked. Exit code: 0 right, 1 wrong, 2 bad option.
#include <errno.h>
#include <math.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kWaves = 3, kResidualEvery = 50 };

// Not symmetric in x and y, so that exchanged or forgotten edges show.
static const struct {
  int x, y;
  double height;
} waves[kWaves] = {{1, 2, 1.0}, {3, 1, 0.5}, {5, 4, 0.25}};

static const double kStepRatio = 0.2;  // dt / h^2; stable up to 0.25
static const double kTolerance = 1e-10;

struct options {
  int size, steps;
  double seconds;  // Repeat the run until so many have passed.
};

struct tile {
  int columns, rows;  // without the ghost edge
  int first_column, first_row;
  int west, east, south, north;  // neighbours, or MPI_PROC_NULL
  MPI_Comm grid;
  MPI_Datatype column;
  double *now, *next;
};

static double* cell(const struct tile* t, double* field, int column, int row) {
  return &field[(size_t)row * (size_t)(t->columns + 2) + (size_t)column];
}

// The exact value of the discrete solution after `steps`, at a column and row of the whole plate.
static double exact(const struct options* o, int steps, int column, int row) {
  const double h = 1.0 / (o->size + 1);
  double sum = 0;
  for (int w = 0; w < kWaves; ++w) {
    const double sx = sin(waves[w].x * M_PI * h / 2), sy = sin(waves[w].y * M_PI * h / 2);
    const double factor = 1 - 4 * kStepRatio * (sx * sx + sy * sy);
    sum += waves[w].height * pow(factor, steps) * sin(waves[w].x * M_PI * h * (column + 1)) *
           sin(waves[w].y * M_PI * h * (row + 1));
  }
  return sum;
}

// The share of `total` that falls to part `index` of `parts`: first element and count.
static void share(int total, int parts, int index, int* first, int* count) {
  const int base = total / parts, extra = total % parts;
  *first = index * base + (index < extra ? index : extra);
  *count = base + (index < extra ? 1 : 0);
}

static void make_tile(const struct options* o, struct tile* t, int dims[2]) {
  int ranks, rank, place[2], periodic[2] = {0, 0};
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  MPI_Dims_create(ranks, 2, dims);
  MPI_Cart_create(MPI_COMM_WORLD, 2, dims, periodic, 1, &t->grid);
  MPI_Comm_rank(t->grid, &rank);
  MPI_Cart_coords(t->grid, rank, 2, place);
  MPI_Cart_shift(t->grid, 0, 1, &t->south, &t->north);
  MPI_Cart_shift(t->grid, 1, 1, &t->west, &t->east);
  share(o->size, dims[0], place[0], &t->first_row, &t->rows);
  share(o->size, dims[1], place[1], &t->first_column, &t->columns);
  MPI_Type_vector(t->rows, 1, t->columns + 2, MPI_DOUBLE, &t->column);
  MPI_Type_commit(&t->column);
  const size_t cells = (size_t)(t->columns + 2) * (size_t)(t->rows + 2);
  t->now = calloc(cells, sizeof(double));
  t->next = calloc(cells, sizeof(double));
  if (!t->now || !t->next) {
    fprintf(stderr, "heat2d: rank %d: out of memory for %zu cells\n", rank, cells);
    MPI_Abort(MPI_COMM_WORLD, 1);
  }
}

static void free_tile(struct tile* t) {
  free(t->now);
  free(t->next);
  MPI_Type_free(&t->column);
  MPI_Comm_free(&t->grid);
}

static void exchange_edges(struct tile* t) {
  MPI_Request requests[8];
  MPI_Status statuses[8];
  double* u = t->now;
  const int c = t->columns, r = t->rows;
  MPI_Irecv(cell(t, u, 1, 0), c, MPI_DOUBLE, t->south, 0, t->grid, &requests[0]);
  MPI_Irecv(cell(t, u, 1, r + 1), c, MPI_DOUBLE, t->north, 1, t->grid, &requests[1]);
  MPI_Irecv(cell(t, u, 0, 1), 1, t->column, t->west, 2, t->grid, &requests[2]);
  MPI_Irecv(cell(t, u, c + 1, 1), 1, t->column, t->east, 3, t->grid, &requests[3]);
  MPI_Isend(cell(t, u, 1, r), c, MPI_DOUBLE, t->north, 0, t->grid, &requests[4]);
  MPI_Isend(cell(t, u, 1, 1), c, MPI_DOUBLE, t->south, 1, t->grid, &requests[5]);
  MPI_Isend(cell(t, u, c, 1), 1, t->column, t->east, 2, t->grid, &requests[6]);
  MPI_Isend(cell(t, u, 1, 1), 1, t->column, t->west, 3, t->grid, &requests[7]);
  MPI_Waitall(8, requests, statuses);
}

// One step in time; returns the largest change of a cell of this tile.
static double step(struct tile* t) {
  double largest = 0;
  exchange_edges(t);
  for (int row = 1; row <= t->rows; ++row) {
    const double* here = cell(t, t->now, 0, row);
    const double* below = cell(t, t->now, 0, row - 1);
    const double* above = cell(t, t->now, 0, row + 1);
    double* next = cell(t, t->next, 0, row);
    for (int i = 1; i <= t->columns; ++i) {
      const double change =
          kStepRatio * (here[i - 1] + here[i + 1] + below[i] + above[i] - 4 * here[i]);
      next[i] = here[i] + change;
      if (fabs(change) > largest) largest = fabs(change);
    }
  }
  double* old = t->now;
  t->now = t->next;
  t->next = old;
  return largest;
}

// The largest difference from the exact solution after `steps`, over all ranks. With `set`, writes
// the exact solution instead.
static double compare(const struct options* o, struct tile* t, int steps, int set) {
  double worst = 0, everywhere = 0;
  for (int row = 1; row <= t->rows; ++row) {
    for (int i = 1; i <= t->columns; ++i) {
      double* value = cell(t, t->now, i, row);
      const double right = exact(o, steps, t->first_column + i - 1, t->first_row + row - 1);
      if (set) *value = right;
      // Written so that a NaN counts as wrong.
      if (!(fabs(*value - right) <= worst)) worst = fabs(*value - right);
    }
  }
  MPI_Allreduce(&worst, &everywhere, 1, MPI_DOUBLE, MPI_MAX, t->grid);
  return isnan(worst) ? worst : everywhere;
}

static int count_hosts(int ranks, int rank) {
  char name[MPI_MAX_PROCESSOR_NAME] = {0};
  int length, hosts = 0;
  char* names = rank == 0 ? malloc((size_t)ranks * sizeof(name)) : NULL;
  MPI_Get_processor_name(name, &length);
  MPI_Gather(name, sizeof(name), MPI_CHAR, names, sizeof(name), MPI_CHAR, 0, MPI_COMM_WORLD);
  for (int i = 0; names && i < ranks; ++i) {
    int seen = 0;
    for (int j = 0; j < i && !seen; ++j)
      seen = strcmp(names + (size_t)i * sizeof(name), names + (size_t)j * sizeof(name)) == 0;
    hosts += !seen;
  }
  free(names);
  return hosts;
}

// Runs all steps from the start; returns the largest error, and by `residual` the last change.
static double run(const struct options* o, struct tile* t, double* residual) {
  compare(o, t, 0, 1);
  for (int s = 1; s <= o->steps; ++s) {
    const double change = step(t);
    if (s % kResidualEvery == 0 || s == o->steps)
      MPI_Allreduce(&change, residual, 1, MPI_DOUBLE, MPI_MAX, t->grid);
  }
  return compare(o, t, o->steps, 0);
}

static int usage(int rank, const char* text) {
  if (rank == 0)
    fprintf(stderr, "heat2d: %s\nusage: heat2d [--size CELLS] [--steps STEPS] [--seconds S]\n",
            text);
  MPI_Finalize();
  return 2;
}

// Returns NULL, or what is wrong.
static const char* parse(int argc, char** argv, int ranks, struct options* o) {
  for (int i = 1; i < argc; i += 2) {
    char* end = NULL;
    errno = 0;
    const double value = i + 1 < argc ? strtod(argv[i + 1], &end) : 0;
    if (!end || end == argv[i + 1] || *end || errno || !(value >= 0 && value <= 1e6))
      return "an option needs a number from 0 to 1000000";
    if (!strcmp(argv[i], "--size"))
      o->size = (int)value;
    else if (!strcmp(argv[i], "--steps"))
      o->steps = (int)value;
    else if (!strcmp(argv[i], "--seconds"))
      o->seconds = value;
    else
      return "unknown option";
  }
  if (o->steps < 1) return "at least one step is needed";
  return o->size < ranks ? "each rank needs a row: CELLS must be at least the number of ranks"
                         : NULL;
}

int main(int argc, char** argv) {
  MPI_Init(&argc, &argv);
  struct options o = {.size = 512, .steps = 100, .seconds = 0};
  int ranks, rank, dims[2] = {0, 0};
  MPI_Comm_size(MPI_COMM_WORLD, &ranks);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  const char* wrong = parse(argc, argv, ranks, &o);
  if (wrong) return usage(rank, wrong);

  struct tile t;
  make_tile(&o, &t, dims);
  const int hosts = count_hosts(ranks, rank);
  if (rank == 0)
    printf("heat2d: %d ranks as %d x %d on %d host%s, %d x %d cells, %d steps\n", ranks, dims[0],
           dims[1], hosts, hosts == 1 ? "" : "s", o.size, o.size, o.steps);

  const double begun = MPI_Wtime();
  double error = 0, residual = 0, elapsed = 0;
  int runs = 0, more = 1;
  while (more) {
    error = run(&o, &t, &residual);
    ++runs;
    elapsed = MPI_Wtime() - begun;
    more = elapsed < o.seconds && error <= kTolerance;
    MPI_Bcast(&more, 1, MPI_INT, 0, MPI_COMM_WORLD);
  }
  const int right = error <= kTolerance;
  if (rank == 0) {
    printf("heat2d: last change %.3e, %d run%s in %.2f s, %.1f million cells a second\n", residual,
           runs, runs == 1 ? "" : "s", elapsed, 1e-6 * o.size * o.size * o.steps * runs / elapsed);
    printf("heat2d: largest error %.1e against the exact solution: %s\n", error,
           right ? "right" : "WRONG");
  }
  free_tile(&t);
  MPI_Finalize();
  return right ? 0 : 1;
}
