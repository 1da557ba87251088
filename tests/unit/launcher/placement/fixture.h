// Machines that do not exist, and questions about them in one line.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "krg/placement/display.h"
#include "krg/placement/map.h"

namespace krg::placement::testing {

// A Request that keeps its topologies alive.
class Machines {
 public:
  // `count` nodes "n0", "n1", ... of one synthetic shape; slots 0 = one per core.
  Machines& add(std::uint32_t count, const std::string& shape, std::uint32_t slots = 0,
                std::uint32_t max_slots = 0);
  // The last node loses every cpu but these: an asymmetric machine, or one with cpus offline.
  Machines& keep(const std::string& cpus);
  Machines& app(std::uint32_t ranks, std::vector<std::uint32_t> nodes = {});
  // "--map-by X --rank-by Y --bind-to Z --ppn N", as on the command line.
  Machines& options(const std::string& line);
  Machines& file(const std::string& text);

  // The map, or the complaint after "refused: ".
  std::string display() const;
  std::string bindings() const;
  // "0@n0:0-1 1@n0:2-3": rank, node, cpus ('-' = not bound).
  std::string brief() const;
  Result<Map> map() const;
  std::string complaint() const;

  Request request;

 private:
  std::vector<std::shared_ptr<topo::Topology>> topologies_;
};

inline constexpr const char* kSmall = "core:2 pu:1";
inline constexpr const char* kSmt = "pack:2 numa:1 l3:1 l2:8 core:1 pu:2";
inline constexpr const char* kFourNuma = "numa:4 l3:1 core:8 pu:1";

}  // namespace krg::placement::testing
