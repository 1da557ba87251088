// link/address.h: "host:port" as text and as sockaddr.
//
// Model    values. A printed address is numeric: "10.0.0.1:4711", "[fd00::1]:4711".
// Threads  safe.
// Blocks   resolve() may ask a name server; nothing else blocks.
// Source   getaddrinfo(3), getifaddrs(3); RFC 3986, 3.2.2 (brackets)
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "krg/error/result.h"

namespace krg::link {

struct Address {
  sockaddr_storage storage{};
  socklen_t size = 0;

  const sockaddr* get() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const noexcept { return storage.ss_family; }
  std::uint16_t port() const noexcept;
  void set_port(std::uint16_t port) noexcept;
  // The address that means "every interface".
  bool is_wildcard() const noexcept;
  bool is_loopback() const noexcept;
  std::string print() const;
  // An IPv4 address that came in IPv6 clothes ("::ffff:10.0.0.1", from a socket that serves both)
  // as what it is; others as they are.
  Address unmapped() const noexcept;
};

// "host", "host:port", "[v6]:port", "v6": host and port, the port 0 if there is none.
// Errors  invalid_argument
struct HostPort {
  std::string host;
  std::uint16_t port = 0;
};
Result<HostPort> split_host_port(std::string_view text);

// A comma-separated list of numeric addresses with ports; at most 64.
// Errors  invalid_argument
Result<std::vector<Address>> parse_list(std::string_view text);

// The hosts of such a list without their ports, IPv6 in brackets; loopback only if there is nothing
// else; none if it does not parse.
std::vector<std::string> hosts_of(std::string_view list);

// Where to listen for "host[:port]": the first address of the host. Blocks if it is a name.
// Errors  invalid_argument  no such host, or malformed.
Result<Address> resolve(std::string_view text);

// The addresses of the interfaces that are up and running, best first: IPv4 before IPv6, loopback
// last, link-local ones left out.
std::vector<Address> local_addresses();
// Whether an interface other than loopback is switched on but does not run yet, and none runs.
bool interface_is_coming_up();

}  // namespace krg::link
