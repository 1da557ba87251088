// Adds to accounts that live on two nodes, and writes down what was acknowledged, until the file
// FOLDER/end is there. Then, as the audit, it compares the accounts with all that tasks wrote down.
//
//   ledger_task FOLDER         a task: FOLDER/RANK.log says, for each addition, that it is tried
//   and
//                              that it is acknowledged (synced)
//   ledger_task --audit FOLDER  exit code 0: no account has lost an acknowledged addition, none has
//                              more than was tried, and all bytes are whole
#include <krg/error/must.h>
#include <krg/task/space.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>

namespace {

using krg::kddm::ObjectId;
using krg::kddm::SetId;
using krg::kddm::SetOptions;
using krg::kddm::Space;

constexpr unsigned kAccounts = 48;
constexpr std::size_t kBytes = 256;
constexpr std::byte kFiller{0x5a};

std::int64_t value_of(std::span<const std::byte> bytes) {
  std::int64_t value = 0;
  std::memcpy(&value, bytes.data(), sizeof value);
  for (std::size_t i = sizeof value; i < bytes.size(); ++i) {
    if (bytes[i] == (value == 0 ? std::byte{0} : kFiller)) continue;
    std::fprintf(stderr, "an account is spoilt: value %lld, byte %zu is %d\n",
                 static_cast<long long>(value), i, static_cast<int>(bytes[i]));
    std::exit(1);
  }
  return value;
}

// The filler first: an account whose value is not zero is whole, whenever its writer dies.
void add_one(Space& space, SetId set, ObjectId account) {
  auto lease = must(space.grab(set, account), "to grab an account");
  std::int64_t value = 0;
  std::memcpy(&value, lease.bytes().data(), sizeof value);
  ++value;
  std::fill(lease.bytes().begin() + sizeof value, lease.bytes().end(), kFiller);
  std::memcpy(lease.bytes().data(), &value, sizeof value);
}

int add(Space& space, SetId set, const std::string& folder, const char* rank) {
  std::FILE* const log = std::fopen((folder + "/" + rank + ".log").c_str(), "w");
  if (log == nullptr) return 1;
  std::mt19937 random(static_cast<unsigned>(std::atoi(rank)) + 1);
  long done = 0;
  for (; !std::filesystem::exists(folder + "/end"); ++done) {
    const unsigned account = random() % kAccounts;
    std::fprintf(log, "try %u\n", account);
    std::fflush(log);
    add_one(space, set, ObjectId{account});
    if (const krg::Status synced = space.sync(set, ObjectId{account}); !synced) {
      std::fprintf(stderr, "to sync an account: %s\n", synced.error().message().c_str());
      return 1;
    }
    std::fprintf(log, "ok %u\n", account);
    std::fflush(log);
  }
  std::fclose(log);
  std::printf("rank %s has added %ld times\n", rank, done);
  return 0;
}

int audit(Space& space, SetId set, const std::string& folder) {
  std::array<std::int64_t, kAccounts> tried{};
  std::array<std::int64_t, kAccounts> acknowledged{};
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".log") continue;
    std::ifstream log(entry.path());
    std::string word;
    for (unsigned account = 0; log >> word >> account;) {
      if (account >= kAccounts) continue;  // The last line of who was killed.
      ++(word == "ok" ? acknowledged : tried)[account];
    }
  }
  std::int64_t sum = 0;
  int bad = 0;
  for (unsigned i = 0; i < kAccounts; ++i) {
    const auto lease = must(space.get(set, ObjectId{i}), "to get an account");
    const std::int64_t value = value_of(lease.bytes());
    sum += value;
    if (value >= acknowledged[i] && value <= tried[i]) continue;
    ++bad;
    std::fprintf(stderr, "account %u has %lld: %lld additions were tried, %lld acknowledged\n", i,
                 static_cast<long long>(value), static_cast<long long>(tried[i]),
                 static_cast<long long>(acknowledged[i]));
  }
  std::printf("%lld additions, %d accounts wrong\n", static_cast<long long>(sum), bad);
  return bad == 0 && sum > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const bool audits = argc == 3 && std::strcmp(argv[1], "--audit") == 0;
  const char* const rank = std::getenv("KRG_RANK");
  if ((argc != 2 && !audits) || rank == nullptr) return 2;
  const auto space = must(Space::connect(), "to connect to krgd");
  SetOptions options;
  options.object_bytes = kBytes;
  options.copies = 2;
  const SetId set = must(space->open("test.ledger", options), "to open the ledger");
  return audits ? audit(*space, set, argv[2]) : add(*space, set, argv[1], rank);
}
