/* What the clients of the PMIx library share: a check that ends the process, and a wait for what
 * libpmix's thread will tell. */
#pragma once

#include <pmix.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { kPatience = 30 }; /* Seconds until something is taken for lost. */

static pmix_proc_t me;

static inline void check(bool good, const char* what, pmix_status_t status) {
  if (good) return;
  printf("%s rank %u: %s: WRONG (%s)\n", me.nspace, me.rank, what, PMIx_Error_string(status));
  fflush(stdout);
  exit(1);
}

static inline void must(pmix_status_t status, const char* what) {
  check(status == PMIX_SUCCESS || status == PMIX_OPERATION_SUCCEEDED, what, status);
}

/* One thing that a call-back tells and the main thread waits for. */
struct Told {
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  bool done;
  pmix_status_t status;
  char text[256];
};
#define TOLD_INITIALIZER \
  { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false, PMIX_SUCCESS, "" }

static inline void tell(struct Told* told, pmix_status_t status, const char* text) {
  pthread_mutex_lock(&told->mutex);
  told->done = true;
  told->status = status;
  snprintf(told->text, sizeof told->text, "%s", text != NULL ? text : "");
  pthread_cond_signal(&told->changed);
  pthread_mutex_unlock(&told->mutex);
}

static inline pmix_status_t await(struct Told* told) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += kPatience;
  int late = 0;
  pthread_mutex_lock(&told->mutex);
  while (!told->done && late == 0) {
    late = pthread_cond_timedwait(&told->changed, &told->mutex, &until);
  }
  pthread_mutex_unlock(&told->mutex);
  return told->done ? told->status : PMIX_ERR_TIMEOUT;
}

static inline bool lists(const char* names, const char* name) {
  const size_t size = strlen(name);
  for (const char* at = names; (at = strstr(at, name)) != NULL; at += size) {
    const bool begins = at == names || at[-1] == ',';
    if (begins && (at[size] == ',' || at[size] == 0)) return true;
  }
  return false;
}

static inline const pmix_value_t* found(const char* key, const pmix_info_t* infos, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (PMIX_CHECK_KEY(&infos[i], key)) return &infos[i].value;
  }
  return NULL;
}
