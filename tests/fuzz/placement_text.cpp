// Any bytes as what users and files say about placement: never a crash or a hang; a map that keeps
// its rules, or one line.
#include <cstdint>
#include <string>

#include "krg/base/assert.h"
#include "krg/placement/hosts.h"
#include "krg/placement/map.h"

namespace krg::placement {
namespace {

const topo::Topology& machine() {
  static const topo::Topology one =
      std::move(topo::Topology::from_synthetic("pack:2 core:4 pu:2")).value();
  return one;
}

// Whatever is refused is refused in words.
template <class T>
void check(const Result<T>& result, const std::string& complaint) {
  KRG_ASSERT(result || (!complaint.empty() && complaint.size() < 100000));
}

void read_policy(std::string_view text) {
  Request request;
  std::string complaint;
  const auto line = text.find('\n');
  if (!parse_map_by(text.substr(0, line), request.policy, complaint)) return;
  if (line != std::string_view::npos) request.file_text = text.substr(line + 1);
  // Cpus by the thousand are no question for a machine of eight cores.
  if (request.policy.map && request.policy.map->cpus.count() > 64) return;
  for (const char* name : {"n0", "n1"})
    request.nodes.push_back({name, 0, 0, false, &machine(), {}});
  request.apps = {{6, {}}};
  complaint.clear();
  const auto map = place(request, complaint);
  check(map, complaint);
  if (!map) return;
  KRG_ASSERT(map->ranks.size() == 6);
  for (const Rank& rank : map->ranks) KRG_ASSERT(machine().cpus().contains(rank.cpus));
}

}  // namespace
}  // namespace krg::placement

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace krg::placement;
  if (size == 0 || size > 4096) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string complaint;
  Policy policy;
  switch (data[0] % 6) {
    case 0:
      check(parse_hostfile(text, "hosts", complaint), complaint);
      break;
    case 1: {
      const std::vector<Host> known{{"a", 4, 8}, {"b", 0, 0}};
      check(parse_host_list(text, known, complaint), complaint);
      break;
    }
    case 2:
      check(parse_bind_to(text, policy, complaint), complaint);
      break;
    case 3: {
      const auto set = krg::topo::CpuSet::parse_list(text);
      KRG_ASSERT(!set || *krg::topo::CpuSet::parse_list(set->list()) == *set);
      break;
    }
    case 4: {
      const auto set = krg::topo::CpuSet::parse_bitmap(text);
      KRG_ASSERT(!set || *krg::topo::CpuSet::parse_bitmap(set->bitmap()) == *set);
      break;
    }
    default:
      read_policy(text);
  }
  return 0;
}
