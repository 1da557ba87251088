// plain: a program that knows nothing of MPI; prints who it is, from the environment krgrun gives.
//
//   krgrun -n 4 plain [EXIT_CODE]
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char* variable(const char* name) {
  const char* value = getenv(name);
  return value ? value : "(unset)";
}

int main(int argc, char** argv) {
  char host[256] = "";
  gethostname(host, sizeof(host) - 1);
  printf("rank %s of %s on node %s, host %s, pid %d\n", variable("KRG_RANK"), variable("KRG_SIZE"),
         variable("KRG_NODE"), host, (int)getpid());
  return argc > 1 ? atoi(argv[1]) : 0;
}
