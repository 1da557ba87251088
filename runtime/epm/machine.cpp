#include "machine.h"

#include <cpuid.h>
#include <elf.h>
#include <linux/userfaultfd.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "krg/base/unique_fd.h"
#include "krg/epm/proc_text.h"
#include "proc_files.h"

namespace krg::epm {
namespace {

std::uint64_t sum_of_vdso() {
  // FNV-1a over the mapping.
  std::uint64_t sum = 0xcbf29ce484222325u;
  for (const MapLine& line : parse_maps(slurp("/proc/self/maps"))) {
    if (line.path != "[vdso]") continue;
    const auto* const bytes = reinterpret_cast<const unsigned char*>(line.begin);
    for (std::uint64_t i = 0; i < line.end - line.begin; ++i) {
      sum = (sum ^ bytes[i]) * 0x100000001b3u;
    }
  }
  return sum;
}

std::uint64_t read_extended_states() {
  std::uint32_t a = 0, b = 0, c = 0, d = 0;
  constexpr std::uint32_t kOsXsave = 1u << 27;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kOsXsave) == 0) return 0;
  std::uint32_t low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return std::uint64_t{high} << 32 | low;
}

std::vector<std::uint32_t> read_features() {
  std::uint32_t a = 0, b = 0, c = 0, d = 0;
  std::vector<std::uint32_t> all;
  (void)__get_cpuid(1, &a, &b, &c, &d);
  all.insert(all.end(), {c, d});
  b = c = d = 0;
  (void)__get_cpuid_count(7, 0, &a, &b, &c, &d);
  all.insert(all.end(), {b, c, d});
  return all;
}

}  // namespace

Machine this_machine() {
  Machine machine;
  utsname names{};
  (void)uname(&names);
  machine.kernel = std::string(names.release) + " " + names.version;
  machine.vdso = sum_of_vdso();
  machine.extended_states = read_extended_states();
  machine.features = read_features();
  const UniqueFd faults(static_cast<int>(syscall(SYS_userfaultfd, 0)));
  machine.serves_kernel = static_cast<bool>(faults);
  return machine;
}

std::string obstacle(const Machine& here, const Machine& there) {
  if (here.kernel != there.kernel || here.vdso != there.vdso) {
    return "the nodes run different kernels: " + here.kernel + " and " + there.kernel;
  }
  bool lacks = here.extended_states != there.extended_states ||
               here.features.size() != there.features.size();
  for (std::size_t i = 0; !lacks && i < here.features.size(); ++i) {
    lacks = (here.features[i] & ~there.features[i]) != 0;
  }
  return lacks ? "the processor of that node lacks features of this one's" : "";
}

}  // namespace krg::epm
