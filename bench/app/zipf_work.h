// zipf_work.h: what the two programs of krg_kddm_zipf have in common, in C for both of them.
//
// Model    a task performs a fixed sequence of draws, over and over: which object, and whether to
//          read or to write it. Reading checks every byte of the object; writing checks it, counts
//          one up and writes it back. All tasks begin at one instant of the machine's clock, warm
//          up, and then count what they complete until another instant.
// Threads  one.
// Blocks   zipf_wait_until().
// Source   Gray et al., Quickly generating billion-record synthetic databases, 1994 (Zipf's law
//          with exponent 0.99, as YCSB has it)
#pragma once

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct zipf_object {
  uint64_t id;
  uint64_t count;  // Writes since the beginning.
  uint64_t filler[5];
  uint64_t sum;
};

struct zipf_plan {
  uint64_t objects;
  double warm_s, run_s;
  unsigned writes_per_mille;
};

struct zipf_result {
  uint64_t done;    // Operations within the time that counts.
  uint64_t writes;  // All of them, for the check at the end.
  uint64_t late;    // 1: this task began after the time that counts had begun.
};

// A draw: the object, and this bit if it is to be written.
#define ZIPF_WRITE 0x80000000u
// Draws in a task's sequence: 256 KiB, read in order.
#define ZIPF_DRAWS 65536u

// Program OBJECTS WARM_MS RUN_MS WRITES_PER_MILLE; 0: wrong, which is said.
static inline int zipf_read_plan(int argc, char** argv, struct zipf_plan* plan) {
  if (argc != 5) {
    fprintf(stderr, "usage: %s OBJECTS WARM_MS RUN_MS WRITES_PER_MILLE\n", argv[0]);
    return 0;
  }
  plan->objects = strtoull(argv[1], NULL, 10);
  plan->warm_s = strtod(argv[2], NULL) / 1000;
  plan->run_s = strtod(argv[3], NULL) / 1000;
  plan->writes_per_mille = (unsigned)strtoul(argv[4], NULL, 10);
  if (plan->objects > 0 && plan->objects < ZIPF_WRITE && plan->run_s > 0) return 1;
  fprintf(stderr, "%s: no objects, too many of them, or no time\n", argv[0]);
  return 0;
}

static inline double zipf_now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static inline void zipf_wait_until(double instant) {
  const double left = instant - zipf_now();
  if (left <= 0) return;
  struct timespec time;
  time.tv_sec = (time_t)left;
  time.tv_nsec = (long)((left - (double)time.tv_sec) * 1e9);
  nanosleep(&time, NULL);
}

// --- Objects

static inline uint64_t zipf_sum_of(const struct zipf_object* object) {
  uint64_t sum = object->id * 0x9e3779b97f4a7c15u + object->count;
  for (int i = 0; i < 5; ++i) sum = sum * 31 + object->filler[i];
  return sum;
}

static inline void zipf_write(struct zipf_object* object, uint64_t id, uint64_t count) {
  object->id = id;
  object->count = count;
  for (unsigned i = 0; i < 5; ++i) object->filler[i] = count + i;
  object->sum = zipf_sum_of(object);
}

static inline int zipf_is_whole(const struct zipf_object* object, uint64_t id) {
  return object->id == id && object->filler[0] == object->count &&
         object->sum == zipf_sum_of(object);
}

// --- Draws

static inline uint64_t zipf_random(uint64_t* state) {  // splitmix64
  uint64_t z = *state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

// The task's sequence, to be freed by the caller; NULL: no memory. Object 0 is the most wanted.
static inline uint32_t* zipf_draws(const struct zipf_plan* plan, unsigned rank) {
  uint32_t* const draws = (uint32_t*)malloc(ZIPF_DRAWS * sizeof *draws);
  double* const upto = (double*)malloc(plan->objects * sizeof *upto);
  if (draws != NULL && upto != NULL) {
    double all = 0;
    for (uint64_t i = 0; i < plan->objects; ++i) upto[i] = all += pow((double)(i + 1), -0.99);
    uint64_t state = rank + 1;
    for (uint32_t d = 0; d < ZIPF_DRAWS; ++d) {
      const double wanted = (double)(zipf_random(&state) >> 11) * 0x1p-53 * all;
      uint64_t low = 0, high = plan->objects - 1;
      while (low < high) {
        const uint64_t middle = (low + high) / 2;
        if (upto[middle] > wanted) {
          high = middle;
        } else {
          low = middle + 1;
        }
      }
      const int writes = zipf_random(&state) % 1000 < plan->writes_per_mille;
      draws[d] = (uint32_t)low | (writes ? ZIPF_WRITE : 0);
    }
  }
  free(upto);
  return draws;
}

// --- The run

// One operation; 0: it has failed, which it has said.
typedef int (*zipf_operation)(void* context, uint32_t object, int writes);

// Performs the draws from `start` on. The clock is asked after batches that take some 100 us: after
// each operation it would cost as much as a read that needs no message.
static inline int zipf_run(const struct zipf_plan* plan, const uint32_t* draws, double start,
                           zipf_operation operation, void* context, struct zipf_result* result) {
  const double from = start + plan->warm_s, upto = from + plan->run_s;
  zipf_wait_until(start);
  double before = zipf_now();
  result->done = result->writes = 0;
  result->late = before > from;
  uint32_t next = 0, batch = 1;
  while (before < upto) {
    for (uint32_t i = 0; i < batch; ++i) {
      const uint32_t draw = draws[next++ % ZIPF_DRAWS];
      const int writes = (draw & ZIPF_WRITE) != 0;
      if (!operation(context, draw & ~ZIPF_WRITE, writes)) return 0;
      result->writes += (uint64_t)writes;
    }
    const double now = zipf_now();
    if (now > from && now <= upto) result->done += batch;
    if (now - before < 50e-6 && batch < 4096) batch *= 2;
    if (now - before > 200e-6 && batch > 1) batch /= 2;
    before = now;
  }
  return 1;
}

// What the first task prints at the end, and krg_kddm_zipf reads: 0 unless every write is there.
static inline int zipf_report(const struct zipf_plan* plan, const struct zipf_result* all,
                              uint64_t counted) {
  printf("zipf done %llu seconds %.6f writes %llu counted %llu late %llu\n",
         (unsigned long long)all->done, plan->run_s, (unsigned long long)all->writes,
         (unsigned long long)counted, (unsigned long long)all->late);
  if (counted == all->writes) return 1;
  fprintf(stderr, "zipf: the counts of all objects are %llu, the writes were %llu\n",
          (unsigned long long)counted, (unsigned long long)all->writes);
  return 0;
}
