// What threads across nodes need of memory, by ranks on two nodes. Each ends with "right".
//   arrays    global arrays of rank 0 become a region, the others attach it over theirs.
//   data      the same with all of the program's .data and .bss.
//   stack     a thread of each rank has its stack in the region; rank 0 changes the others'
//   variables. pin       a page that is pinned stays; who wants it elsewhere waits no longer than
//   it is. push      pages are there before they are asked for. spin      two ranks spin on one
//   word: how long each waits for its turns. io        the plain calls of the program, on pages
//   that are not here.
#include <fcntl.h>
#include <krg/region/adopt.h>
#include <krg/region/bulk.h>
#include <pthread.h>
#include <sys/personality.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "region_task.h"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kPage = 4096;

alignas(kPage) std::uint64_t numbers[16 * 512];
alignas(kPage) Word counters[512];

// Initialised and not, in .data and in .bss.
std::uint64_t initialised[1000] = {1, 2, 3};
Word shared_counter{100};
std::uint64_t* pointer = &initialised[500];
char zeros[50'000];

int fail(const char* what) {
  std::printf("rank %u: %s\n", rank_of_this(), what);
  return 1;
}

double us_since(Clock::time_point begin) {
  return std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
}

// Rank 0's memory for all.
krg::Region share(const std::string& name, std::span<std::byte> memory) {
  if (rank_of_this() == 0) return must(krg::Region::adopt(name, memory), "adopting");
  krg::RegionOptions over;
  over.replace = true;
  // Where this task has it; only pointers into it need it at the same address everywhere.
  over.address = reinterpret_cast<std::uintptr_t>(memory.data());
  for (int tries = 0; tries < 3000; ++tries) {
    auto region = krg::Region::attach(name, over);
    if (region || region.error().code() != krg::Errc::not_found) {
      return must(std::move(region), "attaching");
    }
    std::this_thread::sleep_for(10ms);
  }
  std::exit(1);
}

int arrays(const krg::Region& meeting) {
  Meeting all(meeting, 0);
  const unsigned rank = rank_of_this(), size = ranks();
  for (std::size_t i = 0; rank == 0 && i < std::size(numbers); ++i) numbers[i] = i * 3;
  {
    const krg::Region mine = share("numbers", std::as_writable_bytes(std::span(numbers)));
    const krg::Region also =
        share("counters", {reinterpret_cast<std::byte*>(counters), sizeof counters});
    for (std::size_t i = 0; i < std::size(numbers); ++i) {
      if (numbers[i] != i * 3) return fail("a number is not rank 0's");
    }
    all.meet();
    for (std::size_t i = rank; i < std::size(numbers); i += size) numbers[i] += 1;
    for (int i = 0; i < 1000; ++i) counters[i % 512].fetch_add(1);
    all.meet();
    std::uint64_t sum = 0;
    for (const Word& counter : counters) sum += counter.load();
    if (sum != 1000 * size) return fail("the counters");
    for (std::size_t i = 0; i < std::size(numbers); ++i) {
      if (numbers[i] != i * 3 + 1) return fail("a number is not as it was written");
    }
    all.meet();
    numbers[0] = 77;
    all.meet();
  }
  // Now each has its own again.
  if (numbers[0] != 77 || numbers[9] != 28) return fail("what was left");
  numbers[1] = rank;
  all.meet();
  return numbers[1] == rank ? 0 : fail("its own number");
}

int data(const krg::Region& meeting) {
  Meeting all(meeting, 0);
  const unsigned rank = rank_of_this(), size = ranks();
  const std::span<std::byte> own = krg::program_data();
  if (rank == 0) zeros[49'999] = 5;
  {
    const krg::Region region = share("data", own);
    all.meet();
    if (zeros[49'999] != 5 || initialised[2] != 3 || pointer != &initialised[500]) {
      return fail("variables are not rank 0's");
    }
    all.meet();
    for (int i = 0; i < 500; ++i) shared_counter.fetch_add(1);
    all.meet();
    if (rank == size - 1) *pointer = 4711;
    all.meet();
    if (initialised[500] != 4711) return fail("what the last rank has written");
    if (shared_counter.load() != 100 + 500 * size) return fail("the counter");
    if (rank == 0) std::printf("%zu bytes of the program are shared\n", own.size());
    std::fflush(stdout);
    all.meet();
  }
  return 0;
}

struct OnStack {
  Word& at;    // Where its variable's address goes.
  Word& told;  // Set when it was changed.
  bool right = false;
};

int stack(const krg::Region& region) {
  constexpr std::size_t kStack = std::size_t{1} << 18;
  Meeting all(region, 0);
  const unsigned rank = rank_of_this(), size = ranks();
  OnStack work{word(region, 1, rank), word(region, 2, 0)};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstack(&attributes, region.data() + (1 + rank) * kStack, kStack);
  pthread_t thread;
  const auto body = [](void* given) -> void* {
    OnStack& mine = *static_cast<OnStack*>(given);
    Word here[600];
    for (Word& each : here) each.store(1);
    mine.at.store(reinterpret_cast<std::uintptr_t>(here));
    wait_until([&] { return mine.told.load() != 0; });
    mine.right = true;
    for (Word& each : here) mine.right &= each.load() == 2;
    // System calls, the allocator and exceptions on such a stack.
    char text[5000];
    const int zero = ::open("/dev/zero", O_RDONLY | O_CLOEXEC);
    mine.right &= ::read(zero, text, sizeof text) == sizeof text && text[4999] == 0;
    ::close(zero);
    try {
      throw std::string(1000, 'x');
    } catch (const std::string& thrown) {
      mine.right &= thrown.size() == 1000;
    }
    return nullptr;
  };
  if (pthread_create(&thread, &attributes, body, &work) != 0) return fail("a thread");
  if (rank == 0) {
    for (unsigned other = 0; other < size; ++other) {
      Word& at = word(region, 1, other);
      wait_until([&] { return at.load() != 0; });
      auto* const theirs = reinterpret_cast<Word*>(at.load());
      for (int i = 0; i < 600; ++i) theirs[i].store(2);
    }
    work.told.store(1);
  }
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  all.meet();
  return work.right ? 0 : fail("the thread's variables");
}

int pin(const krg::Region& region) {
  Meeting all(region, 0);
  Word& page = word(region, 5);
  if (rank_of_this() == 0) {
    must(krg::pin(region, 5 * kPage, kPage, 1500ms), "pinning");
    all.meet();
    const auto begin = Clock::now();
    double slowest = 0;
    while (Clock::now() - begin < 1000ms) {
      const auto before = Clock::now();
      page.fetch_add(1);
      slowest = std::max(slowest, us_since(before));
      std::this_thread::sleep_for(1ms);
    }
    std::printf("pinned: the slowest store took %.0f us\n", slowest);
    all.meet();
    // And let go of earlier than its time.
    must(krg::pin(region, 6 * kPage, kPage, 600s), "pinning");
    all.meet();
    std::this_thread::sleep_for(300ms);
    must(krg::unpin(region, 6 * kPage, kPage), "unpinning");
    all.meet();
    return 0;
  }
  all.meet();
  const auto begin = Clock::now();
  const std::uint64_t seen = page.load();  // Waits for the end of the pin.
  const double ms = us_since(begin) / 1000;
  std::printf("waited %.0f ms for a page that was pinned for 1500\n", ms);
  all.meet();
  all.meet();
  const auto again = Clock::now();
  word(region, 6).store(1);
  const double until_unpinned = us_since(again) / 1000;
  all.meet();
  if (seen < 100 || ms < 500 || ms > 20'000) return fail("the pin");
  return until_unpinned > 100 && until_unpinned < 20'000 ? 0 : fail("the end of a pin");
}

// Of all pages of a range, in us a page.
double read_all(const krg::Region& region, std::size_t first, std::size_t count) {
  const auto begin = Clock::now();
  for (std::size_t i = 0; i < count; ++i) {
    // Scattered, so that nothing is brought ahead.
    if (word(region, first + i * 37 % count).load() != first + i * 37 % count) return -1;
  }
  return us_since(begin) / static_cast<double>(count);
}

int push(const krg::Region& region) {
  constexpr std::size_t kCount = 512;
  Meeting all(region, 0);
  if (rank_of_this() == 0) {
    for (std::size_t i = 1; i < 1 + 3 * kCount; ++i) word(region, i).store(i);
    must(krg::push(region, kPage, kCount * kPage, 1), "pushing");
    must(krg::push(region, (1 + kCount) * kPage, kCount * kPage, 1, true), "pushing");
    all.meet();
    all.meet();
    return 0;
  }
  all.meet();
  const double copies = read_all(region, 1, kCount);
  const double owned = read_all(region, 1 + kCount, kCount);
  const double others = read_all(region, 1 + 2 * kCount, kCount);
  std::printf("us a page: %.1f pushed, %.1f pushed to be written, %.1f not\n", copies, owned,
              others);
  all.meet();
  if (copies < 0 || owned < 0 || others < 0) return fail("a page");
  return copies < others && owned < others ? 0 : fail("pushed pages were not there");
}

// Each waits for the word to be its turn, by nothing but loads.
int spin(const krg::Region& region) {
  constexpr std::uint64_t kTurns = 2000;
  Meeting all(region, 0);
  Word& turn = word(region, 1);
  std::vector<double> waits;
  const unsigned rank = rank_of_this(), size = ranks();
  all.meet();
  const auto begin = Clock::now();
  for (std::uint64_t i = rank; i < kTurns; i += size) {
    const auto before = Clock::now();
    while (turn.load() != i) {
    }
    turn.store(i + 1);
    waits.push_back(us_since(before));
  }
  const double each = us_since(begin) / kTurns;
  std::sort(waits.begin(), waits.end());
  std::printf(
      "rank %u: %.0f us a hand-over; its turns came after %.0f us, 99 %% within %.0f, all %.0f\n",
      rank, each, waits[waits.size() / 2], waits[waits.size() * 99 / 100], waits.back());
  all.meet();
  // Neither is kept out: bounds that a busy machine stands.
  return each < 20'000 && waits.back() < 5e6 ? 0 : fail("it waited too long");
}

int io(const krg::Region& region) {
  Meeting all(region, 0);
  int ends[2];
  if (::pipe(ends) != 0) return 1;
  if (rank_of_this() == 0) std::memset(region.data() + kPage, 7, 2 * kPage);
  all.meet();
  char got[100] = {};
  bool right = rank_of_this() == 0 || ::write(ends[1], region.data() + 2 * kPage - 50, 100) == 100;
  if (rank_of_this() != 0)
    right = right && ::read(ends[0], got, 100) == 100 && got[0] == 7 && got[99] == 7;
  all.meet();
  return right ? 0 : fail(std::strerror(errno));
}

}  // namespace

int main(int argc, char** argv) {
  const std::string kind = argc > 1 ? argv[1] : "arrays";
  // All have the program at one address.
  const int now = ::personality(0xffffffff);
  if (kind == "data" && (now & ADDR_NO_RANDOMIZE) == 0) {
    ::personality(static_cast<unsigned long>(now) | ADDR_NO_RANDOMIZE);
    ::execv("/proc/self/exe", argv);
    return fail("execv");
  }
  const krg::Region region = must(krg::Region::open("carry." + kind, 8 << 20), "the region");
  int wrong = 1;
  if (kind == "arrays") wrong = arrays(region);
  if (kind == "data") wrong = data(region);
  if (kind == "stack") wrong = stack(region);
  if (kind == "pin") wrong = pin(region);
  if (kind == "push") wrong = push(region);
  if (kind == "spin") wrong = spin(region);
  if (kind == "io") wrong = io(region);
  if (wrong == 0) std::printf("right\n");
  std::fflush(stdout);
  return wrong;
}
