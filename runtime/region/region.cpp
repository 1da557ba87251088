#include "krg/region/region.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <utility>
#include <vector>

#include "guard.h"
#include "krg/config/environment.h"
#include "krg/gate/control.h"
#include "krg/mm_calls/calls.h"
#include "krg/reactor/block_on.h"

namespace krg {
namespace {

using namespace std::chrono_literals;
namespace calls = mm::calls;

constexpr Duration kLimit = 60s;

Result<std::string> gate_path(const std::string& given) {
  if (!given.empty()) return given;
  const auto environment = config::Environment::of_process();
  const auto path = environment.get("KRG_GATE");
  if (path) return std::string(*path);
  return Error(Errc::not_found, "this process was not started by krgrun: no KRG_GATE");
}

template <class S>
Co<Result<typename S::Reply>> connect_and_call(gate::Control& control, std::string path,
                                               typename S::Request request,
                                               std::vector<UniqueFd> fds,
                                               std::vector<UniqueFd>* received, Deadline deadline) {
  KRG_CO_TRY(co_await control.connect(std::move(path), deadline));
  co_return co_await control.call<S>(request, deadline, std::move(fds), received);
}

// One call; such calls are rare, so each has a connection of its own.
template <class S>
Result<typename S::Reply> call(const std::string& path, typename S::Request request,
                               std::vector<UniqueFd> fds = {},
                               std::vector<UniqueFd>* received = nullptr) {
  const reactor::RealClock clock;
  reactor::Reactor reactor(clock);
  gate::Control control(reactor);
  return reactor::block_on(
      reactor, connect_and_call<S>(control, path, std::move(request), std::move(fds), received,
                                   reactor.after(kLimit)));
}

}  // namespace

class Region::Impl {
 public:
  // Maps what the descriptor is of.
  static Result<std::unique_ptr<Impl>> map(mm::RegionInfo info, const UniqueFd& memory,
                                           const RegionOptions& options, std::string path);
  Impl(mm::RegionInfo info, std::string path) : info_(std::move(info)), path_(std::move(path)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl();

  // krgd serves its faults from then on.
  Status begin(bool read_only);

  const mm::RegionInfo info_;
  const std::string path_;
  Guarded mapping_;
  pid_t owner_ = ::getpid();
  bool guarded_ = false;
  bool attached_ = false;
};

Result<std::unique_ptr<Region::Impl>> Region::Impl::map(mm::RegionInfo info, const UniqueFd& memory,
                                                        const RegionOptions& options,
                                                        std::string path) {
  auto impl = std::make_unique<Impl>(std::move(info), std::move(path));
  Guarded& mapping = impl->mapping_;
  const std::uintptr_t wanted =
      options.address != 0 ? options.address : static_cast<std::uintptr_t>(impl->info_.address);
  const int rights = options.read_only ? PROT_READ : PROT_READ | PROT_WRITE;
  KRG_TRY_ASSIGN(mapping.uffd, Uffd::open());
  void* const at = ::mmap(reinterpret_cast<void*>(wanted), impl->info_.bytes, rights,
                          MAP_SHARED | MAP_NORESERVE | MAP_FIXED_NOREPLACE, memory.get(), 0);
  if (at == MAP_FAILED) {
    return errno_error(errno == EEXIST ? Errc::already_exists : Errc::invalid_argument,
                       "mapping a region at its address");
  }
  mapping.address = wanted;
  mapping.bytes = impl->info_.bytes;
  // A child has no userfaultfd there: it would see what happens to be on this node.
  if (::madvise(at, mapping.bytes, MADV_DONTFORK) != 0) {
    return errno_error(Errc::system_error, "madvise");
  }
  KRG_TRY(mapping.uffd.watch(mapping.address, mapping.bytes));
  return impl;
}

Status Region::Impl::begin(bool read_only) {
  KRG_TRY(guard(path_, mapping_));
  guarded_ = true;
  std::vector<UniqueFd> fds(1);
  KRG_TRY_ASSIGN(fds[0], mapping_.uffd.duplicate());
  const auto reply =
      call<calls::Attach>(path_, {info_.set, mapping_.address, read_only}, std::move(fds));
  if (!reply) return reply.error();
  attached_ = true;
  return {};
}

Region::Impl::~Impl() {
  if (owner_ != ::getpid()) return;
  if (guarded_) unguard(mapping_);
  // krgd finds out by itself, at the latest when the process ends.
  if (attached_) static_cast<void>(call<calls::Detach>(path_, {info_.set, mapping_.address}));
  if (mapping_.address != 0) {
    ::munmap(reinterpret_cast<void*>(mapping_.address), mapping_.bytes);
  }
}

// --- What programs call -------------------------------------------------------------------------

Region::Region(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Region::Region(Region&&) noexcept = default;
Region& Region::operator=(Region&&) noexcept = default;
Region::~Region() = default;

Status Region::create(const std::string& name, std::size_t bytes, std::uintptr_t address,
                      const std::string& gate) {
  KRG_TRY_ASSIGN(const std::string path, gate_path(gate));
  const auto made = call<calls::Create>(path, {name, bytes, address});
  return made ? Status() : Status(made.error());
}

Result<Region> Region::attach(const std::string& name, const RegionOptions& options) {
  KRG_TRY_ASSIGN(std::string path, gate_path(options.gate));
  std::vector<UniqueFd> fds;
  KRG_TRY_ASSIGN(mm::RegionInfo info, call<calls::Find>(path, {name}, {}, &fds));
  if (fds.size() != 1) return Error(Errc::protocol_error, "krgd passed no memory");
  KRG_TRY_ASSIGN(std::unique_ptr<Impl> impl,
                 Impl::map(std::move(info), fds[0], options, std::move(path)));
  KRG_TRY(impl->begin(options.read_only));
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
  const std::size_t pages = (bytes + mm::kPageBytes - 1) / mm::kPageBytes;
  if (there->size() != pages * mm::kPageBytes) {
    return Error(Errc::invalid_argument, "the region of this name has another size");
  }
  return there;
}

Status Region::destroy(const std::string& name, const std::string& gate) {
  KRG_TRY_ASSIGN(const std::string path, gate_path(gate));
  const auto done = call<calls::Destroy>(path, {name});
  return done ? Status() : Status(done.error());
}

std::span<std::byte> Region::bytes() const noexcept {
  return {reinterpret_cast<std::byte*>(impl_->mapping_.address), impl_->mapping_.bytes};
}

bool Region::serves_system_calls() const noexcept { return impl_->mapping_.uffd.serves_kernel(); }

}  // namespace krg
