#include "krg/region/region.h"

#include <utility>
#include <vector>

#include "impl.h"
#include "krg/config/entry.h"
#include "krg/config/environment.h"

static_assert(static_cast<int>(krg::Placement::block) ==
              static_cast<int>(krg::mm::Placement::block));
static_assert(static_cast<int>(krg::Placement::node) == static_cast<int>(krg::mm::Placement::node));

static_assert(static_cast<int>(krg::Consistency::release) ==
              static_cast<int>(krg::mm::Consistency::release));
static_assert(static_cast<int>(krg::Consistency::local) ==
              static_cast<int>(krg::mm::Consistency::local));

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

bool may_use_remote_memory() {
  const auto environment = config::Environment::of_process();
  config::Entry boolean;
  boolean.kind = config::Kind::boolean;
  const auto value = config::parse(boolean, environment.get("KRG_MEMORY_REMOTE").value_or("yes"));
  return !value || std::get<bool>(*value);
}

// --- What programs call -------------------------------------------------------------------------

Region::Region(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Region::Region(Region&&) noexcept = default;
Region& Region::operator=(Region&&) noexcept = default;
Region::~Region() = default;

Status Region::create(const std::string& name, std::size_t bytes, std::uintptr_t address,
                      const std::string& gate) {
  RegionShape shape;
  shape.address = address;
  return create(name, bytes, shape, gate);
}

Status Region::create(const std::string& name, std::size_t bytes, const RegionShape& shape,
                      const std::string& gate) {
  KRG_TRY_ASSIGN(const std::string path, gate::path_or_own(gate));
  const auto made =
      call<calls::Create>(path, {name, bytes, shape.address, shape.capacity,
                                 static_cast<mm::Placement>(shape.placement), NodeId{shape.node},
                                 static_cast<mm::Consistency>(shape.consistency), false,
                                 shape.copies, !may_use_remote_memory()});
  return made ? Status() : Status(made.error());
}

Result<Region> Region::attach(const std::string& name, const RegionOptions& options) {
  KRG_TRY_ASSIGN(const std::string path, gate::path_or_own(options.gate));
  KRG_TRY_ASSIGN(std::unique_ptr<Impl> impl, Impl::find(name, options, path, false));
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

std::size_t Region::capacity() const noexcept { return impl_->info().capacity; }

bool Region::is_writable() const noexcept { return !impl_->read_only(); }
bool Region::is_at_home() const noexcept {
  return reinterpret_cast<std::uintptr_t>(data()) == impl_->info().address;
}

Status Region::resize(std::size_t bytes) {
  if (bytes == 0) return Error(Errc::invalid_argument, "a region of no bytes");
  return impl_->change(bytes, calls::Change::Rights::keep);
}

Status Region::protect(Rights rights) {
  using Change = calls::Change;
  return impl_->change(
      0, rights == Rights::read_only ? Change::Rights::read_only : Change::Rights::read_write);
}

Status Region::protect(std::size_t offset, std::size_t length, Rights rights) {
  using Change = calls::Change;
  KRG_TRY(impl_->check(offset, length));
  if (length == 0) return {};
  return impl_->change(
      0, rights == Rights::read_only ? Change::Rights::read_only : Change::Rights::read_write,
      offset, length);
}
Status Region::release() { return impl_->release(); }
Status Region::acquire() { return impl_->acquire(); }
Status Region::sync() { return impl_->sync(); }

bool Region::serves_system_calls() const noexcept { return impl_->serves_kernel(); }

}  // namespace krg
