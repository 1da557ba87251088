// topo/topology.h: the cores, caches, NUMA nodes and packages of one machine.
//
// Model    read once, from the kernel, from XML that another node sent, or from a synthetic
//          description. Each level is a list of objects in hwloc's logical order, holding only
//          usable cpus; a level the machine does not have is empty, except that package and core
//          always exist (the whole machine, each hardware thread). Only a topology of this machine
//          binds.
// Threads  immutable after loading: safe.
// Blocks   loading reads sysfs (about 1 ms) or parses the text; the rest never.
// Source   hwloc 2.9, "Topology Detection and Configuration"; docs/design/placement.md, "Topology"
#pragma once

#include <sys/types.h>

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "krg/error/result.h"
#include "krg/topo/cpuset.h"

namespace krg::topo {

// From the largest to the smallest.
enum class Level : std::uint8_t {
  machine,
  package,
  numa,
  l3cache,
  l2cache,
  l1cache,
  core,
  hwthread
};
inline constexpr std::size_t kLevels = 8;

// "package", "l3cache", ...; parse_level() also takes "socket" for package.
std::string_view name(Level level) noexcept;
std::optional<Level> parse_level(std::string_view name) noexcept;

struct Object {
  CpuSet cpus;
  std::uint32_t os_index = 0;  // The kernel's number: of a hardware thread, its cpu.
};

// hwloc loads plug-ins for graphics cards, OpenCL and PCI when it is first used, 2 to 8 ms, and
// nobody here asks for devices. The user's HWLOC_PLUGINS_PATH goes before.
// Requires  no other thread reads the environment meanwhile: call it early in main().
void skip_plugins() noexcept;

// Whether a description that came as text is of the machine we run on. hwloc's HWLOC_THISSYSTEM=1
// in the environment says yes for all of them.
enum class Of { another_machine, this_machine };

class Topology {
 public:
  // This machine, without looking for devices. HWLOC_XMLFILE and HWLOC_SYNTHETIC of the environment
  // replace what is found, as in every hwloc program.
  static Result<Topology> machine();
  // Requires  text of this cluster or of its user: hwloc 2.9 itself crashes on some that are
  //           damaged (a NUMA node where none may be, 2026-11-25): there is no fuzz target for it.
  // Errors    corrupt  the text does not describe a topology.
  static Result<Topology> from_xml(std::string_view xml, Of of = Of::another_machine);
  // Errors  not_found, corrupt.
  static Result<Topology> from_xml_file(const std::string& path, Of of = Of::another_machine);
  // "pack:2 l3:2 core:4 pu:2". Errors  invalid_argument.
  static Result<Topology> from_synthetic(const std::string& description);

  Topology(Topology&&) noexcept;
  Topology& operator=(Topology&&) noexcept;
  ~Topology();

  // What stays when only `cpus` may be used. Errors  invalid_argument  nothing would stay.
  Result<Topology> restricted(const CpuSet& cpus) const;

  // The text for from_xml() on another node, and for HWLOC_XMLFILE of the ranks: an MPI library
  // that reads it starts in half the time (30 ms instead of 60, 2-core AMD EPYC virtual machine,
  // 2026-11-22).
  Result<std::string> xml() const;

  bool is_this_machine() const noexcept;
  std::span<const Object> objects(Level level) const noexcept;
  std::size_t count(Level level) const noexcept { return objects(level).size(); }
  // All usable cpus.
  const CpuSet& cpus() const noexcept;
  // The logical number of the first object of `level` that holds all of `cpus`.
  std::optional<std::uint32_t> enclosing(Level level, const CpuSet& cpus) const noexcept;

  // Binds the main thread of a process (0 = the calling thread), and with it all that it starts
  // from then on. Does nothing if !is_this_machine().
  // Errors  invalid_argument  no cpu of `cpus` is usable here; not_found  no such process;
  //         denied; system_error.
  Status bind(pid_t pid, const CpuSet& cpus) const;

 private:
  struct Native;
  explicit Topology(std::unique_ptr<Native> native);
  static Result<Topology> finish(std::unique_ptr<Native> native);
  void index();

  std::unique_ptr<Native> native_;
  std::array<std::vector<Object>, kLevels> levels_;
  CpuSet cpus_;
};

// Where a process may run now (0 = the calling thread).
// Errors  not_found, denied, system_error.
Result<CpuSet> binding(pid_t pid);

}  // namespace krg::topo
