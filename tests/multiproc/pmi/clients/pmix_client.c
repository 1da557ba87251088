/* A raw client of PMIx: each mode is one promise of the server, checked by every rank, which then
 * writes one line that ends in ": ok".
 * usage: pmix_client MODE, a name of the table below. */
#include "pmix_client.h"

#include <signal.h>
#include <stdint.h>
#include <unistd.h>

static uint32_t size;

static void fence(bool collect) {
  pmix_proc_t all;
  pmix_info_t info;
  PMIX_PROC_LOAD(&all, me.nspace, PMIX_RANK_WILDCARD);
  PMIX_INFO_LOAD(&info, PMIX_COLLECT_DATA, &collect, PMIX_BOOL);
  must(PMIx_Fence(&all, 1, &info, 1), "fence");
}

static void put(const char* key) {
  char text[64];
  pmix_value_t value;
  snprintf(text, sizeof text, "%s of %u", key, me.rank);
  PMIX_VALUE_LOAD(&value, text, PMIX_STRING);
  must(PMIx_Put(PMIX_GLOBAL, key, &value), "put");
  PMIX_VALUE_DESTRUCT(&value);
  must(PMIx_Commit(), "commit");
}

static bool is_of(const char* text, const char* key, uint32_t rank) {
  char wanted[64];
  snprintf(wanted, sizeof wanted, "%s of %u", key, rank);
  return strcmp(text, wanted) == 0;
}

/* What all ranks have put under `key`, asked with one directive. */
static void get_all(const char* key, const char* directive, const void* argument,
                    pmix_data_type_t type) {
  pmix_info_t info;
  PMIX_INFO_LOAD(&info, directive, argument, type);
  for (uint32_t rank = 0; rank < size; rank++) {
    pmix_proc_t of;
    pmix_value_t* value = NULL;
    PMIX_PROC_LOAD(&of, me.nspace, rank);
    must(PMIx_Get(&of, key, &info, 1, &value), "get");
    check(value->type == PMIX_STRING && is_of(value->data.string, key, rank), "value", 0);
    PMIX_VALUE_RELEASE(value);
  }
}

/* The fence brings everything: nobody needs to be asked. */
static void collecting_fence(void) {
  const bool yes = true;
  put("krg.collected");
  fence(true);
  get_all("krg.collected", PMIX_IMMEDIATE, &yes, PMIX_BOOL);
}

static void plain_fence(void) {
  const int patience = kPatience;
  put("krg.plain");
  fence(false);
  get_all("krg.plain", PMIX_TIMEOUT, &patience, PMIX_INT);
  fence(false);
}

static void direct_modex(void) {
  const int patience = kPatience;
  put("krg.direct");
  get_all("krg.direct", PMIX_TIMEOUT, &patience, PMIX_INT);
  fence(false);
}

static void got(pmix_status_t status, pmix_value_t* value, void* told) {
  const bool text = status == PMIX_SUCCESS && value != NULL && value->type == PMIX_STRING;
  tell(told, status, text ? value->data.string : "");
}

/* The last rank is asked for a key before it puts it, and after it has committed another. */
static void late_key(void) {
  const int patience = kPatience;
  struct Told told = TOLD_INITIALIZER;
  pmix_proc_t of;
  pmix_info_t info;
  PMIX_PROC_LOAD(&of, me.nspace, size - 1);
  PMIX_INFO_LOAD(&info, PMIX_TIMEOUT, &patience, PMIX_INT);
  put("krg.early");
  fence(false);
  if (me.rank != of.rank) must(PMIx_Get_nb(&of, "krg.late", &info, 1, got, &told), "get_nb");
  fence(false);
  if (me.rank == of.rank) {
    put("krg.late");
  } else {
    must(await(&told), "the key that came late");
    check(is_of(told.text, "krg.late", of.rank), "value", 0);
  }
  fence(false);
}

static void named(pmix_status_t status, pmix_pdata_t data[], size_t count, void* told) {
  const bool text = status == PMIX_SUCCESS && count == 1 && data[0].value.type == PMIX_STRING;
  tell(told, status, text ? data[0].value.data.string : "");
}

/* A look-up finds, waits, and no longer finds. */
static void names(void) {
  const bool yes = true;
  struct Told told = TOLD_INITIALIZER;
  char* waited[] = {"krg.waited", NULL};
  pmix_info_t wait, info;
  pmix_pdata_t data;
  PMIX_INFO_LOAD(&wait, PMIX_WAIT, &yes, PMIX_BOOL);
  PMIX_PDATA_CONSTRUCT(&data);
  strcpy(data.key, "krg.name");
  if (me.rank == 0) {
    PMIX_INFO_LOAD(&info, "krg.name", "port 7", PMIX_STRING);
    must(PMIx_Publish(&info, 1), "publish");
  } else {
    must(PMIx_Lookup_nb(waited, &wait, 1, named, &told), "lookup_nb");
  }
  fence(false);
  must(PMIx_Lookup(&data, 1, NULL, 0), "lookup");
  check(data.value.type == PMIX_STRING && strcmp(data.value.data.string, "port 7") == 0 &&
            data.proc.rank == 0 && PMIX_CHECK_NSPACE(data.proc.nspace, me.nspace),
        "what is published", 0);
  fence(false);
  if (me.rank == 0) {
    char* gone[] = {"krg.name", NULL};
    must(PMIx_Unpublish(gone, NULL, 0), "unpublish");
    PMIX_INFO_LOAD(&info, "krg.waited", "at last", PMIX_STRING);
    must(PMIx_Publish(&info, 1), "publish again");
  } else {
    must(await(&told), "a look-up that waits");
    check(strcmp(told.text, "at last") == 0, "what was waited for", 0);
  }
  fence(false);
  const pmix_status_t status = PMIx_Lookup(&data, 1, NULL, 0);
  check(status == PMIX_ERR_NOT_FOUND, "a name that is no longer", status);
}

static const pmix_status_t kNews = PMIX_EXTERNAL_ERR_BASE - 17;
static struct Told news = TOLD_INITIALIZER;
static struct Told registered = TOLD_INITIALIZER;

static void on_news(size_t handler, pmix_status_t status, const pmix_proc_t* source,
                    pmix_info_t info[], size_t infos, pmix_info_t* results, size_t result_count,
                    pmix_event_notification_cbfunc_fn_t done, void* data) {
  (void)handler, (void)results, (void)result_count;
  const pmix_value_t* text = found("krg.text", info, infos);
  const bool good = source->rank == 0 && text != NULL && text->type == PMIX_STRING;
  tell(&news, status, good ? text->data.string : "");
  if (done != NULL) done(PMIX_EVENT_ACTION_COMPLETE, NULL, 0, NULL, NULL, data);
}

static void on_registered(pmix_status_t status, size_t handler, void* data) {
  (void)handler, (void)data;
  tell(&registered, status, NULL);
}

/* Rank 0 has news for all others. */
static void event(void) {
  pmix_status_t code = kNews;
  pmix_info_t info;
  PMIx_Register_event_handler(&code, 1, NULL, 0, on_news, on_registered, NULL);
  must(await(&registered), "registering a handler");
  fence(false);
  if (me.rank == 0) {
    PMIX_INFO_LOAD(&info, "krg.text", "the news", PMIX_STRING);
    must(PMIx_Notify_event(code, &me, PMIX_RANGE_NAMESPACE, &info, 1, NULL, NULL), "notify");
  } else {
    check(await(&news) == kNews, "the event", news.status);
    check(strcmp(news.text, "the news") == 0, "what the event says", 0);
  }
  fence(false);
}

/* The name spaces, and of ours every process, by rank. */
static void query(void) {
  pmix_query_t query;
  pmix_info_t* info = NULL;
  size_t infos = 0;
  PMIX_QUERY_CONSTRUCT(&query);
  must(pmix_argv_append_nosize(&query.keys, PMIX_QUERY_NAMESPACES), "a key");
  must(PMIx_Query_info(&query, 1, &info, &infos), "query of name spaces");
  const pmix_value_t* spaces = found(PMIX_QUERY_NAMESPACES, info, infos);
  check(spaces != NULL && spaces->type == PMIX_STRING && lists(spaces->data.string, me.nspace),
        "the name spaces", 0);

  PMIX_QUERY_CONSTRUCT(&query);
  must(pmix_argv_append_nosize(&query.keys, PMIX_QUERY_PROC_TABLE), "a key");
  PMIX_QUERY_QUALIFIERS_CREATE(&query, 1);
  PMIX_INFO_LOAD(&query.qualifiers[0], PMIX_NSPACE, me.nspace, PMIX_STRING);
  must(PMIx_Query_info(&query, 1, &info, &infos), "query of processes");
  const pmix_value_t* table = found(PMIX_QUERY_PROC_TABLE, info, infos);
  check(
      table != NULL && table->type == PMIX_DATA_ARRAY && table->data.darray->type == PMIX_PROC_INFO,
      "the table's type", 0);
  const pmix_proc_info_t* one = table->data.darray->array;
  check(table->data.darray->size == size, "the number of processes", 0);
  for (uint32_t rank = 0; rank < size; rank++) {
    check(one[rank].proc.rank == rank && one[rank].pid > 0 && one[rank].hostname != NULL &&
              one[rank].state == PMIX_PROC_STATE_RUNNING,
          "a process of the table", 0);
  }
  check(one[me.rank].pid == getpid(), "our own number", 0);
  fence(false);
}

static void controlled(pmix_status_t status, pmix_info_t* info, size_t infos, void* told,
                       pmix_release_cbfunc_t release, void* data) {
  (void)info, (void)infos;
  tell(told, status, NULL);
  if (release != NULL) release(data);
}

/* Rank 0 has the whole job signalled. SIGUSR1 is blocked since before libpmix has threads. */
static void control(void) {
  struct Told told = TOLD_INITIALIZER;
  const int number = SIGUSR1;
  const struct timespec patience = {kPatience, 0};
  sigset_t wanted;
  fence(false);
  if (me.rank == 0) {
    pmix_proc_t all;
    pmix_info_t info;
    PMIX_PROC_LOAD(&all, me.nspace, PMIX_RANK_WILDCARD);
    PMIX_INFO_LOAD(&info, PMIX_JOB_CTRL_SIGNAL, &number, PMIX_INT);
    must(PMIx_Job_control_nb(&all, 1, &info, 1, controlled, &told), "job control");
    must(await(&told), "the end of job control");
  }
  sigemptyset(&wanted);
  sigaddset(&wanted, SIGUSR1);
  check(sigtimedwait(&wanted, NULL, &patience) == SIGUSR1, "the signal", 0);
  fence(false);
}

/* The launcher's output counts this line too. */
static void log_line(void) {
  char text[64];
  pmix_info_t info;
  snprintf(text, sizeof text, "a line of rank %u: ok", me.rank);
  PMIX_INFO_LOAD(&info, PMIX_LOG_STDERR, text, PMIX_STRING);
  must(PMIx_Log(&info, 1, NULL, 0), "log");
  fence(false);
}

static void connect_all(void) {
  pmix_proc_t all;
  PMIX_PROC_LOAD(&all, me.nspace, PMIX_RANK_WILDCARD);
  must(PMIx_Connect(&all, 1, NULL, 0), "connect");
  must(PMIx_Disconnect(&all, 1, NULL, 0), "disconnect");
}

static void group(void) {
  const bool yes = true;
  pmix_proc_t members[64];
  pmix_info_t info, *results = NULL;
  size_t result_count = 0;
  check(size <= 64, "size", 0);
  for (uint32_t rank = 0; rank < size; rank++) PMIX_PROC_LOAD(&members[rank], me.nspace, rank);
  PMIX_INFO_LOAD(&info, PMIX_GROUP_ASSIGN_CONTEXT_ID, &yes, PMIX_BOOL);
  must(PMIx_Group_construct("krg.group", members, size, &info, 1, &results, &result_count),
       "group construct");
  check(found(PMIX_GROUP_CONTEXT_ID, results, result_count) != NULL, "the group's number", 0);
  must(PMIx_Group_destruct("krg.group", NULL, 0), "group destruct");
}

static const struct {
  const char* name;
  void (*run)(void);
} kModes[] = {{"collecting_fence", collecting_fence},
              {"plain_fence", plain_fence},
              {"direct_modex", direct_modex},
              {"late_key", late_key},
              {"names", names},
              {"event", event},
              {"query", query},
              {"control", control},
              {"log", log_line},
              {"connect", connect_all},
              {"group", group}};

int main(int argc, char** argv) {
  pmix_value_t* value = NULL;
  pmix_proc_t all;
  sigset_t blocked;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigprocmask(SIG_BLOCK, &blocked, NULL);
  must(PMIx_Init(&me, NULL, 0), "init");
  PMIX_PROC_LOAD(&all, me.nspace, PMIX_RANK_WILDCARD);
  must(PMIx_Get(&all, PMIX_JOB_SIZE, NULL, 0, &value), "job size");
  size = value->data.uint32;
  for (size_t i = 0; i < sizeof kModes / sizeof kModes[0]; i++) {
    if (argc < 2 || strcmp(argv[1], kModes[i].name) != 0) continue;
    kModes[i].run();
    printf("rank %u of %u: %s: ok\n", me.rank, size, kModes[i].name);
    must(PMIx_Finalize(NULL, 0), "finalize");
    return 0;
  }
  check(false, "no such mode", 0);
}
