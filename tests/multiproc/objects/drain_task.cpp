// drain_task fill|check COUNT [FILE]: COUNT objects of 4 KiB, written by the task on node 1.
//
//   fill   that task makes them, and says `filled`; with FILE the set lies in that file. All other
//          tasks do nothing.
//   check  a task on another node reads all of them by a range, and says how many are right, and
//          how long it took: with what is on another node it is a bulk transfer.
#include <krg/error/must.h>
#include <krg/task/space.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

using krg::kddm::ObjectId;
using krg::kddm::SetId;
using krg::kddm::SetOptions;
using krg::kddm::Space;

constexpr std::size_t kBytes = 4096;

// The first and the last word of an object say which one it is.
bool is_right(std::span<const std::byte> bytes, std::uint64_t object) {
  std::uint64_t first = 0, last = 0;
  std::memcpy(&first, bytes.data(), sizeof first);
  std::memcpy(&last, bytes.data() + kBytes - sizeof last, sizeof last);
  return first == object + 1 && last == ~object;
}

void fill(Space& space, SetId set, std::uint64_t count) {
  for (std::uint64_t object = 0; object < count; ++object) {
    const auto lease = must(space.grab(set, ObjectId{object}), "to make an object");
    const std::uint64_t first = object + 1, last = ~object;
    std::memcpy(lease.bytes().data(), &first, sizeof first);
    std::memcpy(lease.bytes().data() + kBytes - sizeof last, &last, sizeof last);
  }
  std::puts("filled");
}

void check(Space& space, SetId set, std::uint64_t count) {
  const auto begin = std::chrono::steady_clock::now();
  std::uint64_t right = 0;
  for (auto range = space.get_range(set, ObjectId{0}, count); !range.done();) {
    const std::uint64_t object = range.object().value;
    const auto lease = must(range.next(), "to read an object");
    right += is_right(lease.bytes(), object) ? 1 : 0;
  }
  const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - begin;
  std::printf("%llu right in %.0f ms\n", static_cast<unsigned long long>(right), time.count());
}

SetOptions options_for(const char* file) {
  SetOptions options;
  options.object_bytes = kBytes;
  if (file == nullptr) return options;
  // Each home writes what it is home of: so no node is named.
  options.flags = static_cast<std::uint32_t>(krg::kddm::SetFlag::touch_at_home);
  options.linker = "file";
  options.linker_data = file;
  return options;
}

}  // namespace

int main(int argc, char** argv) {
  const char* const node = std::getenv("KRG_NODE");
  if (argc < 3 || argc > 4 || node == nullptr) return 2;
  const bool fills = std::strcmp(argv[1], "fill") == 0;
  if (fills != (std::strcmp(node, "1") == 0)) return 0;
  const auto space = must(Space::connect(), "to connect to krgd");
  const SetId set = must(space->open("test.drain", options_for(argc == 4 ? argv[3] : nullptr)),
                         "to open the set");
  const std::uint64_t count = std::strtoull(argv[2], nullptr, 10);
  fills ? fill(*space, set, count) : check(*space, set, count);
  return 0;
}
