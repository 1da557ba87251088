// Tasks on several nodes change a region while others use it, and use it in bulk. Each kind of test
// ends with "right" from every rank.
#include <krg/region/bulk.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "region_task.h"

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kPage = 4096;

int fail(const char* what) {
  std::printf("rank %u: %s\n", rank_of_this(), what);
  return 1;
}

// The signal by which a child that does this ends; 0: none.
template <class Work>
int signal_of(Work&& work) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGSEGV, SIG_DFL);
    ::signal(SIGBUS, SIG_DFL);
    work();
    ::_exit(0);
  }
  int how = 0;
  ::waitpid(child, &how, 0);
  return WIFSIGNALED(how) ? WTERMSIG(how) : 0;
}

volatile char& byte(const krg::Region& region, std::size_t page) {
  return *reinterpret_cast<volatile char*>(region.data() + page * kPage);
}

bool all_are(const krg::Region& region, std::size_t offset, std::size_t bytes, int value) {
  const std::vector<unsigned char> wanted(bytes, static_cast<unsigned char>(value));
  return std::memcmp(region.data() + offset, wanted.data(), bytes) == 0;
}

int bulk(Meeting& all) {
  constexpr std::size_t kBytes = 16 << 20;
  const krg::Region region = must(krg::Region::open("wide.bulk", 4 * kBytes), "the region");
  const krg::Region sink = must(krg::Region::open("wide.sink", 4 * kBytes), "the region");
  const unsigned rank = rank_of_this();
  const std::size_t mine = rank * kBytes;
  const unsigned next = (rank + 1) % ranks();
  must(krg::fill(region, mine, kBytes, std::byte(rank + 1)), "fill");
  all.meet();
  const auto begin = Clock::now();
  must(krg::copy(sink, mine, region, next * kBytes, kBytes), "copy");
  const double ms = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
  std::printf("rank %u: copied 16 MiB from another node at %.0f MiB/s\n", rank, 16 * 1000 / ms);
  all.meet();
  if (!all_are(sink, mine, kBytes, static_cast<int>(next + 1))) return fail("a copy");
  all.meet();
  // Taken by another, read by all, given up by who has it: the contents stay.
  must(krg::advise(sink, next * kBytes, kBytes, krg::Advice::owner), "owner");
  all.meet();
  must(krg::advise(region, next * kBytes, kBytes, krg::Advice::read_mostly), "read mostly");
  must(krg::advise(sink, mine, kBytes, krg::Advice::will_need), "will need");
  must(krg::advise(region, mine, kBytes / 4, krg::Advice::dont_need), "don't need");
  all.meet();
  for (unsigned other = 0; other < ranks(); ++other) {
    if (!all_are(region, other * kBytes, kBytes, static_cast<int>(other + 1)) ||
        !all_are(sink, other * kBytes, kBytes, static_cast<int>((other + 1) % ranks() + 1))) {
      return fail("what another has copied");
    }
  }
  return 0;
}

int placement(Meeting& all) {
  constexpr std::size_t kPages = 1024;
  constexpr std::array kNames = {"first_touch", "block", "cyclic", "node"};
  for (std::size_t kind = 0; kind < kNames.size(); ++kind) {
    const std::string name = std::string("wide.") + kNames[kind];
    if (rank_of_this() == 0) {
      const krg::RegionShape shape{.placement = static_cast<krg::Placement>(kind), .node = 1};
      must(krg::Region::create(name, kPages * kPage, shape), "create");
    }
    all.meet();
    const krg::Region region = must(krg::Region::attach(name), "attach");
    const std::size_t each = kPages / ranks(), first = rank_of_this() * each;
    const auto begin = Clock::now();
    for (std::size_t k = 0; k < each; ++k) {  // In no order: nothing is brought ahead.
      byte(region, first + k * 37 % each) = static_cast<char>(rank_of_this() + 1);
    }
    const double us = std::chrono::duration<double, std::micro>(Clock::now() - begin).count();
    std::printf("rank %u: %s: first touch of its own part %.1f us a page\n", rank_of_this(),
                kNames[kind], us / static_cast<double>(each));
    all.meet();
    for (std::size_t page = 0; page < each * ranks(); ++page) {
      if (byte(region, page) != static_cast<char>(page / each + 1)) return fail(kNames[kind]);
    }
    all.meet();
  }
  return 0;
}

int resize(Meeting& all) {
  if (rank_of_this() == 0) {
    must(krg::Region::create("wide.size", 16 * kPage, krg::RegionShape{.capacity = 256 * kPage}),
         "create");
  }
  all.meet();
  krg::Region region = must(krg::Region::attach("wide.size"), "attach");
  for (int round = 1; round <= 5; ++round) {
    if (rank_of_this() == 0) must(region.resize(256 * kPage), "growing");
    all.meet();
    for (std::size_t page = rank_of_this(); page < 256; page += ranks()) {
      if (page >= 16 && byte(region, page) != 0) return fail("a page that came back is not zeros");
      byte(region, page) = static_cast<char>(round);
    }
    all.meet();
    for (std::size_t page = 0; page < 256; ++page) {
      if (byte(region, page) != round) return fail("a page in a region that has grown");
    }
    all.meet();
    if (rank_of_this() == ranks() - 1) must(region.resize(16 * kPage), "shrinking");
    all.meet();
    if (signal_of([&] { return byte(region, 16); }) != SIGBUS) return fail("no signal to read");
    if (signal_of([&] { byte(region, 255) = 1; }) != SIGBUS) return fail("no signal to write");
    if (byte(region, 15) != round) return fail("a page that stayed");
    wait_until([&] { return region.size() == 16 * kPage; });
    all.meet();
  }
  return 0;
}

// Children on all nodes write the same pages, so that they are mostly on their way.
int protect(Meeting& all) {
  krg::Region region = must(krg::Region::open("wide.rights", 16 * kPage), "the region");
  for (int round = 0; round < 5; ++round) {
    const pid_t writer = ::fork();
    if (writer == 0) {
      ::signal(SIGSEGV, SIG_DFL);
      for (unsigned i = 0;; ++i) word(region, i % 16).fetch_add(1);
    }
    all.meet();
    std::this_thread::sleep_for(20ms);
    if (rank_of_this() == 0) must(region.protect(krg::Region::Rights::read_only), "protecting");
    all.meet();
    std::array<std::uint64_t, 16> before{};
    for (std::size_t i = 0; i < 16; ++i) before[i] = word(region, i).load();
    int how = 0;
    ::waitpid(writer, &how, 0);
    if (!WIFSIGNALED(how) || WTERMSIG(how) != SIGSEGV) return fail("no signal");
    if (signal_of([&] { byte(region, 3) = 1; }) != SIGSEGV) return fail("no signal to a new one");
    for (std::size_t i = 0; i < 16; ++i) {
      if (word(region, i).load() != before[i]) return fail("a page that changed");
    }
    all.meet();
    if (rank_of_this() == 0) must(region.protect(krg::Region::Rights::read_write), "permitting");
    all.meet();
    word(region, rank_of_this()).fetch_add(1);
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string kind = argc > 1 ? argv[1] : "bulk";
  const krg::Region meeting = must(krg::Region::open("wide.meet." + kind, kPage), "the region");
  Meeting all(meeting, 0);
  int wrong = 1;
  if (kind == "bulk") wrong = bulk(all);
  if (kind == "placement") wrong = placement(all);
  if (kind == "resize") wrong = resize(all);
  if (kind == "protect") wrong = protect(all);
  if (wrong == 0) {
    all.meet();
    std::puts("right");
  }
  return wrong;
}
