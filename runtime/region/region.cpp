#include "krg/region/region.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>
#include <vector>

#include "guard.h"
#include "krg/gate/one_call.h"
#include "krg/mm_calls/calls.h"
#include "krg/uffd/uffd.h"

namespace krg {
namespace {

using namespace std::chrono_literals;
namespace calls = mm::calls;

constexpr Duration kLimit = 60s;

// Such calls are rare, so each has a connection of its own.
template <class S>
Result<typename S::Reply> call(const std::string& path, typename S::Request request,
                               std::vector<UniqueFd> fds = {},
                               std::vector<UniqueFd>* received = nullptr) {
  return gate::call_once<S>(path, std::move(request), kLimit, std::move(fds), received);
}

}  // namespace

class Region::Impl final : private Guarded {
 public:
  Impl(mm::RegionInfo info, UniqueFd memory, const RegionOptions& options, std::string path)
      : info_(std::move(info)),
        memory_(std::move(memory)),
        path_(std::move(path)),
        address_(options.address != 0 ? options.address
                                      : static_cast<std::uintptr_t>(info_.address)),
        read_only_(options.read_only) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl();

  // Maps it, and has krgd serve its faults.
  Status begin();
  std::span<std::byte> bytes() const noexcept {
    return {reinterpret_cast<std::byte*>(address_), info_.bytes};
  }
  bool serves_kernel() const noexcept { return uffd_.serves_kernel(); }

 private:
  Status map();
  Status attach();
  void on_krgd_end() noexcept override;
  void on_fork() noexcept override;

  const mm::RegionInfo info_;
  const UniqueFd memory_;
  const std::string path_;
  const std::uintptr_t address_;
  const bool read_only_;
  Uffd uffd_;
  bool mapped_ = false;
  bool guarded_ = false;
  bool attached_ = false;
};

Status Region::Impl::map() {
  KRG_TRY_ASSIGN(uffd_, Uffd::open());
  const int rights = read_only_ ? PROT_READ : PROT_READ | PROT_WRITE;
  void* const wanted = reinterpret_cast<void*>(address_);
  const void* const at = ::mmap(wanted, info_.bytes, rights,
                                MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, memory_.get(), 0);
  if (at == MAP_FAILED) {
    return errno_error(errno == EEXIST ? Errc::already_exists : Errc::invalid_argument,
                       "mapping a region at its address");
  }
  mapped_ = true;
  // A child has no userfaultfd there: it would see what happens to be on this node.
  if (::madvise(wanted, info_.bytes, MADV_DONTFORK) != 0) {
    return errno_error(Errc::system_error, "madvise");
  }
  return uffd_.watch(address_, info_.bytes);
}

Status Region::Impl::attach() {
  std::vector<UniqueFd> fds(1);
  KRG_TRY_ASSIGN(fds[0], uffd_.duplicate());
  const auto reply = call<calls::Attach>(path_, {info_.set, address_, read_only_}, std::move(fds));
  attached_ = reply.has_value();
  return reply ? Status() : Status(reply.error());
}

Status Region::Impl::begin() {
  KRG_TRY(map());
  KRG_TRY(guard(path_, *this));
  guarded_ = true;
  return attach();
}

void Region::Impl::on_krgd_end() noexcept {
  const UniqueFd nothing(::memfd_create("krg.ended", MFD_CLOEXEC));
  // Beyond the end of its memory every touch is SIGBUS; without memory, SIGSEGV has to do.
  const int flags = nothing ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
  const int rights = nothing ? PROT_READ | PROT_WRITE : PROT_NONE;
  ::mmap(reinterpret_cast<void*>(address_), info_.bytes, rights, flags | MAP_FIXED | MAP_NORESERVE,
         nothing ? nothing.get() : -1, 0);
  attached_ = false;
  static_cast<void>(uffd_.wake(address_, info_.bytes));
}

void Region::Impl::on_fork() noexcept {
  uffd_ = Uffd();  // It is of the parent's memory.
  mapped_ = guarded_ = attached_ = false;
  const Status how = begin();
  if (how) return;
  std::fprintf(stderr, "krg: process %d, a child of fork(), has no region %s: %s\n",
               static_cast<int>(::getpid()), info_.name.c_str(), how.error().message().c_str());
}

Region::Impl::~Impl() {
  if (guarded_) unguard(*this);
  // krgd finds out by itself, at the latest when the process ends.
  if (attached_) static_cast<void>(call<calls::Detach>(path_, {info_.set, address_}));
  if (mapped_) ::munmap(reinterpret_cast<void*>(address_), info_.bytes);
}

// --- What programs call -------------------------------------------------------------------------

Region::Region(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Region::Region(Region&&) noexcept = default;
Region& Region::operator=(Region&&) noexcept = default;
Region::~Region() = default;

Status Region::create(const std::string& name, std::size_t bytes, std::uintptr_t address,
                      const std::string& gate) {
  KRG_TRY_ASSIGN(const std::string path, gate::path_or_own(gate));
  const auto made = call<calls::Create>(path, {name, bytes, address});
  return made ? Status() : Status(made.error());
}

Result<Region> Region::attach(const std::string& name, const RegionOptions& options) {
  KRG_TRY_ASSIGN(std::string path, gate::path_or_own(options.gate));
  std::vector<UniqueFd> fds;
  KRG_TRY_ASSIGN(mm::RegionInfo info, call<calls::Find>(path, {name}, {}, &fds));
  if (fds.size() != 1) return Error(Errc::protocol_error, "krgd passed no memory");
  auto impl = std::make_unique<Impl>(std::move(info), std::move(fds[0]), options, std::move(path));
  KRG_TRY(impl->begin());
  return Region(std::move(impl));
}

Result<Region> Region::open(const std::string& name, std::size_t bytes,
                            const RegionOptions& options) {
  Result<Region> there = attach(name, options);
  if (!there && there.error().code() == Errc::not_found) {
    const Status made = create(name, bytes, 0, options.gate);
    if (!made && made.error().code() != Errc::already_exists) return made.error();
    there = attach(name, options);
  }
  if (!there) return there;
  if (there->size() != mm::whole_pages(bytes)) {
    return Error(Errc::invalid_argument, "the region of this name has another size");
  }
  return there;
}

Status Region::destroy(const std::string& name, const std::string& gate) {
  KRG_TRY_ASSIGN(const std::string path, gate::path_or_own(gate));
  const auto done = call<calls::Destroy>(path, {name});
  return done ? Status() : Status(done.error());
}

std::span<std::byte> Region::bytes() const noexcept { return impl_->bytes(); }

bool Region::serves_system_calls() const noexcept { return impl_->serves_kernel(); }

}  // namespace krg
