#include "krg/region/adopt.h"

#include <elf.h>
#include <link.h>
#include <sys/mman.h>

#include <algorithm>

#include "impl.h"
#include "krg/mm_calls/carry.h"
#include "swap.h"

namespace krg {
namespace {

namespace calls = mm::calls;
using namespace std::chrono_literals;

constexpr Duration kLimit = 60s;

// Of the first object that is told, which is the program.
int find_data(dl_phdr_info* info, std::size_t, void* into) {
  std::uintptr_t begin = 0, end = 0, read_only_end = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const auto& part = info->dlpi_phdr[i];
    const std::uintptr_t at = info->dlpi_addr + part.p_vaddr;
    // What the linker has relocated and protected since lies at the beginning.
    if (part.p_type == PT_GNU_RELRO) read_only_end = at + part.p_memsz;
    if (part.p_type != PT_LOAD || (part.p_flags & PF_W) == 0) continue;
    begin = at;
    end = at + part.p_memsz;
  }
  begin = std::max(begin, read_only_end);
  const std::uintptr_t first = mm::whole_pages(begin), behind = mm::whole_pages(end);
  if (first >= behind) return 1;
  *static_cast<std::span<std::byte>*>(into) = {reinterpret_cast<std::byte*>(first), behind - first};
  return 1;
}

// Addresses that nothing else of this process has, as long as this lives.
class Reserved {
 public:
  explicit Reserved(std::size_t bytes)
      : bytes_(bytes),
        at_(::mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
  }
  Reserved(const Reserved&) = delete;
  Reserved& operator=(const Reserved&) = delete;
  ~Reserved() {
    if (at_ != MAP_FAILED) ::munmap(at_, bytes_);
  }
  // They are somebody else's now.
  void release() noexcept { at_ = MAP_FAILED; }
  bool failed() const noexcept { return at_ == MAP_FAILED; }
  std::uintptr_t address() const noexcept { return reinterpret_cast<std::uintptr_t>(at_); }

 private:
  const std::size_t bytes_;
  void* at_;
};

}  // namespace

std::span<std::byte> program_data() noexcept {
  std::span<std::byte> data;
  ::dl_iterate_phdr(find_data, &data);
  return data;
}

Result<Region> Region::adopt(const std::string& name, std::span<std::byte> memory,
                             const std::string& gate) {
  KRG_TRY_ASSIGN(const std::string path, gate::path_or_own(gate));
  const auto begin = reinterpret_cast<std::uintptr_t>(memory.data());
  if (memory.empty() || begin % mm::kPageBytes != 0 || memory.size() % mm::kPageBytes != 0) {
    return Error(Errc::invalid_argument, "not whole pages");
  }
  KRG_TRY(check_own_memory(begin, memory.size()));
  calls::Create::Request request;
  request.name = name;
  request.bytes = memory.size();
  request.address = begin;
  request.hidden = true;
  request.stays = !may_use_remote_memory();
  const auto made = gate::call_once<calls::Create>(path, std::move(request), kLimit);
  if (!made) return made.error();
  RegionOptions options;
  options.gate = path;
  options.replace = true;
  // First there is a second mapping, through which the contents come in; it goes again at once.
  Reserved reserved(memory.size());
  if (reserved.failed()) return errno_error(Errc::no_memory, "addresses");
  options.address = reserved.address();
  KRG_TRY_ASSIGN(std::unique_ptr<Impl> inside, Impl::find(name, options, path, true));
  KRG_TRY(inside->begin());
  reserved.release();
  inside->keep_nothing();
  KRG_TRY(inside->bring(0, memory.size(), true, true));
  options.address = begin;
  KRG_TRY_ASSIGN(std::unique_ptr<Impl> impl, Impl::find(name, options, path, true));
  KRG_TRY(impl->begin(inside->bytes().data()));
  const auto shown = gate::call_once<calls::Show>(path, {name}, kLimit);
  if (!shown) return shown.error();
  return Region(std::move(impl));
}

}  // namespace krg
