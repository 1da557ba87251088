// region/region_c.h: memory that tasks of all nodes share, for C.
//
// Model    as krg/region/region.h. Functions return 0 or an errno; krg_region_message() says more
//          about the calling thread's last error.
// Threads  safe.
// Blocks   as krg/region/region.h.
// Source   docs/design/mm.md
#ifndef KRG_REGION_REGION_C_H
#define KRG_REGION_REGION_C_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct krg_region krg_region;

enum {
  KRG_REGION_CREATE = 1,    // Make it if there is none.
  KRG_REGION_READ_ONLY = 2  // Map it to be read.
};

// Maps the region `name` of `bytes` bytes; 0, without KRG_REGION_CREATE: whatever size it has.
// `address`: where; NULL: where it is at home. *region is for the two below and the end.
// ENOENT  no such region, or not started by krg; EEXIST  something is mapped there; EINVAL  another
// size, or unknown flags; EMSGSIZE  more than 2^40 bytes
int krg_region_open(const char* name, size_t bytes, void* address, unsigned flags,
                    krg_region** region);
// The same of a region that may grow to `capacity` bytes; none of the name may be there yet. EEXIST
int krg_region_create(const char* name, size_t bytes, size_t capacity);
// The same, of less consistency than sequential: see krg/region/region.h. EINVAL  unknown
typedef enum {
  KRG_CONSISTENCY_SEQUENTIAL,
  KRG_CONSISTENCY_RELEASE,
  KRG_CONSISTENCY_LOCAL
} krg_consistency;
int krg_region_create_as(const char* name, size_t bytes, size_t capacity,
                         krg_consistency consistency);
// What this node's tasks have written is released, and what others have released is seen, when they
// return; locks do both by themselves.
int krg_region_release(krg_region* region);
int krg_region_acquire(krg_region* region);
// The same with so many copies of each page after a krg_region_sync(). EINVAL  not 1 to 8
int krg_region_create_copies(const char* name, size_t bytes, size_t capacity, unsigned copies);
void* krg_region_address(const krg_region* region);
size_t krg_region_size(const krg_region* region);
// On all nodes when they return. EINVAL, EMSGSIZE  0, or more than its capacity
int krg_region_resize(krg_region* region, size_t bytes);
// Who writes what is read-only gets SIGSEGV.
int krg_region_protect(krg_region* region, int read_only);
// Of the pages that have some of these bytes. EINVAL  not all of it is in the region
int krg_region_protect_part(krg_region* region, size_t offset, size_t bytes, int read_only);

// What this node's tasks have written is on as many nodes as the region has copies.
int krg_region_sync(krg_region* region);

// As krg/region/bulk.h. EINVAL  not all of it is in the region, or the two overlap
typedef enum {
  KRG_ADVICE_OWNER,
  KRG_ADVICE_READ_MOSTLY,
  KRG_ADVICE_WILL_NEED,
  KRG_ADVICE_DONT_NEED
} krg_advice;
int krg_region_prefetch(const krg_region* region, size_t offset, size_t bytes);
int krg_region_advise(const krg_region* region, size_t offset, size_t bytes, krg_advice advice);
int krg_region_copy(const krg_region* to, size_t to_offset, const krg_region* from,
                    size_t from_offset, size_t bytes);
int krg_region_fill(const krg_region* region, size_t offset, size_t bytes, int value);

// Unmaps it. NULL is nothing.
void krg_region_close(krg_region* region);
// Ends it on all nodes, as krg::Region::destroy(). ENOENT
int krg_region_destroy(const char* name);
// Of this thread's last error; "" before the first.
const char* krg_region_message(void);

#ifdef __cplusplus
}
#endif

#endif
