#include <netdb.h>
#include <unistd.h>

#include <cstdlib>

#include "krg/config/config.h"
#include "krg/krgrun/options.h"

namespace krg::krgrun {
namespace {

bool has_address(const std::string& host) {
  addrinfo* found = nullptr;
  const int rc = ::getaddrinfo(host.c_str(), nullptr, nullptr, &found);
  if (rc == 0) ::freeaddrinfo(found);
  // A resolver that is out of order says nothing about the name.
  return rc == 0 || rc == EAI_AGAIN || rc == EAI_SYSTEM;
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
