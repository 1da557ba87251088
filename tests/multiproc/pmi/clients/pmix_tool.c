/* A tool of PMIx beside a job: connects to a krgd by what that has left in its folder, and asks for
 * the processes of the first job there.
 * usage: pmix_tool FOLDER PROCESSES */
#include <pmix_tool.h>

#include <glob.h>

#include "pmix_client.h"

static pmix_info_t* ask(pmix_query_t* query, size_t* count) {
  pmix_info_t* info = NULL;
  must(PMIx_Query_info(query, 1, &info, count), "query");
  return info;
}

int main(int argc, char** argv) {
  char pattern[256], uri[512], name[PMIX_MAX_NSLEN + 1];
  glob_t files;
  pmix_info_t info;
  pmix_query_t query;
  size_t count = 0;
  check(argc == 3, "usage", PMIX_ERR_BAD_PARAM);
  snprintf(pattern, sizeof pattern, "%s/pmix.*.tool.krgd", argv[1]);
  check(glob(pattern, 0, NULL, &files) == 0 && files.gl_pathc == 1, pattern, PMIX_ERR_NOT_FOUND);
  snprintf(uri, sizeof uri, "file:%s", files.gl_pathv[0]);
  globfree(&files);
  PMIX_INFO_LOAD(&info, PMIX_SERVER_URI, uri, PMIX_STRING);
  must(PMIx_tool_init(&me, &info, 1), "init of a tool");

  PMIX_QUERY_CONSTRUCT(&query);
  must(pmix_argv_append_nosize(&query.keys, PMIX_QUERY_NAMESPACES), "a key");
  pmix_info_t* answer = ask(&query, &count);
  const pmix_value_t* spaces = found(PMIX_QUERY_NAMESPACES, answer, count);
  check(spaces != NULL && spaces->type == PMIX_STRING, "the name spaces", PMIX_ERR_NOT_FOUND);
  snprintf(name, sizeof name, "%.*s", (int)strcspn(spaces->data.string, ","), spaces->data.string);
  check(name[0] != 0, "a name space", PMIX_ERR_NOT_FOUND);

  PMIX_QUERY_CONSTRUCT(&query);
  must(pmix_argv_append_nosize(&query.keys, PMIX_QUERY_PROC_TABLE), "a key");
  PMIX_QUERY_QUALIFIERS_CREATE(&query, 1);
  PMIX_INFO_LOAD(&query.qualifiers[0], PMIX_NSPACE, name, PMIX_STRING);
  answer = ask(&query, &count);
  const pmix_value_t* table = found(PMIX_QUERY_PROC_TABLE, answer, count);
  check(table != NULL && table->type == PMIX_DATA_ARRAY, "the table", PMIX_ERR_NOT_FOUND);
  check(table->data.darray->size == strtoul(argv[2], NULL, 10), "its size", PMIX_ERR_NOT_FOUND);
  const pmix_proc_info_t* one = table->data.darray->array;
  for (size_t i = 0; i < table->data.darray->size; i++) {
    check(one[i].proc.rank == i && one[i].state == PMIX_PROC_STATE_RUNNING, "a process",
          PMIX_ERR_NOT_FOUND);
    printf("process %d\n", (int)one[i].pid);
  }
  must(PMIx_tool_finalize(), "the end of a tool");
  printf("tool of %s: ok\n", name);
  return 0;
}
