// task/kddm.h: shared objects for C.
//
// Model    as krg/task/space.h. Functions return 0 or an errno; krg_kddm_message() says more about
//          the calling thread's last error. A lease is a handle that krg_kddm_put() ends.
// Threads  safe.
// Blocks   as krg/task/space.h; up to 60 s.
// Source   Kerrighed kddm (kddm_get_object, kddm_grab_object, kddm_put_object)
#ifndef KRG_TASK_KDDM_H
#define KRG_TASK_KDDM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct krg_kddm_space krg_kddm_space;
typedef struct krg_kddm_lease krg_kddm_lease;
typedef struct krg_kddm_range krg_kddm_range;
typedef uint64_t krg_kddm_set;

// What a set is; all zeros but object_bytes is a good beginning.
typedef struct krg_kddm_options {
  uint64_t object_bytes;  // Of each object; the most for variable sizes. 0: a lock.
  uint64_t object_count;  // Object ids are below this; 0: no bound.
  int variable_size;      // Objects begin empty, see krg_kddm_resize().
  unsigned copies;        // Nodes that an acknowledged write is on; 0 means 1.
} krg_kddm_options;

// How an operation is to be made.
enum {
  KRG_KDDM_TRY = 1,      // EAGAIN rather than wait for others.
  KRG_KDDM_NO_TOUCH = 2  // ENOENT rather than create.
};

// Connects this process to the krgd of its node. `gate`: its socket; NULL: KRG_GATE.
int krg_kddm_connect(const char* gate, krg_kddm_space** space);
// Requires  no lease of it is left.
void krg_kddm_disconnect(krg_kddm_space* space);

// A new set; the set of that name, made by who asks first; the end of a set.
int krg_kddm_create(krg_kddm_space* space, const krg_kddm_options* options, krg_kddm_set* set);
int krg_kddm_open(krg_kddm_space* space, const char* name, const krg_kddm_options* options,
                  krg_kddm_set* set);
int krg_kddm_destroy(krg_kddm_space* space, krg_kddm_set set);

// Leases an object for reading, or alone for writing. `*bytes` is valid until krg_kddm_put().
int krg_kddm_get(krg_kddm_space* space, krg_kddm_set set, uint64_t object, unsigned flags,
                 krg_kddm_lease** lease, const void** bytes, size_t* size);
int krg_kddm_grab(krg_kddm_space* space, krg_kddm_set set, uint64_t object, unsigned flags,
                  krg_kddm_lease** lease, void** bytes, size_t* size);
// Of a lease for writing, of an object of variable size: its bytes may move.
int krg_kddm_resize(krg_kddm_space* space, krg_kddm_lease* lease, size_t size, void** bytes);
void krg_kddm_put(krg_kddm_lease* lease);

// Leases of the objects first ... first + count - 1, one after the other, much faster than singly.
int krg_kddm_get_range(krg_kddm_space* space, krg_kddm_set set, uint64_t first, uint64_t count,
                       unsigned flags, krg_kddm_range** range);
int krg_kddm_grab_range(krg_kddm_space* space, krg_kddm_set set, uint64_t first, uint64_t count,
                        unsigned flags, krg_kddm_range** range);
// The next one, as krg_kddm_get() or krg_kddm_grab(); after an error the object after it is next.
// `*lease` is NULL when all have been given. What is leased for reading is not to be written.
int krg_kddm_next(krg_kddm_range* range, krg_kddm_lease** lease, void** bytes, size_t* size);
// Leases that it has given go on. Requires  its space is still there.
void krg_kddm_end_range(krg_kddm_range* range);

int krg_kddm_flush(krg_kddm_space* space, krg_kddm_set set, uint64_t object);
int krg_kddm_sync(krg_kddm_space* space, krg_kddm_set set, uint64_t object);
int krg_kddm_remove(krg_kddm_space* space, krg_kddm_set set, uint64_t object);
int krg_kddm_prefetch(krg_kddm_space* space, krg_kddm_set set, uint64_t object);
int krg_kddm_prefetch_range(krg_kddm_space* space, krg_kddm_set set, uint64_t first,
                            uint64_t count);

// What went wrong last in this thread; "" if nothing has. Valid until its next call.
const char* krg_kddm_message(void);

#ifdef __cplusplus
}
#endif

#endif
