#include <netdb.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "krg/config/config.h"
#include "krg/krgrun/options.h"

namespace krg::krgrun {
namespace {

bool resolves(const std::string& host) {
  addrinfo* found = nullptr;
  const int rc = ::getaddrinfo(host.c_str(), nullptr, nullptr, &found);
  if (rc == 0) ::freeaddrinfo(found);
  // A resolver that is out of order says nothing about the name.
  return rc == 0 || rc == EAI_AGAIN || rc == EAI_SYSTEM;
}

// What ssh takes a name for: its configuration may have another one behind it.
std::string meant_by_ssh(const std::string& host) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
  const bool plain = host.find_first_not_of(kPlain) == std::string::npos && host[0] != '-';
  std::FILE* const ssh =
      plain ? ::popen(("ssh -G " + host + " 2>/dev/null").c_str(), "r") : nullptr;
  if (ssh == nullptr) return host;
  std::string name = host;
  char line[512];
  while (std::fgets(line, sizeof line, ssh) != nullptr) {
    const std::string_view text(line, std::strcspn(line, "\n"));
    if (text.starts_with("hostname ")) name = text.substr(std::strlen("hostname "));
  }
  ::pclose(ssh);
  return name;
}

bool has_address(const std::string& host) {
  return !host.empty() && (resolves(host) || resolves(meant_by_ssh(host)));
}

}  // namespace

Surroundings this_process() {
  Surroundings around;
  const config::Sources sources = config::Sources::of_process();
  around.settings = settings::read(sources);
  for (const auto& [name, value] : sources.environment.all()) {
    around.environment.push_back(name + "=" + value);
  }
  if (char* const directory = ::getcwd(nullptr, 0)) {
    around.directory = directory;
    std::free(directory);
  }
  char host[256] = "";
  if (::gethostname(host, sizeof host - 1) == 0) around.host = host;
  around.resolves = has_address;
  return around;
}

}  // namespace krg::krgrun
