/* A region in C: each rank adds to a word, and all see the sum. Ends with "right" from every rank.
 */
#include <errno.h>
#include <krg/region/region_c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
  puts("right");
  return 0;
}
