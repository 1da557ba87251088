// Tasks on several nodes allocate in one region, hand blocks to each other, and free them. Each
// kind of test ends with "right" from every rank.
#include <krg/heap/heap.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "../regions/region_task.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kSlots = 512;  // Of the page by which blocks are handed over.

int fail(const char* what) {
  std::printf("rank %u: %s\n", rank_of_this(), what);
  return 1;
}

// A block says how large it is, and the rest of it follows from that and from where it is.
unsigned char fill_of(const void* block) {
  return static_cast<unsigned char>(reinterpret_cast<std::uintptr_t>(block) / 16 * 151 + 7);
}
void* make(krg::Heap& heap, std::size_t bytes) {
  auto* const block = static_cast<unsigned char*>(heap.allocate(bytes));
  if (block == nullptr) return nullptr;
  std::memset(block, fill_of(block), bytes);
  const auto said = static_cast<std::uint32_t>(bytes);
  std::memcpy(block, &said, sizeof said);
  return block;
}
bool is_whole(const void* block) {
  std::uint32_t bytes = 0;
  std::memcpy(&bytes, block, sizeof bytes);
  if (bytes < sizeof bytes || bytes > (1 << 20)) return false;
  const auto* const at = static_cast<const unsigned char*>(block);
  for (std::size_t i = sizeof bytes; i < bytes; ++i) {
    if (at[i] != fill_of(block)) return false;
  }
  return true;
}

std::size_t some_bytes(std::mt19937& random) {
  const unsigned kind = random() % 100;
  if (kind < 80) return 4 + random() % 500;
  return kind < 98 ? 4 + random() % 20'000 : 4 + random() % 200'000;
}

// Each takes a block out of a slot, frees it, and puts one of its own there.
bool trade(krg::Heap& heap, const krg::Region& slots, unsigned seed, unsigned rounds) {
  std::mt19937 random(seed);
  for (unsigned i = 0; i < rounds; ++i) {
    void* const mine = make(heap, some_bytes(random));
    if (mine == nullptr) return false;
    Word& slot = word(slots, 1, random() % kSlots);
    auto* const other =
        reinterpret_cast<void*>(slot.exchange(reinterpret_cast<std::uintptr_t>(mine)));
    if (other == nullptr) continue;
    if (!is_whole(other) || !heap.free(other)) return false;
  }
  return true;
}

int share(const krg::Region& region, const krg::Region& slots, Meeting& all) {
  {
    krg::Heap heap = must(krg::Heap::open(region), "the heap");
    all.meet();
    std::atomic<bool> good{true};
    std::vector<std::thread> threads;
    for (unsigned t = 0; t < 3; ++t) {
      threads.emplace_back([&, t] {
        if (!trade(heap, slots, rank_of_this() * 8 + t, 1500)) good = false;
      });
    }
    for (std::thread& thread : threads) thread.join();
    if (!good) return fail("a block was not as it was left, or there was none");
    all.meet();
    if (rank_of_this() == 0) {
      for (std::size_t i = 0; i < kSlots; ++i) {
        auto* const left = reinterpret_cast<void*>(word(slots, 1, i).exchange(0));
        if (left != nullptr && (!is_whole(left) || !heap.free(left))) return fail("what was left");
      }
      heap.flush();
    }
    all.meet();
  }
  all.meet();
  // What was left, the next take over, and nothing is lost: all of it is one block in the end.
  if (rank_of_this() == 0) {
    for (int tries = 0; tries < 2; ++tries) {
      std::vector<krg::Heap> heirs;
      for (unsigned i = 0; i < ranks(); ++i) heirs.push_back(must(krg::Heap::open(region), "heir"));
    }
    krg::Heap heap = must(krg::Heap::open(region), "the heap");
    void* const all_of_it = heap.allocate(region.size() - (8 << 20));
    if (all_of_it == nullptr) return fail("blocks have been lost");
    if (!heap.free(all_of_it)) return fail("a large block");
  }
  all.meet();
  return 0;
}

// In rank 0 alone.
int bad_cases(const krg::Region& region) {
  krg::Heap heap = must(krg::Heap::open(region), "the heap");
  char mine = 0;
  auto* const block = static_cast<char*>(heap.allocate(100));
  auto* const large = static_cast<char*>(heap.allocate(300'000));
  if (block == nullptr || large == nullptr) return fail("no block");
  for (void* const wrong : {static_cast<void*>(&mine), static_cast<void*>(block + 1),
                            static_cast<void*>(large + 65536), static_cast<void*>(region.data())}) {
    if (heap.free(wrong).error().code() != krg::Errc::invalid_argument) return fail("a bad free");
  }
  if (!heap.free(nullptr) || !heap.free(large) || heap.free(large)) return fail("a second free");
  if (heap.allocate(region.size()) != nullptr || heap.allocate(~std::size_t{0}) != nullptr ||
      heap.allocate(8, 24) != nullptr) {
    return fail("what can not be had");
  }
  for (std::size_t align = 16; align <= (1 << 20); align *= 2) {
    for (const std::size_t bytes : {1u, 100u, 5000u, 70'000u}) {
      void* const at = heap.allocate(bytes, align);
      if (at == nullptr || reinterpret_cast<std::uintptr_t>(at) % align != 0) return fail("align");
      if (heap.size_of(at) < bytes || !heap.free(at)) return fail("an aligned block");
    }
  }
  std::memset(block, 5, 100);
  auto* const longer = static_cast<char*>(heap.reallocate(block, 50'000));
  if (longer == nullptr || longer[99] != 5) return fail("reallocate");
  auto* const shorter = static_cast<char*>(heap.reallocate(longer, 10));
  if (shorter == nullptr || shorter[9] != 5 || heap.size_of(shorter) != 16) return fail("shorter");
  if (heap.reallocate(shorter, ~std::size_t{0}) != nullptr || shorter[9] != 5) return fail("kept");
  // Until it is full, and then all over again.
  for (int round = 0; round < 2; ++round) {
    std::vector<void*> blocks;
    while (void* const one = heap.allocate(8000)) blocks.push_back(one);
    if (blocks.size() * 8192 < region.size() * 8 / 10) return fail("full too early");
    for (void* const one : blocks) {
      if (!heap.free(one)) return fail("free");
    }
  }
  krg::Region elsewhere = must(krg::Region::open("heap.other", 16 << 20), "a region");
  elsewhere.data()[3] = std::byte{1};
  if (krg::Heap::open(elsewhere).error().code() != krg::Errc::invalid_argument) return fail("mark");
  const krg::Region small = must(krg::Region::open("heap.small", 1 << 20), "a region");
  if (krg::Heap::open(small).error().code() != krg::Errc::invalid_argument) return fail("small");
  return 0;
}

int child_after_fork(const krg::Region& region) {
  krg::Heap heap = must(krg::Heap::open(region), "the heap");
  std::set<void*> mine;
  for (int i = 0; i < 10; ++i) mine.insert(make(heap, 64));
  void* const given = make(heap, 64);
  Word& count = *static_cast<Word*>(heap.allocate(sizeof(Word)));
  count = 0;
  const pid_t child = ::fork();
  if (child == 0) {
    for (int i = 0; i < 100; ++i) {
      void* const block = make(heap, 64);
      if (block == nullptr || mine.count(block) != 0) ::_exit(1);
      *static_cast<std::uintptr_t*>(block) = 0;
      count.fetch_add(1);
    }
    ::_exit(heap.free(given) ? 0 : 2);
  }
  for (int i = 0; i < 200; ++i) mine.insert(make(heap, 64));
  int how = -1;
  ::waitpid(child, &how, 0);
  if (!WIFEXITED(how) || WEXITSTATUS(how) != 0 || count != 100) return fail("the child");
  for (void* const block : mine) {
    if (!is_whole(block) || !heap.free(block)) return fail("a block that the child had too");
  }
  return 0;
}

// How long a pair of calls takes: on its own, and when another node frees.
int speed(const krg::Region& region, const krg::Region& slots, Meeting& all) {
  constexpr std::size_t kTimes = 200'000;
  krg::Heap heap = must(krg::Heap::open(region), "the heap");
  std::array<void*, 64> blocks{};
  const auto begin = Clock::now();
  for (std::size_t i = 0; i < kTimes; ++i) {
    void*& block = blocks[i % blocks.size()];
    if (!heap.free(block)) return fail("free");
    block = heap.allocate(16 + i % 200);
  }
  const double ns = std::chrono::duration<double, std::nano>(Clock::now() - begin).count();
  std::printf("rank %u: a pair takes %.0f ns\n", rank_of_this(), ns / kTimes);
  all.meet();
  for (std::size_t i = 0; i < kSlots; ++i) {
    if (rank_of_this() != 0) break;
    word(slots, 1, i).store(reinterpret_cast<std::uintptr_t>(heap.allocate(256)));
  }
  all.meet();
  if (rank_of_this() == 1) {
    const auto start = Clock::now();
    for (std::size_t i = 0; i < kSlots; ++i) {
      if (!heap.free(reinterpret_cast<void*>(word(slots, 1, i).load()))) return fail("free");
    }
    const double us = std::chrono::duration<double, std::micro>(Clock::now() - start).count();
    std::printf("a block of another node is freed in %.2f us\n", us / kSlots);
  }
  all.meet();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string kind = argc > 1 ? argv[1] : "share";
  const krg::Region region = must(krg::Region::open("heap." + kind, 128 << 20), "the region");
  const krg::Region slots = must(krg::Region::open("heap.slots." + kind, 8192), "the slots");
  Meeting all(slots, 0);
  int wrong = 0;
  if (kind == "share") wrong = share(region, slots, all);
  if (kind == "bad_cases" && rank_of_this() == 0) wrong = bad_cases(region);
  if (kind == "fork") wrong = child_after_fork(region);
  if (kind == "speed") wrong = speed(region, slots, all);
  if (wrong == 0) {
    all.meet();
    std::puts("right");
  }
  return wrong;
}
