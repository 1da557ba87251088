// task/kddm.h: shared objects for C.
//
// Model    as krg/task/space.h. Functions return 0 or an errno; krg_kddm_message() says more about
//          the calling thread's last error. A lease is a handle that krg_kddm_put() ends.
// Threads  safe.
// Blocks   as krg/task/space.h; up to krg_kddm_set_timeout().
// Source   Kerrighed kddm (kddm_get_object, kddm_grab_object, kddm_put_object)
#ifndef KRG_TASK_KDDM_H
#define KRG_TASK_KDDM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct krg_kddm_space krg_kddm_space;
typedef struct krg_kddm_lease krg_kddm_lease;
typedef struct krg_kddm_range krg_kddm_range;
typedef struct krg_kddm_snapshot krg_kddm_snapshot;
typedef struct krg_kddm_prefetched krg_kddm_prefetched;
typedef struct krg_kddm_started krg_kddm_started;
typedef uint64_t krg_kddm_set;
typedef uint32_t krg_kddm_name_space;

#define KRG_KDDM_NO_NODE 0xffffffffu

// Who is home of an object.
enum {
  KRG_KDDM_HASH = 0,         // Spread evenly.
  KRG_KDDM_FIXED = 1,        // `home`
  KRG_KDDM_ROUND_ROBIN = 2,  // Object i at the (i mod n)-th of `nodes`.
  KRG_KDDM_LINKER = 3        // Where the linker says; for "file" that is `home`.
};
// Of a set.
enum {
  KRG_KDDM_TOUCH_AT_HOME = 2  // The first touch runs at the home: for what lies in a file.
};

// What a set is. krg_kddm_options_init(), then what differs.
//
// New fields come at the end. `size` says which ones the program was compiled with: the others are
// taken as krg_kddm_options_init() leaves them; and a library that is older than the program
// refuses fields that it does not know, unless they are zero.
typedef struct krg_kddm_options {
  size_t size;            // sizeof(krg_kddm_options)
  uint64_t object_bytes;  // Of each object; the most for variable sizes. 0: a lock.
  uint64_t object_count;  // Object ids are below this; 0: no bound.
  int variable_size;      // Objects begin empty, see krg_kddm_resize().
  unsigned copies;        // Nodes that an acknowledged write is on; 0 means 1.
  unsigned flags;         // KRG_KDDM_TOUCH_AT_HOME ...
  int policy;             // KRG_KDDM_HASH ...
  uint32_t home;          // KRG_KDDM_FIXED; KRG_KDDM_NO_NODE: none.
  krg_kddm_name_space
      name_space;           // In which it is, and its name; 0: the one of the krg_kddm_space.
  const char* nodes;        // KRG_KDDM_ROUND_ROBIN: "2,3,6-10". NULL: none.
  const char* linker;       // "memory", "file" ...; NULL: memory.
  const char* linker_data;  // What it needs to know; for "file" the absolute path. NULL: nothing.
} krg_kddm_options;

// What this process has asked for leases. Sizes as of krg_kddm_options: set it before the call.
typedef struct krg_kddm_counts {
  size_t size;         // sizeof(krg_kddm_counts)
  uint64_t gets;       // Hits and misses.
  uint64_t grabs;      // The same.
  uint64_t misses;     // Of both: krgd was asked.
  uint64_t waits;      // Of the misses: the object was here, and others used it.
  uint64_t waited_ns;  // For krgd's answers to krg_kddm_get() and krg_kddm_grab().
} krg_kddm_counts;

static inline void krg_kddm_options_init(krg_kddm_options* options) {
  memset(options, 0, sizeof *options);
  options->size = sizeof *options;
  options->home = KRG_KDDM_NO_NODE;
}

// How an operation is to be made.
enum {
  KRG_KDDM_TRY = 1,       // EAGAIN rather than wait for others.
  KRG_KDDM_NO_TOUCH = 2,  // ENOENT rather than create.
  KRG_KDDM_TO_WRITE = 4,  // krg_kddm_prefetch_range(): for a grab.
  // A grab: what does not exist is made of zeros, or without bytes if sizes vary, and the set's
  // linker is not asked (a file is not read): the caller fills it. EINVAL for who only reads.
  KRG_KDDM_MANUAL_TOUCH = 8
};

// Connects this process to the krgd of its node. `gate`: its socket; NULL: KRG_GATE.
int krg_kddm_connect(const char* gate, krg_kddm_space** space);
// The same for the sets and names of a name space, which is made by who asks first.
int krg_kddm_connect_in(const char* gate, const char* name_space, krg_kddm_space** space);
// Ends leases that are left. Requires  no other call of it is under way, and no range is left.
void krg_kddm_disconnect(krg_kddm_space* space);
// How long each call about objects may take from now on, of a range all of it; at first 60 s.
void krg_kddm_set_timeout(krg_kddm_space* space, uint64_t milliseconds);

// A new set; one of an id that the caller has chosen, below 1,024; the set of that name, made by
// who asks first.
int krg_kddm_create(krg_kddm_space* space, const krg_kddm_options* options, krg_kddm_set* set);
int krg_kddm_create_as(krg_kddm_space* space, krg_kddm_set wanted, const krg_kddm_options* options);
int krg_kddm_open(krg_kddm_space* space, const char* name, const krg_kddm_options* options,
                  krg_kddm_set* set);
int krg_kddm_destroy(krg_kddm_space* space, krg_kddm_set set);
// What a set is. Requires  options->size is set. Strings are valid until the thread's next call.
int krg_kddm_describe(krg_kddm_space* space, krg_kddm_set set, krg_kddm_options* options);
int krg_kddm_bind(krg_kddm_space* space, const char* name, krg_kddm_set set);
int krg_kddm_look_up(krg_kddm_space* space, const char* name, krg_kddm_set* set);
int krg_kddm_unbind(krg_kddm_space* space, const char* name);
// Writes back all objects of the set that were written, on all nodes, if its linker does that.
int krg_kddm_sync_set(krg_kddm_space* space, krg_kddm_set set, uint64_t timeout_milliseconds);

// Name spaces: each has sets and names of its own; 0, "default", is always there. One is destroyed
// with all that is in it; after ETIMEDOUT a part has gone, and it may be called again.
int krg_kddm_create_name_space(krg_kddm_space* space, const char* name, krg_kddm_name_space* made);
int krg_kddm_find_name_space(krg_kddm_space* space, const char* name, krg_kddm_name_space* found);
int krg_kddm_destroy_name_space(krg_kddm_space* space, krg_kddm_name_space name_space);

// Leases an object for reading, or alone for writing. `*bytes` is valid until krg_kddm_put().
int krg_kddm_get(krg_kddm_space* space, krg_kddm_set set, uint64_t object, unsigned flags,
                 krg_kddm_lease** lease, const void** bytes, size_t* size);
int krg_kddm_grab(krg_kddm_space* space, krg_kddm_set set, uint64_t object, unsigned flags,
                  krg_kddm_lease** lease, void** bytes, size_t* size);
// Of a lease for writing, of an object of variable size: its bytes may move.
int krg_kddm_resize(krg_kddm_space* space, krg_kddm_lease* lease, size_t size, void** bytes);
// EINVAL for a lease that was put before: that is sure for the last 64 of the space, and as long as
// the space is there.
int krg_kddm_put(krg_kddm_lease* lease);
// Puts, and gives what the lease saw as a copy of the caller's own, which later writers do not
// change; it may be written, and outlives set and space. Also if it fails by ENOMEM, the lease is
// put.
int krg_kddm_snapshot_of(krg_kddm_lease* lease, krg_kddm_snapshot** snapshot, void** bytes,
                         size_t* size);
void krg_kddm_end_snapshot(krg_kddm_snapshot* snapshot);

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

// `to`: who gets what only this node has; KRG_KDDM_NO_NODE: any.
int krg_kddm_flush(krg_kddm_space* space, krg_kddm_set set, uint64_t object, uint32_t to,
                   unsigned flags);
int krg_kddm_sync(krg_kddm_space* space, krg_kddm_set set, uint64_t object, unsigned flags);
int krg_kddm_remove(krg_kddm_space* space, krg_kddm_set set, uint64_t object, unsigned flags);
int krg_kddm_prefetch(krg_kddm_space* space, krg_kddm_set set, uint64_t object, unsigned flags);
int krg_kddm_prefetch_range(krg_kddm_space* space, krg_kddm_set set, uint64_t first, uint64_t count,
                            unsigned flags);
// The same without waiting; of 4,096 at most. EAGAIN: 64 calls of the process are under way.
int krg_kddm_start_prefetch(krg_kddm_space* space, krg_kddm_set set, uint64_t first, uint64_t count,
                            unsigned flags, krg_kddm_prefetched** prefetched);
// 1: krg_kddm_end_prefetch() would not wait; else 0.
int krg_kddm_is_prefetched(const krg_kddm_prefetched* prefetched);
// Waits for it, and tells how it went. To be called once for each.
int krg_kddm_end_prefetch(krg_kddm_prefetched* prefetched);
// The calls above without waiting. EAGAIN: 64 calls of the process are under way. A lease begins
// when it is granted, and keeps others out from then on, finished or not.
int krg_kddm_start_get(krg_kddm_space* space, krg_kddm_set set, uint64_t object, unsigned flags,
                       krg_kddm_started** started);
int krg_kddm_start_grab(krg_kddm_space* space, krg_kddm_set set, uint64_t object, unsigned flags,
                        krg_kddm_started** started);
int krg_kddm_start_flush(krg_kddm_space* space, krg_kddm_set set, uint64_t object, uint32_t to,
                         unsigned flags, krg_kddm_started** started);
int krg_kddm_start_sync(krg_kddm_space* space, krg_kddm_set set, uint64_t object, unsigned flags,
                        krg_kddm_started** started);
int krg_kddm_start_remove(krg_kddm_space* space, krg_kddm_set set, uint64_t object, unsigned flags,
                          krg_kddm_started** started);
// 1: krg_kddm_finish() would not wait; else 0.
int krg_kddm_is_ready(const krg_kddm_started* started);
// Waits so long at most, and tells how it went. EINPROGRESS: it still goes on, and is to be
// finished later; else `started` is gone. A get or a grab gives its lease; what it was for reading
// is not to be written. Of the others `lease`, `bytes` and `size` may be NULL.
int krg_kddm_finish(krg_kddm_started* started, uint64_t timeout_milliseconds,
                    krg_kddm_lease** lease, void** bytes, size_t* size);
// Gives it up, and its lease back. Requires  its space is still there.
void krg_kddm_drop(krg_kddm_started* started);
// Since it was connected.
int krg_kddm_statistics(krg_kddm_space* space, krg_kddm_counts* counts);
// 1: this node has a copy that may be read; else 0.
int krg_kddm_find(krg_kddm_space* space, krg_kddm_set set, uint64_t object);

// What went wrong last in this thread; "" if nothing has. Valid until its next call.
const char* krg_kddm_message(void);

#ifdef __cplusplus
}
#endif

#endif
