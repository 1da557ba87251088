/* malloc() in a region, in C: rank 0 makes a list, the last rank reads and frees it. Ends with
 * "right" from every rank. */
#include <errno.h>
#include <krg/heap/heap_c.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct node {
  struct node* next;
  unsigned long number;
};

static int fail(const char* what) {
  fprintf(stderr, "%s: %s\n", what, krg_region_message());
  return 1;
}

static int build(krg_heap* heap, struct node** list) {
  struct node* first = NULL;
  for (unsigned long i = 1; i <= 1000; i++) {
    struct node* const one = krg_malloc(heap, sizeof *one);
    if (one == NULL) return 1;
    one->next = first;
    one->number = i;
    first = one;
  }
  unsigned char* const zeros = krg_calloc(heap, 10, 100);
  if (zeros == NULL || zeros[0] != 0 || zeros[999] != 0) return 1;
  unsigned char* const longer = krg_realloc(heap, zeros, 5000);
  if (longer == NULL || longer[999] != 0 || krg_free(heap, longer) != 0) return 1;
  void* const aligned = krg_memalign(heap, 4096, 10);
  if (aligned == NULL || (size_t)aligned % 4096 != 0 || krg_free(heap, aligned) != 0) return 1;
  if (krg_memalign(heap, 24, 10) != NULL || errno != EINVAL) return 1;
  if (krg_malloc(heap, (size_t)1 << 50) != NULL || errno != ENOMEM) return 1;
  if (krg_calloc(heap, (size_t)1 << 40, (size_t)1 << 40) != NULL) return 1;
  if (krg_free(heap, &first) != EINVAL) return 1;
  __atomic_store_n(list, first, __ATOMIC_SEQ_CST);
  return 0;
}

static int take(krg_heap* heap, struct node** list) {
  struct node* first = NULL;
  while ((first = __atomic_load_n(list, __ATOMIC_SEQ_CST)) == NULL) usleep(1000);
  unsigned long sum = 0;
  while (first != NULL) {
    struct node* const next = first->next;
    sum += first->number;
    if (krg_free(heap, first) != 0) return 1;
    first = next;
  }
  return sum == 500500 ? 0 : 1;
}

int main(void) {
  const char* const rank = getenv("KRG_RANK");
  const char* const size = getenv("KRG_SIZE");
  if (rank == NULL || size == NULL) return fail("no rank");
  krg_region* region = NULL;
  krg_region* root = NULL;
  krg_heap* heap = NULL;
  if (krg_region_open("heap.c", 64 << 20, NULL, KRG_REGION_CREATE, &region) != 0)
    return fail("heap");
  if (krg_region_open("heap.c.root", 4096, NULL, KRG_REGION_CREATE, &root) != 0)
    return fail("root");
  if (krg_heap_open(root, &heap) != EINVAL) return fail("a region that is too small");
  if (krg_heap_open(region, &heap) != 0) return fail("open");
  struct node** const list = krg_region_address(root);
  if (atoi(rank) == 0 && build(heap, list) != 0) return fail("build");
  if (atoi(rank) == atoi(size) - 1 && take(heap, list) != 0) return fail("take");
  krg_heap_close(heap);
  krg_region_close(root);
  krg_region_close(region);
  puts("right");
  return 0;
}
