/* A raw client of the PMI-1 wire protocol: two parents, of whom the first spawns three children in
 * two segments; the children find a key that the parent put for them, and everybody meets in
 * barriers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static FILE *in, *out;
static char line[1024];

static const char* ask(const char* request) {
  fputs(request, out);
  fflush(out);
  if (fgets(line, sizeof line, in) == NULL) {
    printf("no reply to %s: WRONG\n", request);
    exit(1);
  }
  line[strcspn(line, "\n")] = 0;
  return line;
}

static int starts(const char* text, const char* with) {
  return strncmp(text, with, strlen(with)) == 0;
}

int main(int argc, char** argv) {
  (void)argc;
  const int fd = atoi(getenv("PMI_FD")), rank = atoi(getenv("PMI_RANK"));
  const int spawned = getenv("PMI_SPAWNED") != NULL;
  const int size = atoi(getenv("PMI_SIZE"));
  char request[1024], kvs[64] = "";
  int ok = 1;
  in = fdopen(fd, "r");
  out = fdopen(dup(fd), "w");
  ok = ok && starts(ask("cmd=init pmi_version=1 pmi_subversion=1\n"), "cmd=response_to_init");
  ok = ok && sscanf(ask("cmd=get_my_kvsname\n"), "cmd=my_kvsname kvsname=%63s", kvs) == 1;
  if (spawned) {
    snprintf(request, sizeof request, "cmd=get kvsname=%s key=from_parent\n", kvs);
    ok = ok && strstr(ask(request), "value=greeting") != NULL && size == 3;
    const int app = rank < 2 ? 0 : 1;
    char wanted[64];
    snprintf(wanted, sizeof wanted, "cmd=appnum appnum=%d", app);
    ok = ok && strcmp(ask("cmd=get_appnum\n"), wanted) == 0;
  } else if (rank == 0) {
    for (int segment = 0; segment < 2; segment++) {
      fprintf(out,
              "mcmd=spawn\nnprocs=%d\nexecname=%s\ntotspawns=2\nspawnssofar=%d\narg1=an argument\n"
              "argcnt=1\npreput_num=%d\npreput_key_0=from_parent\npreput_val_0=greeting\n"
              "info_num=0\nendcmd\n",
              segment == 0 ? 2 : 1, argv[0], segment + 1, segment == 0 ? 1 : 0);
    }
    ok = ok && strcmp(ask(""), "cmd=spawn_result rc=0 errcodes=0,0,0") == 0;
  }
  ok = ok && strcmp(ask("cmd=barrier_in\n"), "cmd=barrier_out") == 0;
  ok = ok && strcmp(ask("cmd=finalize\n"), "cmd=finalize_ack") == 0;
  printf("%s %d of %d: %s\n", spawned ? "child" : "parent", rank, size, ok ? "ok" : "WRONG");
  return ok ? 0 : 1;
}
