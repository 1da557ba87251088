/* Each rank writes its own part of a few thousand objects as a range; then all read all of them.
 * Then each takes all of a smaller range for itself, at the same time as the others, and adds one
 * to each object. */
#include <errno.h>
#include <krg/task/kddm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { kObjects = 3000, kCounted = 100 };

static krg_kddm_space* space;
static krg_kddm_set pages, counters;
static long rank, ranks;

static void must(int error, const char* what) {
  if (error == 0) return;
  fprintf(stderr, "rank %ld: %s: %s\n", rank, what, krg_kddm_message());
  exit(1);
}

static krg_kddm_set open_set(const char* name, size_t bytes, size_t count) {
  krg_kddm_options options;
  krg_kddm_options_init(&options);
  options.object_bytes = bytes;
  options.object_count = count;
  krg_kddm_set set = 0;
  must(krg_kddm_open(space, name, &options, &set), name);
  return set;
}

/* Until all ranks have come here `times` times. Object kCounted counts them. */
static void meet(long times) {
  krg_kddm_lease* lease = NULL;
  void* bytes = NULL;
  must(krg_kddm_grab(space, counters, kCounted, 0, &lease, &bytes, NULL), "the meeting");
  ++*(long*)bytes;
  krg_kddm_put(lease);
  for (;;) {
    const void* read = NULL;
    must(krg_kddm_get(space, counters, kCounted, 0, &lease, &read, NULL), "the meeting");
    const long there = *(const long*)read;
    krg_kddm_put(lease);
    if (there >= times * ranks) return;
    usleep(1000);
  }
}

static void write_my_part(void) {
  const long first = kObjects * rank / ranks, end = kObjects * (rank + 1) / ranks;
  krg_kddm_range* range = NULL;
  must(krg_kddm_grab_range(space, pages, first, end - first, 0, &range), "my part");
  for (long i = first; i < end; ++i) {
    krg_kddm_lease* lease = NULL;
    void* bytes = NULL;
    must(krg_kddm_next(range, &lease, &bytes, NULL), "an object of mine");
    *(long*)bytes = i + 1;
    krg_kddm_put(lease);
  }
  krg_kddm_end_range(range);
}

static long sum_of_all(void) {
  krg_kddm_range* range = NULL;
  must(krg_kddm_get_range(space, pages, 0, kObjects, 0, &range), "all of it");
  long sum = 0;
  for (;;) {
    krg_kddm_lease* lease = NULL;
    void* bytes = NULL;
    size_t size = 0;
    must(krg_kddm_next(range, &lease, &bytes, &size), "an object");
    if (lease == NULL) break;
    if (size == 4096) sum += *(const long*)bytes;
    krg_kddm_put(lease);
  }
  krg_kddm_end_range(range);
  return sum;
}

/* All of them are held at once: no two ranks may wait for each other in a circle. */
static void count_up(void) {
  krg_kddm_lease* leases[kCounted];
  krg_kddm_range* range = NULL;
  must(krg_kddm_grab_range(space, counters, 0, kCounted, 0, &range), "the counters");
  for (int i = 0; i < kCounted; ++i) {
    void* bytes = NULL;
    must(krg_kddm_next(range, &leases[i], &bytes, NULL), "a counter");
    ++*(long*)bytes;
  }
  for (int i = 0; i < kCounted; ++i) krg_kddm_put(leases[i]);
  krg_kddm_end_range(range);
}

static int errors_are_told(void) {
  krg_kddm_range* range = NULL;
  must(krg_kddm_get_range(space, pages, kObjects - 1, 2, 0, &range), "the end");
  krg_kddm_lease* lease = NULL;
  must(krg_kddm_next(range, &lease, NULL, NULL), "the last one");
  krg_kddm_put(lease);
  const int beyond = krg_kddm_next(range, &lease, NULL, NULL);
  const int after = krg_kddm_next(range, &lease, NULL, NULL);
  krg_kddm_end_range(range);
  return beyond == EINVAL && after == 0 && lease == NULL &&
         krg_kddm_prefetch_range(space, pages, 0, 10, 0) == 0 &&
         krg_kddm_prefetch_range(space, pages, kObjects, 1, 0) == EINVAL;
}

int main(void) {
  const char* const rank_text = getenv("KRG_RANK");
  const char* const size_text = getenv("KRG_SIZE");
  if (rank_text == NULL || size_text == NULL) return 2;
  rank = atol(rank_text);
  ranks = atol(size_text);
  must(krg_kddm_connect(NULL, &space), "connecting to krgd");
  pages = open_set("test.ranges.pages", 4096, kObjects);
  counters = open_set("test.ranges.counters", sizeof(long), 0);
  write_my_part();
  meet(1);
  const long sum = sum_of_all(), again = sum_of_all();
  for (int i = 0; i < 10; ++i) count_up();
  meet(2);
  krg_kddm_lease* lease = NULL;
  const void* bytes = NULL;
  must(krg_kddm_get(space, counters, kCounted - 1, 0, &lease, &bytes, NULL), "a counter");
  const long counted = *(const long*)bytes;
  krg_kddm_put(lease);
  const int told = errors_are_told();
  meet(3);
  krg_kddm_disconnect(space);
  const long right = (long)kObjects * (kObjects + 1) / 2;
  const int well = sum == right && again == right && counted == 10 * ranks && told;
  printf("rank %ld: %ld %ld, counted %ld, errors %d: %s\n", rank, sum, again, counted, told,
         well ? "right" : "WRONG");
  return well ? 0 : 1;
}
