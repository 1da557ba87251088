#include "rpc_match.h"

#include "krg/baseline/peers.h"
#include "rpc_contestant.h"

namespace krg::bench {

harness::Match rpc_match(const harness::Settings& settings, std::size_t size_max) {
  harness::Match match;
  const harness::Transport transport = settings.transport;
  if (transport == harness::Transport::sim) {
    match.server = false;
    match.entrants = {{"krg", sim_rpc_contestant}, {"sim fabric", sim_fabric_contestant}};
    return match;
  }
  match.entrants = {
      {"krg", [settings] { return rpc_contestant(settings); }},
      {"raw UCX AM", [=] { return baseline::ucx_active_message(transport); }},
      {"raw libfabric", [=] { return baseline::libfabric_message(transport, size_max); }}};
  return match;
}

}  // namespace krg::bench
