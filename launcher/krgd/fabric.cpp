#include "fabric.h"

#include <dlfcn.h>
#include <unistd.h>

#include <array>
#include <string>

#include "krg/log/log.h"
#include "plugin.h"

namespace krg::krgd {
namespace {

fabric::Reach reach_of(settings::Transport::Reach reach, bool alone) {
  switch (reach) {
    case settings::Transport::Reach::shm:
      return fabric::Reach::shm;
    case settings::Transport::Reach::tcp:
      return fabric::Reach::tcp;
    case settings::Transport::Reach::any:
      break;
  }
  return alone ? fabric::Reach::network : fabric::Reach::any;
}

// Beside this program, as built and as installed.
std::string plugin_path(const std::string& folder, const char* provider) {
  std::array<char, 4096> self{};
  const ssize_t n = readlink("/proc/self/exe", self.data(), self.size() - 1);
  const std::string path(self.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  return path.substr(0, path.rfind('/') + 1) + "../" + folder + "/krg_fabric_" + provider + ".so";
}

Result<decltype(&krg_open_fabric)> load(const char* provider) {
  void* library = nullptr;
  for (const char* folder : {"lib/krg", KRG_PLUGIN_DIR}) {
    const std::string path = plugin_path(folder, provider);
    if (access(path.c_str(), R_OK) != 0) continue;
    library = dlopen(path.c_str(), RTLD_NOW);
    if (library == nullptr) KRG_ERROR("{}", dlerror());
    break;
  }
  void* const symbol = library == nullptr ? nullptr : dlsym(library, "krg_open_fabric");
  if (symbol == nullptr) return Error(Errc::no_device, "the network provider can not be loaded");
  return reinterpret_cast<decltype(&krg_open_fabric)>(symbol);
}

}  // namespace

node::Node::OpenFabric fabric_opener(const settings::Transport& transport, bool alone) {
  return
      [transport, alone](reactor::Reactor& reactor, fabric::EventSink& sink,
                         const fabric::Options& asked) -> Result<std::unique_ptr<fabric::Fabric>> {
        fabric::Options options = asked;
        options.reach = reach_of(transport.reach, alone);
        options.listen = transport.listen;
        const bool ofi = transport.provider == settings::Transport::Provider::ofi;
        KRG_TRY_ASSIGN(const auto open, load(ofi ? "ofi" : "ucx"));
        OpenResult result;
        open(reactor, sink, options, result);
        return std::move(*result);
      };
}

}  // namespace krg::krgd
