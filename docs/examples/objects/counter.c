/* A counter that all ranks count with, in C: each adds its number 1,000 times. */
#include <krg/task/kddm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void must(int error, const char* what) {
  if (error == 0) return;
  fprintf(stderr, "%s: %s\n", what, krg_kddm_message());
  exit(1);
}

int main(void) {
  const char* rank = getenv("KRG_RANK");
  const char* size = getenv("KRG_SIZE");
  if (rank == NULL || size == NULL) {
    fprintf(stderr, "start this by krgrun\n");
    return 2;
  }
  const long ranks = atol(size);
  const long right = 1000 * ranks * (ranks + 1) / 2;

  krg_kddm_space* space = NULL;
  must(krg_kddm_connect(NULL, &space), "connecting to krgd");
  krg_kddm_options options;
  krg_kddm_options_init(&options);
  options.object_bytes = sizeof(long);
  krg_kddm_set set = 0;
  must(krg_kddm_open(space, "example.counter", &options, &set), "the counter");

  long count = 0;
  for (int i = 0; i < 1000; ++i) {
    krg_kddm_lease* lease = NULL;
    void* bytes = NULL;
    must(krg_kddm_grab(space, set, 0, 0, &lease, &bytes, NULL), "the counter");
    memcpy(&count, bytes, sizeof count);
    count += atol(rank) + 1;
    memcpy(bytes, &count, sizeof count);
    krg_kddm_put(lease);
  }
  while (count < right) {
    krg_kddm_lease* lease = NULL;
    const void* bytes = NULL;
    must(krg_kddm_get(space, set, 0, 0, &lease, &bytes, NULL), "the counter");
    memcpy(&count, bytes, sizeof count);
    krg_kddm_put(lease);
  }
  krg_kddm_disconnect(space);
  printf("rank %s counted to %ld: %s\n", rank, count, count == right ? "right" : "WRONG");
  return count == right ? 0 : 1;
}
