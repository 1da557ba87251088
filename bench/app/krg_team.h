// krg_team.h: a team of krgrun's tasks: arrays are regions, the barrier is the cluster's.
//
// Model    each task is a member. An array is a region in blocks: so the word on a member's part is
//          kept at its own node. What the nodes send is what their krgds have counted.
// Threads  as Team.
// Blocks   as Team.
// Source   docs/guide/shared_memory.md
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "krg/gate/client.h"
#include "krg/locks/barrier.h"
#include "krg/locks/locks.h"
#include "krg/region/region.h"
#include "krg/task/space.h"
#include "team.h"

namespace krg::bench {

class KrgTeam final : public Team {
 public:
  struct Options {
    bool hints = true;  // Whether will_read() and will_write() are passed on.
    Consistency consistency = Consistency::sequential;  // Of the arrays.
  };

  // `name`: of the arrays.
  // Requires  started by krgrun, as many tasks on each of `nodes`.
  KrgTeam(const std::string& name, unsigned nodes, const Options& options);
  ~KrgTeam() override;

  void barrier() override;
  void will_read(const void* begin, std::size_t bytes) override;
  void will_write(const void* begin, std::size_t bytes) override;

 private:
  void* allocate(std::size_t bytes) override;
  Traffic sent() override;
  const Region* region_of(const void* begin) const;

  const std::string name_;
  const Options options_;
  std::unique_ptr<kddm::Space> space_;
  std::unique_ptr<Locks> locks_;
  std::unique_ptr<Barrier> barrier_;
  std::unique_ptr<gate::Client> gate_;  // Of one member of each node.
  std::vector<Region> regions_;
};

}  // namespace krg::bench
