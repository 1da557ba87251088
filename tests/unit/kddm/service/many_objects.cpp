#include "many_objects.h"

#include <malloc.h>
#include <sys/stat.h>

#include "kddm_cluster.h"

namespace krg::kddm {
namespace {

// What grows with the work, not with the objects, has done so after as many.
constexpr std::uint32_t kWarm = 2048;

double heap_bytes() {
  const auto all = ::mallinfo2();
  return static_cast<double>(all.uordblks + all.hblkhd);
}

double file_bytes(int fd) {
  struct stat status {};
  KRG_ASSERT(::fstat(fd, &status) == 0);
  return 512.0 * static_cast<double>(status.st_blocks);
}

double store_bytes(const NodeStore& store) {
  return file_bytes(store.directory_fd()) + file_bytes(store.shared_fd()) -
         static_cast<double>(store.bytes_used());
}

Co<Status> take_all(Kddm& kddm, SetId set, std::uint32_t first, std::uint32_t end, bool writes,
                    Deadline deadline) {
  for (std::uint32_t i = first; i < end; ++i) {
    const ObjectId object{i};
    const OpOptions options{deadline};
    if (writes) {
      KRG_CO_TRY(co_await kddm.grab(set, object, options));
    } else {
      KRG_CO_TRY(co_await kddm.get(set, object, options));
    }
  }
  co_return Status();
}

struct Bytes {
  double heap = 0;
  double store = 0;  // Of node 0.
  double other = 0;  // Of node 2.
};

}  // namespace

Result<ObjectCost> make_many_objects(std::uint32_t count, std::uint64_t size, bool stores) {
  const std::uint32_t end = kWarm + count;
  KddmCluster cluster(3, stores, 1, {}, end + kWarm);
  SetOptions options;
  options.object_bytes = size;
  options.policy = HomePolicy::fixed;
  options.home = NodeId{1};
  KRG_TRY_ASSIGN(const SetId set, cluster.run(0, cluster.kddm(0).create(options, cluster.soon())));
  const auto bytes = [&] {
    cluster.settle();
    if (!stores) return Bytes{heap_bytes(), 0, 0};
    return Bytes{heap_bytes(), store_bytes(cluster.store(0)), store_bytes(cluster.store(2))};
  };
  const auto take = [&](std::uint32_t node, std::uint32_t from, std::uint32_t to, bool writes) {
    const Deadline deadline(cluster.world().now() + std::chrono::hours(1));
    return cluster.run(node, take_all(cluster.kddm(node), set, from, to, writes, deadline),
                       std::chrono::hours(1));
  };
  KRG_TRY(take(0, 0, kWarm, true));
  KRG_TRY(take(2, 0, kWarm, false));
  const Bytes before = bytes();
  KRG_TRY(take(0, kWarm, end, true));
  const Bytes made = bytes();
  KRG_TRY(take(2, kWarm, end, false));
  const Bytes read = bytes();

  ObjectCost cost;
  const double on_heap = stores ? 0 : static_cast<double>(size);
  cost.store = (read.other - made.other) / count;
  cost.heap = (read.heap - made.heap) / count - on_heap;
  // The heir has an entry too, that the object exists.
  cost.entry = ((made.heap - before.heap) / count - on_heap - cost.heap) / 2;
  // Who has made them has the same as who reads them.
  const double maker = (made.store - before.store) / count;
  if (maker > cost.store + 1) return Error(Errc::corrupt, "the maker's copies cost more");
  return cost;
}

}  // namespace krg::kddm
