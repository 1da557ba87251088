#include "krg/topo/topology.h"

#include <hwloc.h>
#include <sched.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdlib>

namespace krg::topo {
namespace {

constexpr std::array<std::string_view, kLevels> kNames{"machine", "package", "numa", "l3cache",
                                                       "l2cache", "l1cache", "core", "hwthread"};
constexpr std::array<hwloc_obj_type_t, kLevels> kTypes{
    HWLOC_OBJ_MACHINE, HWLOC_OBJ_PACKAGE, HWLOC_OBJ_NUMANODE, HWLOC_OBJ_L3CACHE,
    HWLOC_OBJ_L2CACHE, HWLOC_OBJ_L1CACHE, HWLOC_OBJ_CORE,     HWLOC_OBJ_PU};

// A larger text is refused before it is parsed: 2048 cores export as under 2 MiB.
constexpr std::size_t kMaxXml = std::size_t{64} << 20;

CpuSet from_hwloc(hwloc_const_bitmap_t bitmap) {
  CpuSet set;
  if (bitmap == nullptr) return set;
  for (int cpu = hwloc_bitmap_first(bitmap);
       cpu >= 0 && static_cast<std::size_t>(cpu) < CpuSet::kLimit;
       cpu = hwloc_bitmap_next(bitmap, cpu)) {
    set.add(static_cast<std::size_t>(cpu));
  }
  return set;
}

struct BitmapDeleter {
  void operator()(hwloc_bitmap_t bitmap) const noexcept { hwloc_bitmap_free(bitmap); }
};
using Bitmap = std::unique_ptr<hwloc_bitmap_s, BitmapDeleter>;

Bitmap to_hwloc(const CpuSet& set) {
  Bitmap bitmap(hwloc_bitmap_alloc());
  for (const std::uint32_t cpu : set.members()) hwloc_bitmap_set(bitmap.get(), cpu);
  return bitmap;
}

constexpr std::size_t kMaskBits = 8 * sizeof(unsigned long);

Error bind_error() {
  switch (errno) {
    case ESRCH:
      return errno_error(Errc::not_found, "no such process to bind");
    case EPERM:
      return errno_error(Errc::denied, "process may not be bound");
    case EINVAL:
      return errno_error(Errc::invalid_argument, "none of the cpus to bind to can be used");
    default:
      return errno_error(Errc::system_error, "process can not be bound");
  }
}

}  // namespace

std::string_view name(Level level) noexcept { return kNames[static_cast<std::size_t>(level)]; }

std::optional<Level> parse_level(std::string_view text) noexcept {
  if (text == "socket") return Level::package;
  const auto at = std::find(kNames.begin(), kNames.end(), text);
  if (at == kNames.end()) return std::nullopt;
  return static_cast<Level>(at - kNames.begin());
}

struct Topology::Native {
  Native() { ok = hwloc_topology_init(&topology) == 0; }
  ~Native() {
    if (ok) hwloc_topology_destroy(topology);
  }
  Native(const Native&) = delete;
  Native& operator=(const Native&) = delete;

  hwloc_topology_t topology = nullptr;
  bool ok = false;
};

Topology::Topology(std::unique_ptr<Native> native) : native_(std::move(native)) {}
Topology::Topology(Topology&&) noexcept = default;
Topology& Topology::operator=(Topology&&) noexcept = default;
Topology::~Topology() = default;

Result<Topology> Topology::finish(std::unique_ptr<Native> native) {
  // Devices cost 10 of 14 ms (hwloc even asks for X displays), and placement does not use them.
  hwloc_topology_set_io_types_filter(native->topology, HWLOC_TYPE_FILTER_KEEP_NONE);
  if (hwloc_topology_load(native->topology) != 0) {
    return errno_error(Errc::corrupt, "topology can not be loaded");
  }
  Topology topology(std::move(native));
  topology.index();
  if (topology.cpus_.empty()) return Error(Errc::corrupt, "topology has no usable cpu");
  return topology;
}

void skip_plugins() noexcept { setenv("HWLOC_PLUGINS_PATH", "", 0); }

Result<Topology> Topology::machine() {
  auto native = std::make_unique<Native>();
  if (!native->ok) return Errc::no_memory;
  // It runs once on every processor to ask what Linux knows already.
  hwloc_topology_set_components(native->topology, HWLOC_TOPOLOGY_COMPONENTS_FLAG_BLACKLIST, "x86");
  return finish(std::move(native));
}

Result<Topology> Topology::from_xml(std::string_view xml, Of of) {
  if (xml.size() > kMaxXml) return Errc::too_large;
  auto native = std::make_unique<Native>();
  if (!native->ok) return Errc::no_memory;
  const std::string text(xml);  // hwloc wants the terminating zero, and counts it.
  if (hwloc_topology_set_xmlbuffer(native->topology, text.c_str(),
                                   static_cast<int>(text.size() + 1)) != 0) {
    return Error(Errc::corrupt, "topology is not hwloc's XML");
  }
  if (of == Of::this_machine) {
    hwloc_topology_set_flags(native->topology, HWLOC_TOPOLOGY_FLAG_IS_THISSYSTEM);
  }
  return finish(std::move(native));
}

Result<Topology> Topology::from_xml_file(const std::string& path, Of of) {
  auto native = std::make_unique<Native>();
  if (!native->ok) return Errc::no_memory;
  if (hwloc_topology_set_xml(native->topology, path.c_str()) != 0) {
    return errno_error(errno == ENOENT ? Errc::not_found : Errc::corrupt,
                       "topology file can not be read");
  }
  if (of == Of::this_machine) {
    hwloc_topology_set_flags(native->topology, HWLOC_TOPOLOGY_FLAG_IS_THISSYSTEM);
  }
  return finish(std::move(native));
}

Result<Topology> Topology::from_synthetic(const std::string& description) {
  auto native = std::make_unique<Native>();
  if (!native->ok) return Errc::no_memory;
  if (hwloc_topology_set_synthetic(native->topology, description.c_str()) != 0) {
    return Error(Errc::invalid_argument, "not a synthetic topology");
  }
  return finish(std::move(native));
}

Result<Topology> Topology::restricted(const CpuSet& cpus) const {
  auto native = std::make_unique<Native>();
  // init() of the copy is replaced by dup().
  hwloc_topology_t copy = nullptr;
  if (!native->ok || hwloc_topology_dup(&copy, native_->topology) != 0) return Errc::no_memory;
  std::swap(native->topology, copy);
  hwloc_topology_destroy(copy);
  if (hwloc_topology_restrict(native->topology, to_hwloc(cpus).get(), 0) != 0) {
    return errno_error(Errc::invalid_argument, "no cpu of the topology would stay");
  }
  Topology out(std::move(native));
  out.index();
  return out;
}

void Topology::index() {
  const hwloc_topology_t topology = native_->topology;
  cpus_ = from_hwloc(hwloc_topology_get_allowed_cpuset(topology)) &
          from_hwloc(hwloc_topology_get_topology_cpuset(topology));
  for (std::size_t i = 0; i < kLevels; ++i) {
    levels_[i].clear();
    for (hwloc_obj_t object = hwloc_get_next_obj_by_type(topology, kTypes[i], nullptr);
         object != nullptr; object = hwloc_get_next_obj_by_type(topology, kTypes[i], object)) {
      Object found{from_hwloc(object->cpuset) & cpus_, object->os_index};
      // Memory without cpus, and a second kind of memory on the same cpus, are no places to run.
      const bool again = !levels_[i].empty() && levels_[i].back().cpus == found.cpus;
      if (!found.cpus.empty() && !again) levels_[i].push_back(std::move(found));
    }
  }
  auto fill = [this](Level level, Level from) {
    auto& objects = levels_[static_cast<std::size_t>(level)];
    if (objects.empty()) objects = levels_[static_cast<std::size_t>(from)];
  };
  fill(Level::package, Level::machine);
  fill(Level::core, Level::hwthread);
}

Result<std::string> Topology::xml() const {
  char* text = nullptr;
  int length = 0;
  if (hwloc_topology_export_xmlbuffer(native_->topology, &text, &length, 0) != 0) {
    return errno_error(Errc::system_error, "topology can not be written as XML");
  }
  std::string out(text);
  hwloc_free_xmlbuffer(native_->topology, text);
  return out;
}

bool Topology::is_this_machine() const noexcept {
  return hwloc_topology_is_thissystem(native_->topology) != 0;
}

std::span<const Object> Topology::objects(Level level) const noexcept {
  return levels_[static_cast<std::size_t>(level)];
}

const CpuSet& Topology::cpus() const noexcept { return cpus_; }

std::optional<std::uint32_t> Topology::enclosing(Level level, const CpuSet& cpus) const noexcept {
  const auto all = objects(level);
  const auto at =
      std::find_if(all.begin(), all.end(), [&](const Object& o) { return o.cpus.contains(cpus); });
  if (at == all.end()) return std::nullopt;
  return static_cast<std::uint32_t>(at - all.begin());
}

Status Topology::bind(pid_t pid, const CpuSet& cpus) const {
  if (!is_this_machine()) return {};
  std::vector<unsigned long> mask(cpus.empty() ? 1 : cpus.last() / kMaskBits + 1);
  const std::size_t bytes = mask.size() * sizeof(unsigned long);
  auto* const native = reinterpret_cast<cpu_set_t*>(mask.data());
  for (const std::uint32_t cpu : cpus.members()) CPU_SET_S(cpu, bytes, native);
  if (sched_setaffinity(pid, bytes, native) != 0) return bind_error();
  return {};
}

Result<CpuSet> binding(pid_t pid) {
  // The kernel refuses a mask shorter than its own; grow until it fits.
  for (std::size_t cpus = 1024; cpus <= CpuSet::kLimit; cpus *= 2) {
    std::vector<unsigned long> mask(cpus / kMaskBits);
    const std::size_t bytes = mask.size() * sizeof(unsigned long);
    auto* const native = reinterpret_cast<cpu_set_t*>(mask.data());
    if (sched_getaffinity(pid, bytes, native) == 0) {
      CpuSet set;
      for (std::size_t cpu = 0; cpu < cpus; ++cpu) {
        if (CPU_ISSET_S(cpu, bytes, native)) set.add(cpu);
      }
      return set;
    }
    if (errno != EINVAL) return bind_error();
  }
  return Error(Errc::system_error, "the kernel's cpu mask is too long");
}

}  // namespace krg::topo
