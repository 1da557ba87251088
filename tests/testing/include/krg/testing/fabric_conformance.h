// testing/fabric_conformance.h: what every fabric provider must do, as tests.
//
// Model    a value-parameterised suite over providers_under_test(). A provider's test program links
//          krg_testing and krg_testing_fabric and defines that function; nothing more.
// Threads  owned by the test's thread.
// Blocks   a test up to its limit.
// Source   transport/fabric; docs/design/wire.md
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <list>
#include <map>
#include <memory>
#include <optional>

#include "krg/testing/matchers.h"
#include "krg/testing/recorder.h"
#include "krg/testing/stage.h"

namespace krg::testing {

inline constexpr std::chrono::seconds kLimit{20};
inline constexpr std::size_t kContentMax = fabric::kMessageMax - fabric::kHeadroom;

// A node of this program.
struct LocalNode {
  NodeId id;
  Recorder sink;
  std::unique_ptr<fabric::Fabric> fabric;

  // The connection that is up with `node`. Requires that there is one.
  fabric::Endpoint& to(NodeId node) { return *sink.link(node)->endpoint; }
};

// A small message with the headroom in front.
Bytes message_of(std::span<const std::byte> content);

class FabricConformance : public ::testing::TestWithParam<ProviderUnderTest> {
 protected:
  FabricConformance();
  ~FabricConformance() override;

  Stage& stage() { return *stage_; }
  fabric::Options options(NodeId node, Incarnation incarnation = Incarnation{1}) const;
  LocalNode& open(std::uint32_t node, Incarnation incarnation = Incarnation{1});
  LocalNode& open(const fabric::Options& options);
  std::unique_ptr<RemoteNode> start(PeerRole role, std::uint32_t node,
                                    Incarnation incarnation = Incarnation{1});

  // Turns until `condition` holds; false after `limit`.
  bool until(const std::function<bool()>& condition, Duration limit = kLimit);
  // Turns for `time`.
  void pass(Duration time);
  Deadline in(Duration time) const { return Deadline(stage_->now() + time); }

  void connect(LocalNode& from, NodeId to, const std::string& address);
  // Connects `a` to `b` and waits until both know it; false if that takes too long.
  bool join(LocalNode& a, LocalNode& b);
  bool join(LocalNode& a, NodeId b, const RemoteNode& remote);

  // Sends, waiting for room as often as it takes; false if the endpoint is down or room never
  // comes.
  bool send(LocalNode& from, NodeId to, std::span<const std::byte> content);
  bool send_large(LocalNode& from, NodeId to, std::span<const std::byte> header,
                  std::span<const std::span<const std::byte>> parts, Told& done);
  // Sends `data` to a process of its own, node 2; how many bytes our TCP sockets sent meanwhile,
  // the link's few among them. Nothing, and a failure, if the data do not arrive.
  std::optional<std::uint64_t> tcp_bytes_of_sending(std::span<const std::byte> data);
  // Every small message sent by send() is the suite's again.
  bool all_sent();

 private:
  bool retry(LocalNode& from, NodeId to, const std::function<Status(fabric::Endpoint&)>& attempt);

  struct Pending {
    Bytes buffer;
    Told done;
  };
  std::unique_ptr<Stage> stage_;
  std::list<LocalNode> nodes_;
  std::list<Pending> pending_;
};

}  // namespace krg::testing
