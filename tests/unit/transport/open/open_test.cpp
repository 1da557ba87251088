#include "krg/open/open.h"

#include <gtest/gtest.h>

#include "krg/testing/matchers.h"

namespace krg::transport {
namespace {

// Hears nothing: these fabrics meet nobody.
struct DeafSink final : fabric::EventSink {
  void on_up(fabric::Endpoint&) override {}
  void on_message(fabric::Endpoint&, std::span<const std::byte>) override {}
  void on_large(fabric::Endpoint&, std::span<const std::byte>, fabric::LargeMessage&) override {}
  void on_writable(fabric::Endpoint&) override {}
  void on_down(fabric::Endpoint&, Error, bool) override {}
  void on_connect_failed(NodeId, Error) override {}
};

TEST(Open, NamesGoBothWays) {
  for (const char* name : {"ucx", "ofi"}) {
    const auto provider = provider_of(name);
    ASSERT_OK(provider);
    EXPECT_EQ(name_of(*provider), name);
  }
}

TEST(Open, TheSimulatedTransportIsRefusedByName) {
  EXPECT_ERROR(provider_of("sim"), Errc::not_supported);
}

TEST(Open, OtherNamesAreInvalid) {
  for (const char* name : {"", "UCX", "tcp", "ucx ", "verbs"}) {
    EXPECT_ERROR(provider_of(name), Errc::invalid_argument);
  }
}

TEST(Open, OpensTheProviderThatIsAskedForWithTheReachThatIsAskedFor) {
  const reactor::RealClock clock;
  reactor::Reactor reactor(clock);
  DeafSink sink;
  for (const Provider provider : {Provider::ucx, Provider::ofi}) {
    for (const auto reach : {fabric::Reach::any, fabric::Reach::shm, fabric::Reach::tcp}) {
      fabric::Options options;
      options.self = {NodeId{0}, Incarnation{1}};
      options.listen = "127.0.0.1";
      options.reach = reach;
      const auto opened = open(provider, reactor, sink, options);
      ASSERT_OK(opened);
      EXPECT_EQ((*opened)->provider(), name_of(provider));
      EXPECT_FALSE((*opened)->address().empty());
    }
  }
}

TEST(Open, AnErrorOfTheProviderComesBack) {
  const reactor::RealClock clock;
  reactor::Reactor reactor(clock);
  DeafSink sink;
  fabric::Options options;
  options.self = {NodeId{0}, Incarnation{1}};
  options.listen = "192.0.2.1";  // Nobody's: TEST-NET-1.
  for (const Provider provider : {Provider::ucx, Provider::ofi}) {
    EXPECT_FALSE(open(provider, reactor, sink, options));
  }
}

}  // namespace
}  // namespace krg::transport
