#include "rebuild.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

#include "krg/base/descriptors.h"
#include "krg/epm/proc_text.h"
#include "proc_files.h"
#include "survey.h"

namespace krg::epm {
namespace {

constexpr std::uint64_t kScratchBytes = 1 << 20;
constexpr std::uint64_t kStackRoom = 8 << 20;  // A stack may grow there meanwhile.
constexpr std::uint64_t kAlign = 1 << 20;

}  // namespace

Status Rebuild::begin(Relays& relays, Pager& pager, bool lazy) {
  const Status opened = files_.open(image_, relays);
  complaint_ = files_.complaint();
  KRG_TRY(opened);
  KRG_TRY(stub_.make(image_, files_.first()));
  KRG_TRY(find_place());
  KRG_TRY(make_memory());
  KRG_TRY(place_files());
  KRG_TRY(set_process());
  memory_.reset(open(of(stub_.pid(), "mem").c_str(), O_RDWR | O_CLOEXEC));
  if (!memory_) return errno_error(Errc::denied, "the stub's memory may not be written");
  return lazy ? watch_memory(pager) : Status();
}

// A hole in both address spaces, for the scratch mapping and, behind it, the kernel's mappings on
// their way.
Status Rebuild::find_place() {
  Survey now;
  survey_mappings(stub_.pid(), now);
  before_ = std::move(now.image.mappings);
  std::vector<Range> taken;
  for (const MappingImage& mapping : before_) taken.emplace_back(mapping.begin, mapping.end);
  for (const MappingImage& mapping : image_.mappings) {
    const std::uint64_t room = mapping.grows_down ? std::min(kStackRoom, mapping.begin) : 0;
    taken.emplace_back(mapping.begin - room, mapping.end);
  }
  std::sort(taken.begin(), taken.end());
  std::uint64_t begin = kAlign;
  for (const auto& [first, last] : taken) {
    if (first < begin + 2 * kScratchBytes && last > begin) {
      begin = (last + kAlign - 1) / kAlign * kAlign;
    }
  }
  for (const MappingImage& mapping : before_) {
    if (mapping.path != "[vdso]") continue;
    std::vector<unsigned char> code(mapping.end - mapping.begin);
    KRG_TRY(read_memory(stub_.pid(), mapping.begin, code.data(), code.size()));
    constexpr unsigned char kSyscall[] = {0x0f, 0x05};
    const auto at = std::search(code.begin(), code.end(), std::begin(kSyscall), std::end(kSyscall));
    if (at != code.end()) gadget_ = mapping.begin + static_cast<std::uint64_t>(at - code.begin());
  }
  if (gadget_ == 0) return Error(Errc::not_supported, "the vDSO has no system call");
  KRG_TRY_ASSIGN(base_, registers(stub_.pid()));
  KRG_TRY(set_blocked(stub_.pid(), kAllSignals));
  KRG_TRY_ASSIGN(scratch_, Scratch::map(stub_.pid(), base_, gadget_, begin, kScratchBytes));
  return {};
}

// vDSO and vvar go where the task knows them, by way of a place that is free in both.
void Rebuild::move_kernel_mappings(Batch& batch) const {
  std::uint64_t from = 0, to = 0;
  for (const MappingImage& mapping : image_.mappings) {
    if (mapping.kind == MappingImage::Kind::kernel && to == 0) to = mapping.begin;
  }
  for (const MappingImage& mapping : before_) {
    if (mapping.kind == MappingImage::Kind::kernel && from == 0) from = mapping.begin;
  }
  const std::uint64_t way = scratch_->begin() + kScratchBytes;
  constexpr std::uint64_t kFlags = MREMAP_MAYMOVE | MREMAP_FIXED;
  const auto move = [&](std::uint64_t out, std::uint64_t in) {
    for (const MappingImage& mapping : before_) {
      if (mapping.kind != MappingImage::Kind::kernel) continue;
      const std::uint64_t bytes = mapping.end - mapping.begin, offset = mapping.begin - from;
      batch.add(SYS_mremap, {out + offset, bytes, bytes, kFlags, in + offset});
    }
  };
  if (from == to) return;
  move(from, way);
  move(way, to);
}

std::uint64_t Rebuild::flags_of(const MappingImage& mapping) const {
  if (mapping.kind == MappingImage::Kind::file) {
    return MAP_FIXED | (mapping.shared ? MAP_SHARED : MAP_PRIVATE);
  }
  return MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
         (mapping.grows_down ? MAP_GROWSDOWN : 0u);
}

Status Rebuild::make_memory() {
  std::vector<std::uint64_t> there, wanted;
  for (const auto& [mappings, sizes] :
       {std::pair(&before_, &there), std::pair(&image_.mappings, &wanted)}) {
    for (const MappingImage& mapping : *mappings) {
      if (mapping.kind == MappingImage::Kind::kernel) sizes->push_back(mapping.end - mapping.begin);
    }
  }
  if (there != wanted) return Error(Errc::not_supported, "the nodes' vDSOs differ");
  Batch batch;
  for (const MappingImage& mapping : before_) {
    if (mapping.kind == MappingImage::Kind::kernel) continue;
    batch.add(SYS_munmap, {mapping.begin, mapping.end - mapping.begin});
  }
  move_kernel_mappings(batch);
  for (const MappingImage& mapping : image_.mappings) {
    if (mapping.kind == MappingImage::Kind::kernel) {
      if (mapping.path == "[vdso]") {
        // The instruction moves with it.
        for (const MappingImage& old : before_) {
          if (old.path == "[vdso]") gadget_ = gadget_ - old.begin + mapping.begin;
        }
      }
      continue;
    }
    batch.add(SYS_mmap,
              {mapping.begin, mapping.end - mapping.begin, mapping.protection, flags_of(mapping),
               static_cast<std::uint64_t>(files_.of_mapping(mapping)), mapping.offset});
  }
  KRG_TRY(batch.run(stub_.pid(), base_, *scratch_));
  if (const std::size_t bad = batch.first_failed(); bad < batch.size()) {
    complaint_ = fmt::format("call {} of {} to make its memory failed: {}", batch.number(bad),
                             batch.size(), static_cast<std::int64_t>(batch.result(bad)));
    return Error(Errc::system_error, "its memory can not be laid out");
  }
  return {};
}

Status Rebuild::place_files() {
  Batch batch;
  const auto word = [](int number) { return static_cast<std::uint64_t>(number); };
  for (const OpenFiles::Place& place : files_.places()) {
    batch.add(SYS_dup3, {word(place.from), word(place.to),
                         static_cast<std::uint64_t>(place.close_on_exec ? O_CLOEXEC : 0)});
  }
  batch.add(SYS_close_range, {word(files_.first()), ~0u, 0});
  KRG_TRY(batch.run(stub_.pid(), base_, *scratch_));
  files_.close();
  if (batch.first_failed() < batch.size()) {
    return Error(Errc::system_error, "its descriptors can not be placed");
  }
  return {};
}

// What the kernel remembers of the process as a whole.
Status Rebuild::set_process() {
  struct Map {
    std::array<std::uint64_t, 11> layout;
    std::uint64_t auxiliary;
    std::uint32_t auxiliary_bytes;
    std::uint32_t program;
  };
  Scratch& scratch = *scratch_;
  const std::size_t bytes = image_.auxiliary.size() * sizeof(std::uint64_t);
  KRG_TRY_ASSIGN(const std::uint64_t auxiliary, scratch.put(image_.auxiliary.data(), bytes));
  const Map map{image_.layout, auxiliary, static_cast<std::uint32_t>(bytes), ~0u};
  static_assert(sizeof map == 104);
  KRG_TRY_ASSIGN(const std::uint64_t where, scratch.put(&map, sizeof map));
  Batch batch;
  batch.add(SYS_prctl, {PR_SET_MM, PR_SET_MM_MAP, where, sizeof map, 0});
  for (const ActionImage& action : image_.actions) {
    KRG_TRY_ASSIGN(const std::uint64_t at, scratch.put(&action.action, sizeof action.action));
    batch.add(SYS_rt_sigaction, {static_cast<std::uint64_t>(action.signal), at, 0, 8});
  }
  if (image_.no_new_privileges) batch.add(SYS_prctl, {PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0});
  batch.add(SYS_userfaultfd, {O_CLOEXEC | O_NONBLOCK});
  KRG_TRY(batch.run(stub_.pid(), base_, scratch));
  scratch.clear();
  const std::uint64_t faults = batch.result(batch.size() - 1);
  if (!is_error(faults)) faults_fd_ = static_cast<int>(faults);
  if (batch.first_failed() + 1 < batch.size()) {
    return Error(Errc::system_error, "what the kernel knows of it can not be set");
  }
  return {};
}

Status Rebuild::watch_memory(Pager& pager) {
  if (!faults_fd_) return Error(Errc::denied, "its faults may not be served");
  const UniqueFd process = open_process(stub_.pid());
  UniqueFd faults(static_cast<int>(syscall(SYS_pidfd_getfd, process.get(), *faults_fd_, 0)));
  if (!faults) return errno_error(Errc::system_error, "taking the stub's userfaultfd");
  return pager.open(std::move(faults), image_.mappings);
}

Status Rebuild::write_pages(std::uint64_t to, std::span<const std::byte> bytes) {
  const ssize_t n = pwrite(memory_.get(), bytes.data(), bytes.size(), static_cast<off_t>(to));
  if (n != static_cast<ssize_t>(bytes.size())) {
    return errno_error(Errc::system_error, "writing the task's pages");
  }
  return {};
}

}  // namespace krg::epm
