// file_task write|read|full PATH: a rank's part in a set that lives in a file of node 0.
#include <krg/task/space.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

using krg::kddm::ObjectId;

constexpr std::uint64_t kObjects = 64;
constexpr std::size_t kBytes = 4096;

unsigned number_from(const char* variable) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? 0 : static_cast<unsigned>(std::strtoul(text, nullptr, 10));
}

int complain(const char* what, const krg::Error& error) {
  std::fprintf(stderr, "%s: %s\n", what, error.message().c_str());
  return 1;
}

int write(krg::kddm::Space& space, krg::kddm::SetId set, std::uint64_t object) {
  {
    auto lease = space.grab(set, ObjectId{object});
    if (!lease) return complain("grab", lease.error());
    std::memset(lease->bytes().data(), static_cast<int>('0' + object % 10), kBytes);
  }
  const krg::Status synced = space.sync(set, ObjectId{object});
  return synced ? 0 : complain("sync", synced.error());
}

int read(krg::kddm::Space& space, krg::kddm::SetId set, std::uint64_t object) {
  const auto lease = space.get(set, ObjectId{object});
  if (!lease) return complain("get", lease.error());
  for (const std::byte b : lease->bytes()) {
    if (b == static_cast<std::byte>('0' + object % 10)) continue;
    std::fprintf(stderr, "object %llu is wrong\n", static_cast<unsigned long long>(object));
    return 1;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const std::string verb = argv[1];
  const unsigned rank = number_from("KRG_RANK"), size = number_from("KRG_SIZE");
  auto space = krg::kddm::Space::connect();
  if (!space) return complain("connect", space.error());
  krg::kddm::SetOptions options;
  options.object_bytes = kBytes;
  options.policy = krg::kddm::HomePolicy::fixed;
  options.home = krg::NodeId{0};
  options.flags = static_cast<std::uint32_t>(krg::kddm::SetFlag::touch_at_home);
  options.linker = "file";
  options.linker_data = argv[2];
  const auto set = (*space)->open("file_task", options);
  if (!set) return complain("open", set.error());
  for (std::uint64_t object = rank; object < kObjects; object += size) {
    // Who reads reads what another rank has written.
    const int failed = verb == "read" ? read(**space, *set, (object + 1) % kObjects)
                                      : write(**space, *set, object);
    if (failed != 0) return failed;
  }
  std::puts("right");
  return 0;
}
