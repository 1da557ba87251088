// Which way the data take, as the kernel counts them: shared memory or TCP.
#include "krg/testing/fabric_conformance.h"

namespace krg::testing {
namespace {

constexpr std::size_t kData = 16u << 20;

class UcxReach : public FabricConformance {};

// Goal    between processes of one host data go through shared memory unless TCP was asked for.
// Method  16 MiB to another process; the kernel knows how much of that its TCP sockets sent.
TEST_P(UcxReach, DataGoByTcpOnlyWhereThatWasAskedFor) {
  const auto by_tcp = tcp_bytes_of_sending(pattern(kData, 1));
  ASSERT_TRUE(by_tcp);
  if (GetParam().name == "ucx_tcp" || GetParam().name == "ucx_network") {
    EXPECT_GE(*by_tcp, kData);
  } else {
    EXPECT_LT(*by_tcp, kData / 100);
  }
}

INSTANTIATE_TEST_SUITE_P(Ucx, UcxReach, ::testing::ValuesIn(providers_under_test()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace krg::testing
