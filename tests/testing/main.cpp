#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>

#include "krg/testing/child.h"
#include "krg/testing/seed.h"
#include "seed_state.h"

namespace krg::testing {
namespace {

std::map<std::string, ChildMode::Main>& child_modes() {
  static std::map<std::string, ChildMode::Main> modes;
  return modes;
}

// Names the seed below every failure.
class SeedPrinter final : public ::testing::EmptyTestEventListener {
  void OnTestPartResult(const ::testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::printf("seed %llu; replay with --seed %llu\n", static_cast<unsigned long long>(seed()),
                static_cast<unsigned long long>(seed()));
  }
};

// Takes --seed N or --seed=N out of what GoogleTest has left; false if it is not a number.
bool read_seed(int argc, char** argv) {
  const char* value = std::getenv("KRG_TEST_SEED");
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument(argv[i]);
    if (argument == "--seed" && i + 1 < argc) value = argv[++i];
    if (argument.starts_with("--seed=")) value = argv[i] + std::string_view("--seed=").size();
  }
  if (value == nullptr) return true;
  char* end = nullptr;
  seed_state() = {std::strtoull(value, &end, 0), true};
  return *value != '\0' && *end == '\0';
}

}  // namespace

ChildMode::ChildMode(const char* name, Main main) noexcept { child_modes().emplace(name, main); }

}  // namespace krg::testing

int main(int argc, char** argv) {
  using namespace krg::testing;
  if (argc >= 3 && std::string_view(argv[1]) == "--child") {
    const auto mode = child_modes().find(argv[2]);
    if (mode == child_modes().end()) return 2;
    return mode->second({argv + 3, argv + argc});
  }
  ::testing::InitGoogleTest(&argc, argv);
  if (!read_seed(argc, argv)) {
    std::fprintf(stderr, "--seed: want a number\n");
    return 2;
  }
  ::testing::UnitTest::GetInstance()->listeners().Append(new SeedPrinter);
  return RUN_ALL_TESTS();
}
