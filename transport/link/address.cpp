#include "krg/link/address.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <memory>

namespace krg::link {
namespace {

constexpr std::size_t kListMax = 64;

const sockaddr_in& v4(const Address& a) noexcept {
  return reinterpret_cast<const sockaddr_in&>(a.storage);
}
const sockaddr_in6& v6(const Address& a) noexcept {
  return reinterpret_cast<const sockaddr_in6&>(a.storage);
}

Error malformed() { return Error(Errc::invalid_argument, "malformed network address"); }

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return malformed();
  return port;
}

Result<Address> lookup(const HostPort& where, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  if (getaddrinfo(where.host.c_str(), nullptr, &hints, &found) != 0 || found == nullptr) {
    return Error(Errc::invalid_argument, "no such host");
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(found, freeaddrinfo);
  Address address;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  address.size = found->ai_addrlen;
  address.set_port(where.port);
  return address;
}

using Interfaces = std::unique_ptr<ifaddrs, decltype(&freeifaddrs)>;

Interfaces interfaces() {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) first = nullptr;
  return {first, freeifaddrs};
}

// 0 is best: IPv4, IPv6, then loopback in the same order.
constexpr int kRanks = 4;
int rank(const Address& a) noexcept {
  return (a.is_loopback() ? 2 : 0) + (a.family() == AF_INET6 ? 1 : 0);
}

}  // namespace

Address Address::unmapped() const noexcept {
  if (family() != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&v6(*this).sin6_addr)) return *this;
  sockaddr_in plain{};
  plain.sin_family = AF_INET;
  plain.sin_port = v6(*this).sin6_port;
  std::memcpy(&plain.sin_addr, v6(*this).sin6_addr.s6_addr + 12, sizeof plain.sin_addr);
  Address address;
  std::memcpy(&address.storage, &plain, sizeof plain);
  address.size = sizeof plain;
  return address;
}

std::uint16_t Address::port() const noexcept {
  return ntohs(family() == AF_INET ? v4(*this).sin_port : v6(*this).sin6_port);
}

void Address::set_port(std::uint16_t port) noexcept {
  if (family() == AF_INET) {
    reinterpret_cast<sockaddr_in&>(storage).sin_port = htons(port);
  } else {
    reinterpret_cast<sockaddr_in6&>(storage).sin6_port = htons(port);
  }
}

bool Address::is_wildcard() const noexcept {
  return family() == AF_INET ? v4(*this).sin_addr.s_addr == htonl(INADDR_ANY)
                             : IN6_IS_ADDR_UNSPECIFIED(&v6(*this).sin6_addr);
}

bool Address::is_loopback() const noexcept {
  return family() == AF_INET ? ntohl(v4(*this).sin_addr.s_addr) >> 24 == 127
                             : IN6_IS_ADDR_LOOPBACK(&v6(*this).sin6_addr);
}

std::string Address::print() const {
  char host[INET6_ADDRSTRLEN] = "?";
  if (family() == AF_INET) {
    inet_ntop(AF_INET, &v4(*this).sin_addr, host, sizeof host);
    return std::string(host) + ":" + std::to_string(port());
  }
  if (family() != AF_INET6) return "?";
  inet_ntop(AF_INET6, &v6(*this).sin6_addr, host, sizeof host);
  return "[" + std::string(host) + "]:" + std::to_string(port());
}

Result<HostPort> split_host_port(std::string_view text) {
  HostPort result;
  std::string_view port;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return malformed();
    result.host = text.substr(1, end - 1);
    const std::string_view rest = text.substr(end + 1);
    if (!rest.empty() && (rest[0] != ':' || rest.size() == 1)) return malformed();
    port = rest.empty() ? rest : rest.substr(1);
  } else {
    const std::size_t colon = text.find(':');
    // More than one colon without brackets: an IPv6 address alone.
    const bool has_port = colon != std::string_view::npos && colon == text.rfind(':');
    result.host = has_port ? text.substr(0, colon) : text;
    if (has_port && colon + 1 == text.size()) return malformed();
    port = has_port ? text.substr(colon + 1) : std::string_view{};
  }
  if (result.host.empty() || result.host.size() > 255) return malformed();
  if (!port.empty()) {
    KRG_TRY_ASSIGN(result.port, parse_port(port));
  }
  return result;
}

Result<std::vector<Address>> parse_list(std::string_view text) {
  std::vector<Address> list;
  while (true) {
    const std::size_t comma = text.find(',');
    KRG_TRY_ASSIGN(const HostPort where, split_host_port(text.substr(0, comma)));
    KRG_TRY_ASSIGN(const Address address, lookup(where, AI_NUMERICHOST));
    if (address.port() == 0 || address.is_wildcard() || list.size() == kListMax) return malformed();
    list.push_back(address);
    if (comma == std::string_view::npos) return list;
    text.remove_prefix(comma + 1);
  }
}

std::vector<std::string> hosts_of(std::string_view list) {
  std::vector<std::string> hosts;
  const Result<std::vector<Address>> addresses = parse_list(list);
  if (!addresses) return hosts;
  const bool all_loopback = std::all_of(addresses->begin(), addresses->end(),
                                        [](const Address& a) { return a.is_loopback(); });
  for (const Address& address : *addresses) {
    if (address.is_loopback() && !all_loopback) continue;
    const std::string text = address.print();
    hosts.push_back(text.substr(0, text.rfind(':')));
  }
  return hosts;
}

Result<Address> resolve(std::string_view text) {
  KRG_TRY_ASSIGN(const HostPort where, split_host_port(text));
  return lookup(where, AI_PASSIVE);
}

std::vector<Address> local_addresses() {
  std::vector<Address> found;
  const Interfaces list = interfaces();
  for (const ifaddrs* i = list.get(); i != nullptr; i = i->ifa_next) {
    // IFF_RUNNING is the kernel's operstate: up or unknown.
    const unsigned wanted = IFF_UP | IFF_RUNNING;
    if (i->ifa_addr == nullptr || (i->ifa_flags & wanted) != wanted) continue;
    const int family = i->ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) continue;
    Address address;
    address.size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
    std::memcpy(&address.storage, i->ifa_addr, address.size);
    if (family == AF_INET6 && IN6_IS_ADDR_LINKLOCAL(&v6(address).sin6_addr)) continue;
    found.push_back(address);
  }
  std::vector<Address> ranked;
  for (int wanted = 0; wanted < kRanks; ++wanted) {
    for (const Address& a : found) {
      if (rank(a) == wanted) ranked.push_back(a);
    }
  }
  return ranked;
}

bool interface_is_coming_up() {
  bool coming = false;
  const Interfaces list = interfaces();
  for (const ifaddrs* i = list.get(); i != nullptr; i = i->ifa_next) {
    if ((i->ifa_flags & IFF_LOOPBACK) != 0 || (i->ifa_flags & IFF_UP) == 0) continue;
    if ((i->ifa_flags & IFF_RUNNING) != 0) return false;
    coming = true;
  }
  return coming;
}

}  // namespace krg::link
