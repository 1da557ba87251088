/* calls_in_c sync PATH | touch PATH | snapshots | bad | sets: as calls_task, in C. */
#include <errno.h>
#include <krg/task/kddm.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static krg_kddm_space* space;
static int wrong;

static void expect(int right, const char* what) {
  if (right) return;
  ++wrong;
  fprintf(stderr, "not so: %s\n", what);
}
/* This errno, and a message that names all of it. */
static void expect_error(int error, int code, const char* thing, const char* more) {
  const char* const said = error == 0 ? "success" : krg_kddm_message();
  if (error == code && strstr(said, thing) != NULL && strstr(said, more) != NULL) return;
  ++wrong;
  fprintf(stderr, "%d \"%s\", not %d, \"%s\", \"%s\"\n", error, said, code, thing, more);
}
static void must(int error, const char* what) {
  if (error == 0) return;
  fprintf(stderr, "%s: %s\n", what, krg_kddm_message());
  exit(1);
}

static krg_kddm_options of_size(size_t bytes) {
  krg_kddm_options options;
  krg_kddm_options_init(&options);
  options.object_bytes = bytes;
  return options;
}
static krg_kddm_set create(krg_kddm_options options) {
  krg_kddm_set set = 0;
  must(krg_kddm_create(space, &options, &set), "a set");
  return set;
}
static krg_kddm_set open_set(const char* name, size_t bytes) {
  const krg_kddm_options options = of_size(bytes);
  krg_kddm_set set = 0;
  must(krg_kddm_open(space, name, &options, &set), name);
  return set;
}
static krg_kddm_options in_file(const char* path) {
  krg_kddm_options options = of_size(4096);
  options.policy = KRG_KDDM_FIXED;
  options.home = 0;
  options.flags = KRG_KDDM_TOUCH_AT_HOME;
  options.linker = "file";
  options.linker_data = path;
  return options;
}
static krg_kddm_lease* grab(krg_kddm_set set, uint64_t object, void** bytes, size_t* size) {
  krg_kddm_lease* lease = NULL;
  must(krg_kddm_grab(space, set, object, 0, &lease, bytes, size), "an object to write");
  return lease;
}
static void fill(krg_kddm_set set, uint64_t object, int value) {
  void* bytes = NULL;
  size_t size = 0;
  krg_kddm_lease* const lease = grab(set, object, &bytes, &size);
  memset(bytes, value, size);
  must(krg_kddm_put(lease), "a put");
}
static krg_kddm_lease* get(krg_kddm_set set, uint64_t object, const void** bytes, size_t* size) {
  krg_kddm_lease* lease = NULL;
  must(krg_kddm_get(space, set, object, 0, &lease, bytes, size), "an object to read");
  return lease;
}
static int all(const void* bytes, size_t size, int value) {
  const unsigned char* const at = bytes;
  for (size_t i = 0; i < size; ++i) {
    if (at[i] != value) return 0;
  }
  return size > 0;
}
static int object_is(krg_kddm_set set, uint64_t object, int value) {
  const void* bytes = NULL;
  size_t size = 0;
  krg_kddm_lease* const lease = get(set, object, &bytes, &size);
  const int is = all(bytes, size, value);
  must(krg_kddm_put(lease), "a put");
  return is;
}

/* --- sync of a set --- */

enum { kObjects = 20 };

/* 1: as written; 0: not. */
static int file_is_right(const char* path) {
  static unsigned char bytes[4096];
  FILE* const file = fopen(path, "rb");
  if (file == NULL) return 0;
  int right = 1;
  for (int i = 0; i < kObjects && right; ++i) {
    right =
        fread(bytes, 1, sizeof bytes, file) == sizeof bytes && all(bytes, sizeof bytes, 'a' + i);
  }
  fclose(file);
  return right;
}

static void sync_all(const char* path) {
  const krg_kddm_set set = create(in_file(path));
  for (int i = 0; i < kObjects; ++i) fill(set, i, 'a' + i);
  expect(!file_is_right(path), "nothing is in the file before");
  expect_error(krg_kddm_sync_set(space, set, 0), ETIMEDOUT, "set ", "timed out");
  must(krg_kddm_sync_set(space, set, 30000), "sync of a set");
  expect(file_is_right(path), "all of it is in the file");
  must(krg_kddm_destroy(space, set), "the end of the set");
  expect_error(krg_kddm_sync_set(space, set, 1000), ENOENT, "set ", "no such set");
  /* Another set, of the same file: its objects are what the file has. */
  const krg_kddm_set again = create(in_file(path));
  for (int i = 0; i < kObjects; ++i) expect(object_is(again, i, 'a' + i), "it is read back");
  expect_error(krg_kddm_sync_set(space, create(of_size(8)), 1000), EOPNOTSUPP, "set ",
               "nowhere but in memory");
  expect_error(krg_kddm_sync_set(space, 123456, 1000), ENOENT, "set 123456", "no such set");
  const krg_kddm_set full = create(in_file("/dev/full"));
  fill(full, 0, 1);
  expect_error(krg_kddm_sync_set(space, full, 10000), ENOSPC, "set ", "the set's linker");
}

/* --- manual first touch --- */

static void touch(const char* path) {
  const krg_kddm_set first = create(in_file(path));
  fill(first, 1, 'x');
  must(krg_kddm_sync_set(space, first, 30000), "sync of a set");
  must(krg_kddm_destroy(space, first), "the end of the set");
  const krg_kddm_set set = create(in_file(path));
  void* bytes = NULL;
  size_t size = 0;
  krg_kddm_lease* lease = NULL;
  expect_error(krg_kddm_get(space, set, 1, KRG_KDDM_MANUAL_TOUCH, &lease, NULL, NULL), EINVAL,
               "object 1 of set ", "a manual first touch");
  must(krg_kddm_grab(space, set, 1, KRG_KDDM_MANUAL_TOUCH, &lease, &bytes, &size), "by hand");
  expect(size == 4096 && all(bytes, size, 0), "the file is not read");
  must(krg_kddm_put(lease), "a put");
}

/* --- snapshots --- */

static void wait_for(krg_kddm_set flags, uint64_t flag) {
  while (!object_is(flags, flag, 1)) usleep(1000);
}
static krg_kddm_snapshot* snapshot_of(krg_kddm_lease* lease, void** bytes) {
  krg_kddm_snapshot* snapshot = NULL;
  size_t size = 0;
  must(krg_kddm_snapshot_of(lease, &snapshot, bytes, &size), "a snapshot");
  expect(size == 1000, "a snapshot is as large as the object");
  return snapshot;
}

static void look_at_snapshots(krg_kddm_set set, krg_kddm_set flags) {
  void *seen = NULL, *written = NULL, *bytes = NULL;
  fill(set, 1, 1);
  krg_kddm_lease* lease = get(set, 1, NULL, NULL);
  krg_kddm_snapshot* const first = snapshot_of(lease, &seen);
  expect_error(krg_kddm_put(lease), EINVAL, "object 1 of set ", "not held");
  fill(flags, 0, 1);
  wait_for(flags, 1);
  expect(all(seen, 1000, 1), "what another node writes does not change it");
  expect(object_is(set, 1, 2), "what another node has written is there");
  fill(set, 1, 3);
  expect(all(seen, 1000, 1), "what this task writes does not change it");
  lease = grab(set, 1, &bytes, NULL);
  memset(bytes, 4, 1000);
  krg_kddm_snapshot* const second = snapshot_of(lease, &written);
  fill(set, 1, 5);
  expect(all(written, 1000, 4), "a writer's has what it has written");
  memset(written, 9, 1000);
  expect(object_is(set, 1, 5), "it may be written without a change of the object");
  krg_kddm_snapshot* none = NULL;
  expect_error(krg_kddm_snapshot_of(lease, &none, NULL, NULL), EINVAL, "object 1 of set ",
               "not held");
  must(krg_kddm_destroy(space, set), "the end of the set");
  expect(all(seen, 1000, 1), "it outlives the set");
  krg_kddm_end_snapshot(first);
  krg_kddm_end_snapshot(second);
}

static void snapshots(const char* rank) {
  const krg_kddm_set set = open_set("calls.snapshots.c", 1000),
                     flags = open_set("calls.flags.c", 1);
  if (strcmp(rank, "0") == 0) {
    look_at_snapshots(set, flags);
    return;
  }
  wait_for(flags, 0);
  fill(set, 1, 2);
  fill(flags, 1, 1);
}

/* --- what is asked wrongly --- */

static void grab_and_put_twice(void) {
  const krg_kddm_set set = create(of_size(8));
  krg_kddm_lease* const first = grab(set, 1, NULL, NULL);
  krg_kddm_lease* lease = NULL;
  krg_kddm_set_timeout(space, 200);
  expect_error(krg_kddm_grab(space, set, 1, 0, &lease, NULL, NULL), ETIMEDOUT, "object 1 of set ",
               "waiting for a shared object");
  krg_kddm_set_timeout(space, 60000);
  expect_error(krg_kddm_grab(space, set, 1, KRG_KDDM_TRY, &lease, NULL, NULL), EAGAIN,
               "object 1 of set ", "others use");
  must(krg_kddm_put(first), "a put");
  krg_kddm_lease* const second = grab(set, 1, NULL, NULL);
  expect_error(krg_kddm_put(first), EINVAL, "object 1 of set ", "not held");
  expect_error(krg_kddm_resize(space, first, 1, NULL), EINVAL, "object 1 of set ", "not held");
  expect_error(krg_kddm_grab(space, set, 1, KRG_KDDM_TRY, &lease, NULL, NULL), EAGAIN, "object 1",
               "others use");
  must(krg_kddm_put(second), "a put");
  expect_error(krg_kddm_put(NULL), EINVAL, "a lease", "not held");
}

static void ids_out_of_range(void) {
  krg_kddm_options options = of_size(8);
  options.object_count = 10;
  const krg_kddm_set set = create(options);
  const char *thing = "object 10 of set ", *why = "an object id";
  krg_kddm_lease* lease = NULL;
  expect_error(krg_kddm_get(space, set, 10, 0, &lease, NULL, NULL), EINVAL, thing, why);
  expect_error(krg_kddm_grab(space, set, 10, 0, &lease, NULL, NULL), EINVAL, thing, why);
  expect_error(krg_kddm_flush(space, set, 10, KRG_KDDM_NO_NODE, 0), EINVAL, thing, why);
  expect_error(krg_kddm_sync(space, set, 10, 0), EINVAL, thing, why);
  expect_error(krg_kddm_remove(space, set, 10, 0), EINVAL, thing, why);
  expect_error(krg_kddm_prefetch(space, set, 10, 0), EINVAL, thing, why);
  expect_error(krg_kddm_prefetch_range(space, set, 5, 10, KRG_KDDM_TO_WRITE), EINVAL, "set ", why);
  expect(krg_kddm_find(space, set, 10) == 0, "it is not found");
  krg_kddm_range* range = NULL;
  must(krg_kddm_get_range(space, set, 10, 1, 0, &range), "a range");
  expect_error(krg_kddm_next(range, &lease, NULL, NULL), EINVAL, thing, why);
  krg_kddm_end_range(range);
}

static void too_large(void) {
  krg_kddm_set set = 0;
  krg_kddm_options options = of_size(((size_t)1 << 30) + 1);
  expect_error(krg_kddm_create(space, &options, &set), EINVAL, "a new set", "objects over 1 GiB");
  options = of_size(100);
  options.variable_size = 1;
  void* bytes = NULL;
  krg_kddm_lease* lease = grab(create(options), 1, &bytes, NULL);
  must(krg_kddm_resize(space, lease, 100, &bytes), "the most");
  memset(bytes, 1, 100);
  expect_error(krg_kddm_resize(space, lease, 101, &bytes), EINVAL, "object 1 of set ", "a size");
  expect(all(bytes, 100, 1), "the lease goes on");
  must(krg_kddm_put(lease), "a put");
  lease = get(create(of_size(100)), 1, NULL, NULL);
  expect_error(krg_kddm_resize(space, lease, 99, NULL), EINVAL, "object 1 of set ",
               "does not write");
  must(krg_kddm_put(lease), "a put");
}

static void what_is_not_there(void) {
  krg_kddm_set set = 0;
  krg_kddm_lease* lease = NULL;
  expect_error(krg_kddm_look_up(space, "nobody's", &set), ENOENT, "the set \"nobody's\"",
               "no set of this name");
  expect_error(krg_kddm_unbind(space, "nobody's"), ENOENT, "the set \"nobody's\"", "not found");
  expect_error(krg_kddm_get(space, 123456, 7, 0, &lease, NULL, NULL), ENOENT,
               "object 7 of set 123456", "no such set");
  expect_error(krg_kddm_destroy(space, 123456), ENOENT, "set 123456", "no such set");
  set = create(of_size(8));
  expect_error(krg_kddm_get(space, set, 7, KRG_KDDM_NO_TOUCH, &lease, NULL, NULL), ENOENT,
               "object 7 of set ", "no such object");
  expect_error(krg_kddm_remove(space, set, 7, 0), ENOENT, "object 7 of set ", "no such object");
  krg_kddm_options options = of_size(8);
  options.linker = "nobody's";
  expect_error(krg_kddm_create(space, &options, &set), EINVAL, "a new set",
               "no linker of this name");
  options.size = 0;
  expect_error(krg_kddm_open(space, "x", &options, &set), EINVAL, "the set \"x\"", "size");
}

struct wait {
  krg_kddm_set set;
  int error;
  char message[256];
};
static void* wait_in_vain(void* of) {
  struct wait* const wait = of;
  krg_kddm_lease* lease = NULL;
  wait->error = krg_kddm_grab(space, wait->set, 1, 0, &lease, NULL, NULL);
  snprintf(wait->message, sizeof wait->message, "%s", krg_kddm_message());
  return NULL;
}

static void destroyed_while_in_use(void) {
  struct wait wait;
  memset(&wait, 0, sizeof wait);
  wait.set = create(of_size(8));
  void* bytes = NULL;
  krg_kddm_lease* lease = grab(wait.set, 1, &bytes, NULL);
  pthread_t thread;
  if (pthread_create(&thread, NULL, wait_in_vain, &wait) != 0) exit(1);
  usleep(100000);
  must(krg_kddm_destroy(space, wait.set), "the end of a set in use");
  pthread_join(thread, NULL);
  expect(wait.error == ENOENT && strstr(wait.message, "object 1 of set ") != NULL &&
             strstr(wait.message, "no such set") != NULL,
         "who waits in a destroyed set is told so");
  memset(bytes, 1, 8);
  must(krg_kddm_put(lease), "a put after the end of the set");
  expect_error(krg_kddm_get(space, wait.set, 1, 0, &lease, NULL, NULL), ENOENT, "object 1 of set ",
               "no such set");
  fill(create(of_size(8)), 1, 1);
}

/* --- without waiting --- */

static void statistics(void) {
  const krg_kddm_set set = create(of_size(8));
  krg_kddm_counts before, now;
  memset(&before, 0, sizeof before);
  expect_error(krg_kddm_statistics(space, &before), EINVAL, "statistics", "size");
  before.size = now.size = sizeof before;
  must(krg_kddm_statistics(space, &before), "statistics");
  fill(set, 1, 1);
  for (int i = 0; i < 10; ++i) expect(object_is(set, 1, 1), "what was written is there");
  must(krg_kddm_statistics(space, &now), "statistics");
  expect(now.size == sizeof now && now.gets - before.gets == 10 && now.grabs - before.grabs == 1 &&
             now.misses > before.misses && now.waited_ns > before.waited_ns,
         "gets, grabs and misses are counted");
}

static void async(void) {
  const krg_kddm_set set = create(of_size(8));
  krg_kddm_started* started = NULL;
  krg_kddm_lease* lease = NULL;
  void* bytes = NULL;
  size_t size = 0;
  fill(set, 1, 1);
  /* What krgd has just given is frozen for an instant: then it is no hit yet. */
  for (int i = 0; i < 2000; ++i) {
    must(krg_kddm_start_get(space, set, 1, 0, &started), "a get");
    if (krg_kddm_is_ready(started)) break;
    must(krg_kddm_finish(started, 20000, &lease, NULL, NULL), "a get");
    must(krg_kddm_put(lease), "a put");
    usleep(1000);
  }
  expect(krg_kddm_is_ready(started) == 1, "a hit is there at once");
  must(krg_kddm_finish(started, 0, &lease, &bytes, &size), "the get");
  expect(size == 8 && all(bytes, size, 1), "it is the object");
  must(krg_kddm_start_grab(space, set, 1, 0, &started), "a grab of what is read");
  krg_kddm_lease* second = NULL;
  expect_error(krg_kddm_finish(started, 20, &second, NULL, NULL), EINPROGRESS, "object 1 of set ",
               "still goes on");
  must(krg_kddm_put(lease), "a put");
  must(krg_kddm_finish(started, 20000, &second, &bytes, &size), "the grab");
  memset(bytes, 2, size);
  must(krg_kddm_start_grab(space, set, 1, 0, &started), "a grab of what is written");
  krg_kddm_drop(started);
  must(krg_kddm_put(second), "a put");
  expect(object_is(set, 1, 2), "a dropped grab does not stay");
  must(krg_kddm_start_sync(space, set, 1, 0, &started), "a sync");
  must(krg_kddm_finish(started, 20000, NULL, NULL, NULL), "the sync");
  must(krg_kddm_start_flush(space, set, 1, KRG_KDDM_NO_NODE, 0, &started), "a flush");
  krg_kddm_drop(started);
  must(krg_kddm_start_remove(space, set, 1, 0, &started), "a removal");
  must(krg_kddm_finish(started, 20000, NULL, NULL, NULL), "the removal");
  must(krg_kddm_start_remove(space, set, 1, 0, &started), "another one");
  expect_error(krg_kddm_finish(started, 20000, NULL, NULL, NULL), ENOENT, "object 1 of set ",
               "no such object");
}

/* --- name spaces --- */

static void name_spaces(const char* rank) {
  char name[64];
  snprintf(name, sizeof name, "calls.space.%s", rank);
  krg_kddm_name_space made = 0, found = 0;
  must(krg_kddm_create_name_space(space, name, &made), "a name space");
  must(krg_kddm_find_name_space(space, name, &found), "a name space");
  expect(made != 0 && found == made, "it is found by its name");
  expect_error(krg_kddm_create_name_space(space, name, &found), EEXIST, name, "has this name");
  krg_kddm_options options = of_size(8), seen;
  krg_kddm_set set = 0, other = 0;
  must(krg_kddm_open(space, name, &options, &other), "a set of the default one");
  options.name_space = made;
  must(krg_kddm_open(space, name, &options, &set), "a set of the same name");
  expect(set != other, "a name means a set in each");
  must(krg_kddm_open(space, name, &options, &other), "the set again");
  expect(set == other, "it is the same one");
  krg_kddm_options_init(&seen);
  must(krg_kddm_describe(space, set, &seen), "what it is");
  expect(seen.name_space == made, "it is in its name space");
  fill(set, 1, 1);
  must(krg_kddm_destroy_name_space(space, made), "the end of the name space");
  krg_kddm_lease* lease = NULL;
  expect_error(krg_kddm_get(space, set, 1, 0, &lease, NULL, NULL), ENOENT, "object 1 of set ",
               "no such set");
  expect_error(krg_kddm_create(space, &options, &set), ENOENT, "a new set", "no such name space");
  expect_error(krg_kddm_destroy_name_space(space, made), ENOENT, "name space ", "no such");
  expect_error(krg_kddm_destroy_name_space(space, 0), EACCES, "name space 0", "the default");
  must(krg_kddm_look_up(space, name, &other), "what is in the default one stays");
}

/* --- sets of all kinds --- */

static void sets(const char* rank) {
  krg_kddm_options options = of_size(16), seen;
  krg_kddm_set set = 0, found = 0;
  char name[64];
  snprintf(name, sizeof name, "calls.sets.%s", rank);
  options.object_count = 1000;
  options.policy = KRG_KDDM_ROUND_ROBIN;
  options.nodes = "0,1-2";
  options.copies = 2;
  must(krg_kddm_open(space, name, &options, &set), "round robin");
  for (int i = 0; i < 10; ++i) fill(set, i, i);
  for (int i = 0; i < 10; ++i) expect(object_is(set, i, i), "what was written is there");
  expect(krg_kddm_find(space, set, 3) == 1 && krg_kddm_find(space, set, 999) == 0, "find");
  krg_kddm_options_init(&seen);
  must(krg_kddm_describe(space, set, &seen), "what it is");
  expect(seen.object_bytes == 16 && seen.object_count == 1000 && seen.copies == 2 &&
             seen.policy == KRG_KDDM_ROUND_ROBIN && seen.home == KRG_KDDM_NO_NODE &&
             strcmp(seen.nodes, "0-2") == 0 && strcmp(seen.linker, "memory") == 0 &&
             seen.linker_data == NULL,
         "it is what was asked for");
  must(krg_kddm_look_up(space, name, &found), name);
  expect(found == set, "the name is the set's");
  options.copies = 3;
  expect_error(krg_kddm_open(space, name, &options, &found), EEXIST, name, "other options");
  must(krg_kddm_unbind(space, name), "the name's end");
  must(krg_kddm_bind(space, name, set), "the name again");
  expect_error(krg_kddm_bind(space, name, set), EEXIST, name, "has this name");
  options = of_size(8);
  options.policy = KRG_KDDM_LINKER;
  options.flags = KRG_KDDM_TOUCH_AT_HOME;
  set = create(options);
  fill(set, 1, 1);
  must(krg_kddm_sync(space, set, 1, 0), "sync");
  must(krg_kddm_prefetch(space, set, 1, KRG_KDDM_TRY), "prefetch");
  must(krg_kddm_remove(space, set, 1, 0), "remove");
  must(krg_kddm_prefetch_range(space, set, 0, 20, KRG_KDDM_TO_WRITE), "prefetch to write");
  expect(krg_kddm_find(space, set, 19) == 1, "it is here");
  krg_kddm_prefetched* coming = NULL;
  must(krg_kddm_start_prefetch(space, set, 100, 500, 0, &coming), "a prefetch");
  while (!krg_kddm_is_prefetched(coming)) usleep(1000);
  must(krg_kddm_end_prefetch(coming), "a prefetch");
  expect(krg_kddm_find(space, set, 599) == 1 && krg_kddm_find(space, set, 600) == 0,
         "they are here");
  expect_error(krg_kddm_start_prefetch(space, set, 0, 4097, 0, &coming), EINVAL, "set ", "4,096");
  const krg_kddm_set chosen = 600 + (krg_kddm_set)atol(rank);
  must(krg_kddm_create_as(space, chosen, &options), "a chosen id");
  expect_error(krg_kddm_create_as(space, chosen, &options), EEXIST, "set 60", "a set of this id");
  must(krg_kddm_destroy(space, chosen), "its end");
}

int main(int argc, char** argv) {
  const char* const rank = getenv("KRG_RANK");
  if (argc < 2 || rank == NULL) return 2;
  must(krg_kddm_connect(NULL, &space), "connecting to krgd");
  if (strcmp(argv[1], "sync") == 0 && argc == 3) {
    char path[4096];
    snprintf(path, sizeof path, "%s.%s", argv[2], rank);
    sync_all(path);
  } else if (strcmp(argv[1], "touch") == 0 && argc == 3) {
    char path[4096];
    snprintf(path, sizeof path, "%s.%s", argv[2], rank);
    touch(path);
  } else if (strcmp(argv[1], "snapshots") == 0) {
    snapshots(rank);
  } else if (strcmp(argv[1], "bad") == 0) {
    grab_and_put_twice();
    ids_out_of_range();
    too_large();
    what_is_not_there();
    destroyed_while_in_use();
  } else if (strcmp(argv[1], "sets") == 0) {
    sets(rank);
    name_spaces(rank);
    async();
    statistics();
  } else {
    return 2;
  }
  krg_kddm_disconnect(space);
  puts(wrong == 0 ? "right" : "WRONG");
  return wrong == 0 ? 0 : 1;
}
