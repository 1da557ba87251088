#include "many_sets.h"

#include <malloc.h>

#include <chrono>
#include <vector>

#include "kddm_cluster.h"

namespace krg::kddm {

Result<SetCost> make_many_sets(std::uint32_t count) {
  KddmCluster cluster(3);
  SetOptions options;
  options.object_bytes = 8;
  const std::size_t before = ::mallinfo2().uordblks;
  const auto begin = std::chrono::steady_clock::now();
  std::vector<SetId> sets;
  sets.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    KRG_TRY_ASSIGN(const SetId made,
                   cluster.run(i % 3, cluster.kddm(i % 3).create(options, cluster.soon())));
    sets.push_back(made);
  }
  const std::chrono::duration<double, std::micro> time = std::chrono::steady_clock::now() - begin;
  const SetCost cost{(::mallinfo2().uordblks - before) / count, time.count() / count};
  for (std::uint32_t i = 0; i < count; i += 10) {
    const std::uint32_t node = (i / 10) % 3;
    const auto lease =
        cluster.run(node, cluster.kddm(node).grab(sets[i], ObjectId{1}, cluster.within()));
    if (!lease) return lease.error();
  }
  for (std::uint32_t i = 0; i < count; i += 100) {
    KRG_TRY(cluster.run(1, cluster.kddm(1).destroy(sets[i], cluster.soon())));
    const auto gone = cluster.run(2, cluster.kddm(2).options_of(sets[i], cluster.soon()));
    if (gone) return Error(Errc::corrupt, "a destroyed set is still there");
    if (gone.error().code() != Errc::not_found) return gone.error();
  }
  return cost;
}

}  // namespace krg::kddm
