// Addresses as text.
#include "krg/link/address.h"

#include <gtest/gtest.h>

namespace krg::link {
namespace {

TEST(LinkAddress, SplitsHostAndPort) {
  const auto check = [](const char* text, const char* host, int port) {
    const auto got = split_host_port(text);
    ASSERT_TRUE(got.has_value()) << text;
    EXPECT_EQ(got.value().host, host);
    EXPECT_EQ(got.value().port, port);
  };
  check("n7", "n7", 0);
  check("n7:80", "n7", 80);
  check("10.1.2.3:65535", "10.1.2.3", 65535);
  check("::1", "::1", 0);
  check("[::1]", "::1", 0);
  check("[fd00::2]:7", "fd00::2", 7);
}

TEST(LinkAddress, RefusesWhatIsNotOne) {
  for (const char* text :
       {"", ":1", "a:", "a:x", "a:65536", "a:-1", "[::1", "[::1]x", "[::1]:", "a:1 "}) {
    EXPECT_FALSE(split_host_port(text).has_value()) << "'" << text << "'";
  }
  for (const char* text : {"", "10.0.0.1", "10.0.0.1:0", "name:1", "10.0.0.1:1,", "0.0.0.0:1",
                           "[::]:1", "10.0.0.1:1,,10.0.0.2:1"}) {
    EXPECT_FALSE(parse_list(text).has_value()) << "'" << text << "'";
  }
  std::string long_list = "10.0.0.1:1";
  for (int i = 0; i < 64; ++i) long_list += ",10.0.0.1:1";
  EXPECT_FALSE(parse_list(long_list).has_value());
}

TEST(LinkAddress, PrintsWhatItParses) {
  const std::string text = "10.0.0.1:4711,[fd00::1]:4711,127.0.0.1:1";
  const auto list = parse_list(text);
  ASSERT_TRUE(list.has_value());
  ASSERT_EQ(list.value().size(), 3u);
  std::string printed;
  for (const Address& a : list.value()) printed += (printed.empty() ? "" : ",") + a.print();
  EXPECT_EQ(printed, text);
  EXPECT_FALSE(list.value()[0].is_loopback());
  EXPECT_TRUE(list.value()[2].is_loopback());
}

TEST(LinkAddress, AMappedAddressIsTheIPv4AddressThatItStandsFor) {
  const auto mapped = parse_list("[::ffff:10.1.2.3]:77");
  ASSERT_TRUE(mapped.has_value());
  const Address plain = mapped.value().front().unmapped();
  EXPECT_EQ(plain.family(), AF_INET);
  EXPECT_EQ(plain.print(), "10.1.2.3:77");
  const auto other = parse_list("[fd00::2]:7");
  ASSERT_TRUE(other.has_value());
  EXPECT_EQ(other.value().front().unmapped().print(), "[fd00::2]:7");
}

TEST(LinkAddress, TheHostsOfAListAreWithoutPortsAndWithoutLoopback) {
  using Hosts = std::vector<std::string>;
  EXPECT_EQ(hosts_of("10.0.0.1:4711,[fd00::1]:4711,127.0.0.1:4711,[::1]:4711"),
            (Hosts{"10.0.0.1", "[fd00::1]"}));
  EXPECT_EQ(hosts_of("127.0.0.1:1,[::1]:1"), (Hosts{"127.0.0.1", "[::1]"}));
  EXPECT_EQ(hosts_of("sim:3"), Hosts{});
}

TEST(LinkAddress, OfThisHostEndsWithLoopback) {
  const auto all = local_addresses();
  ASSERT_FALSE(all.empty()) << "a machine without even a loopback interface";
  bool loopback = false;
  for (const Address& a : all) {
    EXPECT_FALSE(loopback && !a.is_loopback()) << a.print() << " after a loopback address";
    loopback = a.is_loopback();
  }
}

}  // namespace
}  // namespace krg::link
