#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <array>

#include "krg/testing/fabric_conformance.h"

// How much of what is sent goes by TCP.
namespace krg::testing {
namespace {

// What all TCP sockets of this process have sent so far.
std::uint64_t sent_by_tcp() {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  std::uint64_t bytes = 0;
  for (int fd = 0; fd < static_cast<int>(std::min<rlim_t>(limit.rlim_cur, 4096)); ++fd) {
    tcp_info info{};
    socklen_t size = sizeof info;
    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0) bytes += info.tcpi_bytes_sent;
  }
  return bytes;
}

}  // namespace

std::optional<std::uint64_t> FabricConformance::tcp_bytes_of_sending(
    std::span<const std::byte> data) {
  LocalNode& a = open(1);
  const auto remote = start(PeerRole::echo, 2);
  if (remote == nullptr || !join(a, NodeId{2}, *remote)) return {};
  const std::uint64_t before = sent_by_tcp();
  const std::array<std::span<const std::byte>, 1> parts{data};
  Told done;
  EXPECT_TRUE(send_large(a, NodeId{2}, pattern(8, 1), parts, done));
  const auto& arrived = a.sink.links[0].arrived;
  const bool back =
      until([&] { return done.once() && arrived.size() == 1 && arrived[0]->whole(); });
  EXPECT_TRUE(back) << "the echo of " << data.size() << " bytes did not come";
  if (!back) return {};
  EXPECT_OK(done.status());
  return sent_by_tcp() - before;
}

}  // namespace krg::testing
