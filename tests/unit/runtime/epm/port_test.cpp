#include "krg/epm/port.h"

#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include <chrono>
#include <string>
#include <vector>

namespace krg::epm {
namespace {

struct Ends {
  reactor::RealClock clock;
  reactor::Reactor reactor{clock, reactor::Reactor::Waiting::poll};
  std::vector<std::uint16_t> types;
  std::string last;
  UniqueFd passed;
  std::unique_ptr<Port> a, b;

  Ends() {
    auto ends = Port::make();
    a = std::make_unique<Port>(reactor, std::move(ends->first),
                               [](std::uint16_t, wire::Bytes, UniqueFd) {});
    b = std::make_unique<Port>(reactor, std::move(ends->second),
                               [this](std::uint16_t type, wire::Bytes body, UniqueFd fd) {
                                 types.push_back(type);
                                 if (fd) passed = std::move(fd);
                                 const auto opened = wire::decode<Opened>(body);
                                 if (opened) last = opened->complaint;
                               });
  }
  // Until so many messages have come, or for a second.
  void hear(std::size_t messages) {
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    while (types.size() < messages && std::chrono::steady_clock::now() < end) (void)reactor.turn();
  }
};

TEST(Port, PassesMessagesAndDescriptorsInOrder) {
  Ends ends;
  const UniqueFd event(eventfd(5, EFD_CLOEXEC));
  ASSERT_TRUE(ends.a->send(Attach{}));
  ASSERT_TRUE(ends.a->send(Opened{"no room"}, event.get()));
  ends.hear(2);
  EXPECT_EQ(ends.types, (std::vector<std::uint16_t>{Attach::kFrame, Opened::kFrame}));
  EXPECT_EQ(ends.last, "no room");
  std::uint64_t value = 0;
  ASSERT_TRUE(ends.passed);
  EXPECT_EQ(read(ends.passed.get(), &value, sizeof value), 8);
  EXPECT_EQ(value, 5u);
}

TEST(Port, TellsTheEndOnce) {
  Ends ends;
  ends.a.reset();
  ends.hear(1);
  EXPECT_EQ(ends.types, std::vector<std::uint16_t>{0});
  EXPECT_EQ(ends.b->send(Attach{}).error(), Errc::peer_down);
}

TEST(Port, RefusesWhatIsTooLong) {
  Ends ends;
  EXPECT_EQ(ends.a->send(Opened{std::string(Port::kMessageMax, 'x')}).error(), Errc::too_large);
}

}  // namespace
}  // namespace krg::epm
