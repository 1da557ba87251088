// A task that checks itself. For each line of its standard input it looks whether everything is as
// it left it and says so in one line: "round 3: ok", or what is not. "end" ends it with code 7.
// usage: wanderer FOLDER MEBIBYTES THREADS
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cfenv>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr std::size_t kPage = 4096;
std::string complaints;

void expect(bool right, const char* what) {
  if (!right) complaints += std::string(complaints.empty() ? "" : ", ") + what;
}

std::uint64_t scramble(std::uint64_t x) {
  x = (x ^ x >> 33) * 0xff51afd7ed558ccdu;
  return x ^ x >> 29;
}

// --- memory
// ---------------------------------------------------------------------------------------

struct Memory {
  explicit Memory(std::size_t bytes) : words(bytes / 8) {
    data = static_cast<std::uint64_t*>(
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    for (std::size_t i = 0; i < words; ++i) data[i] = scramble(i);
    hidden = static_cast<char*>(
        mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    std::strcpy(hidden, "hidden");
    mprotect(hidden, kPage, PROT_NONE);
  }
  bool right() const {
    for (std::size_t i = 0; i < words; i += 64) {
      if (data[i] != scramble(i)) return false;
    }
    return data[words - 1] == scramble(words - 1);
  }
  // To another address, with what is not there yet.
  void move() {
    void* const to = mmap(nullptr, words * 8, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    data = static_cast<std::uint64_t*>(
        mremap(data, words * 8, words * 8, MREMAP_MAYMOVE | MREMAP_FIXED, to));
  }
  std::size_t words;
  std::uint64_t* data;
  char* hidden;
};

void check_memory(Memory& memory, int round) {
  // A child first: it must see what its parent has not touched yet.
  const pid_t child = fork();
  if (child == 0) _exit(memory.right() ? 42 : 43);
  int status = 0;
  waitpid(child, &status, 0);
  expect(WIFEXITED(status) && WEXITSTATUS(status) == 42, "a child's memory");
  if (round % 2 == 0) memory.move();
  // The kernel touches some of it, too.
  const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  auto* const middle = memory.data + memory.words / 2;
  expect(read(file, middle, 64) == 64 && std::memcmp(middle,
                                                     "\x7f"
                                                     "ELF",
                                                     4) == 0,
         "read into it");
  close(file);
  for (std::size_t i = 0; i < 8; ++i) middle[i] = scramble(memory.words / 2 + i);
  expect(memory.right(), "memory");
  mprotect(memory.hidden, kPage, PROT_READ);
  expect(std::strcmp(memory.hidden, "hidden") == 0, "memory without rights");
  mprotect(memory.hidden, kPage, PROT_NONE);
  static void* top = sbrk(0);
  expect(sbrk(0) == top, "brk");
  sbrk(static_cast<std::intptr_t>(2 * kPage));
  std::memset(top, 1, 2 * kPage);
  top = sbrk(0);
}

int grow_stack(int depth) {
  volatile char block[8192];
  block[0] = static_cast<char>(depth);
  return depth == 0 ? 0 : grow_stack(depth - 1) + (block[0] == static_cast<char>(depth) ? 1 : 0);
}

// --- threads
// --------------------------------------------------------------------------------------

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
std::atomic<bool> stop{false};
std::atomic<std::uint64_t> broken{0};
std::uint64_t counter = 0;
thread_local std::uint64_t own = 0;

void* work(void* argument) {
  const auto number = reinterpret_cast<std::uintptr_t>(argument);
  own = scramble(number);
  const long tid = syscall(SYS_gettid);
  volatile double x = 1.0;
  while (!stop) {
    for (int i = 0; i < 1000; ++i) x = x * 1.0000001;
    if (own != scramble(number) || syscall(SYS_gettid) != tid) ++broken;
    pthread_mutex_lock(&mutex);
    ++counter;
    pthread_mutex_unlock(&mutex);
    usleep(500);
  }
  return nullptr;
}

void check_threads() {
  static std::uint64_t last = 0;
  for (int tries = 0; tries < 500; ++tries) {
    pthread_mutex_lock(&mutex);
    const bool more = counter > last + 2;
    if (more) last = counter;
    pthread_mutex_unlock(&mutex);
    if (more) return expect(broken == 0, "a thread's own memory or number");
    usleep(2000);
  }
  expect(false, "threads stand still");
}

// --- signals and timers
// ---------------------------------------------------------------------------

char alternate[64 * 1024];
volatile sig_atomic_t on_alternate = 0, ticks = 0;

void on_signal(int) {
  char here;
  on_alternate = &here >= alternate && &here < alternate + sizeof alternate;
}
void on_tick(int) { ticks = ticks + 1; }

void prepare_signals() {
  stack_t stack{};
  stack.ss_sp = alternate;
  stack.ss_size = sizeof alternate;
  sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGUSR2, &action, nullptr);
  action.sa_handler = on_tick;
  action.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &action, nullptr);
  signal(SIGHUP, SIG_IGN);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &one, nullptr);
  kill(getpid(), SIGUSR1);  // For the process; and one for this thread:
  sigaddset(&one, SIGRTMIN);
  pthread_sigmask(SIG_BLOCK, &one, nullptr);
  raise(SIGRTMIN);
  itimerval timer{{0, 20'000}, {0, 20'000}};
  setitimer(ITIMER_REAL, &timer, nullptr);
}

void check_signals() {
  on_alternate = 0;
  raise(SIGUSR2);
  expect(on_alternate == 1, "the alternate stack");
  sigset_t pending;
  sigpending(&pending);
  expect(sigismember(&pending, SIGUSR1) == 1, "a pending signal");
  expect(sigismember(&pending, SIGRTMIN) == 1, "a thread's pending signal");
  struct sigaction action {};
  sigaction(SIGHUP, nullptr, &action);
  expect(action.sa_handler == SIG_IGN, "an ignored signal");
  const int before = ticks;
  for (int tries = 0; tries < 500 && ticks < before + 2; ++tries) usleep(2000);
  expect(ticks >= before + 2, "the timer");
}

// --- files
// ----------------------------------------------------------------------------------------

struct Files {
  explicit Files(const std::string& folder) {
    const std::string path = folder + "/wanderer.file";
    file = open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    for (int i = 0; i < 1000; ++i) expect(write(file, "0123456789", 10) == 10, "a file");
    lseek(file, 5, SEEK_SET);
    copy = dup(file);
    event = eventfd(7, EFD_NONBLOCK);
    int ends[2];
    expect(pipe(ends) == 0 && write(ends[1], "in the pipe", 11) == 11, "a pipe");
    out = ends[0];
    in = ends[1];
    expect(chdir(folder.c_str()) == 0, "a folder");
    umask(027);
    mapped =
        static_cast<char*>(mmap(nullptr, 2 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0));
    mapped[kPage] = 'X';
    directory = folder;
  }
  void check(int round) {
    const off_t at = 5 + 2 * round;
    expect(lseek(file, 0, SEEK_CUR) == at && lseek(copy, 0, SEEK_CUR) == at, "a file's offset");
    char two[2] = {};
    expect(read(copy, two, 2) == 2 && two[0] == '0' + at % 10, "a file's content");
    expect((fcntl(file, F_GETFD) & FD_CLOEXEC) != 0 && (fcntl(copy, F_GETFD) & FD_CLOEXEC) == 0,
           "close-on-exec");
    std::uint64_t value = 0;
    expect(read(event, &value, sizeof value) == sizeof value && value == 7, "an eventfd");
    expect(write(event, &value, sizeof value) == sizeof value, "an eventfd");
    char text[12] = {};
    expect(read(out, text, 11) == 11 && std::strcmp(text, "in the pipe") == 0, "a pipe");
    expect(write(in, text, 11) == 11, "a pipe");
    char here[4096];
    expect(getcwd(here, sizeof here) != nullptr && directory == here, "the working directory");
    expect(umask(027) == 027, "umask");
    expect(mapped[0] == '0' && mapped[kPage] == 'X', "a private mapping of a file");
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    expect(limit.rlim_cur == 300, "a limit");
  }
  int file, copy, event, in, out;
  char* mapped;
  std::string directory;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = 300;
  setrlimit(RLIMIT_NOFILE, &limit);
  Memory memory(std::strtoul(argv[2], nullptr, 10) << 20);
  std::vector<pthread_t> threads(std::strtoul(argv[3], nullptr, 10));
  prepare_signals();
  for (std::size_t i = 0; i < threads.size(); ++i) {
    pthread_create(&threads[i], nullptr, work, reinterpret_cast<void*>(i));
  }
  Files files(argv[1]);
  std::fesetround(FE_UPWARD);
  const pid_t pid = getpid();
  char line[100];
  std::printf("pid %d\n", static_cast<int>(pid));
  for (int round = 0;; ++round) {
    std::fflush(stdout);
    if (std::fgets(line, sizeof line, stdin) == nullptr || std::strcmp(line, "end\n") == 0) break;
    expect(getpid() == pid && syscall(SYS_gettid) == pid, "its number");
    expect(std::fegetround() == FE_UPWARD, "the rounding mode");
    check_memory(memory, round);
    expect(grow_stack(30 + round) == 30 + round, "the stack");
    if (!threads.empty()) check_threads();
    check_signals();
    files.check(round);
    std::printf("round %d: %s\n", round, complaints.empty() ? "ok" : complaints.c_str());
    std::fprintf(stderr, "heard %s", line);
    complaints.clear();
  }
  stop = true;
  for (const pthread_t thread : threads) pthread_join(thread, nullptr);
  std::printf("the end\n");
  return 7;
}
