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
void* krg_region_address(const krg_region* region);
size_t krg_region_size(const krg_region* region);
// Unmaps it. NULL is nothing.
void krg_region_close(krg_region* region);
// Ends it on all nodes. ENOENT
int krg_region_destroy(const char* name);
// Of this thread's last error; "" before the first.
const char* krg_region_message(void);

#ifdef __cplusplus
}
#endif

#endif
