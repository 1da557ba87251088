// heap/heap_c.h: malloc() in a region, for C.
//
// Model    as krg/heap/heap.h.
// Threads  safe.
// Blocks   as krg/heap/heap.h.
// Source   docs/design/mm.md, "Heap"; malloc(3), memalign(3)
#ifndef KRG_HEAP_HEAP_C_H
#define KRG_HEAP_HEAP_C_H

#include <krg/region/region_c.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct krg_heap krg_heap;

// The heap in `region`, which is closed after it. 0 or an errno: EINVAL  something else is there,
// or it is too small; EACCES  it was opened to be read; ENOSPC  too many processes have it
int krg_heap_open(const krg_region* region, krg_heap** heap);
// What is allocated stays. NULL is nothing.
void krg_heap_close(krg_heap* heap);

// As malloc(3) and so on; NULL with ENOMEM: the region is full. krg_memalign() with EINVAL: no
// power of two.
void* krg_malloc(krg_heap* heap, size_t bytes);
void* krg_calloc(krg_heap* heap, size_t count, size_t bytes);
void* krg_realloc(krg_heap* heap, void* block, size_t bytes);
void* krg_memalign(krg_heap* heap, size_t align, size_t bytes);
// Also what another process has allocated. 0, or EINVAL: no block of this heap
int krg_free(krg_heap* heap, void* block);

#ifdef __cplusplus
}
#endif

#endif
