/* A region in C: each rank adds to a word, and all see the sum. Ends with "right" from every rank.
 */
#include <errno.h>
#include <krg/region/region_c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What else a program may ask of it; rank 0 alone does. */
static int use_all(void) {
  krg_region* region = NULL;
  if (krg_region_create("test.c.grows", 1 << 20, 4 << 20) != 0) return 1;
  if (krg_region_create("test.c.grows", 1 << 20, 4 << 20) != EEXIST) return 2;
  if (krg_region_open("test.c.grows", 0, NULL, 0, &region) != 0) return 3;
  if (krg_region_resize(region, 4 << 20) != 0 || krg_region_size(region) != 4 << 20) return 4;
  if (krg_region_resize(region, 5 << 20) != EMSGSIZE) return 5;
  if (krg_region_fill(region, 0, 2 << 20, 7) != 0) return 6;
  if (krg_region_copy(region, 2 << 20, region, 0, 2 << 20) != 0) return 7;
  if (krg_region_copy(region, 1, region, 0, 2 << 20) != EINVAL) return 8;
  if (krg_region_prefetch(region, 0, 4 << 20) != 0) return 9;
  if (krg_region_advise(region, 0, 1 << 20, KRG_ADVICE_DONT_NEED) != 0) return 10;
  if (krg_region_protect(region, 1) != 0 || krg_region_protect(region, 0) != 0) return 11;
  const char* const bytes = krg_region_address(region);
  if (bytes[0] != 7 || bytes[(4 << 20) - 1] != 7) return 12;
  krg_region_close(region);
  return krg_region_destroy("test.c.grows") == 0 ? 0 : 13;
}

/* A region of release consistency, the same. */
static int use_released(void) {
  krg_region* region = NULL;
  if (krg_region_create_as("test.c.released", 8192, 0, (krg_consistency)7) != EINVAL) return 20;
  if (krg_region_create_as("test.c.released", 8192, 0, KRG_CONSISTENCY_RELEASE) != 0) return 21;
  if (krg_region_open("test.c.released", 8192, NULL, 0, &region) != 0) return 22;
  char* const bytes = krg_region_address(region);
  bytes[5000] = 3;
  if (krg_region_release(region) != 0 || krg_region_acquire(region) != 0) return 23;
  if (bytes[5000] != 3) return 24;
  krg_region_close(region);
  return krg_region_destroy("test.c.released") == 0 ? 0 : 25;
}

int main(void) {
  const char* const size = getenv("KRG_SIZE");
  const unsigned long ranks = size == NULL ? 1 : strtoul(size, NULL, 10);
  krg_region* region = NULL;
  const int bad = krg_region_open("test.nobody", 0, NULL, 0, &region);
  if (bad != ENOENT || strstr(krg_region_message(), "test.nobody") == NULL) {
    fprintf(stderr, "no such region: %s, %s\n", strerror(bad), krg_region_message());
    return 1;
  }
  if (krg_region_open("test.c", 1 << 20, NULL, KRG_REGION_CREATE, &region) != 0) {
    fprintf(stderr, "%s\n", krg_region_message());
    return 1;
  }
  if (krg_region_size(region) != 1 << 20) return 1;
  unsigned long* const words = krg_region_address(region);
  for (int i = 0; i < 100; i++) __atomic_fetch_add(&words[512], 1, __ATOMIC_SEQ_CST);
  for (int tries = 0; tries < 20000; tries++) {
    if (__atomic_load_n(&words[512], __ATOMIC_SEQ_CST) == 100 * ranks) break;
    usleep(1000);
  }
  if (words[512] != 100 * ranks) return 1;
  krg_region_close(region);
  const char* const rank = getenv("KRG_RANK");
  int step = rank != NULL && atoi(rank) == 0 ? use_all() : 0;
  if (rank != NULL && atoi(rank) == 0 && step == 0) step = use_released();
  if (step != 0) {
    fprintf(stderr, "step %d: %s\n", step, krg_region_message());
    return 1;
  }
  puts("right");
  return 0;
}
