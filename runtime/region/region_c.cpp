#include "krg/region/region_c.h"

#include <cerrno>
#include <cstdint>
#include <new>
#include <string>
#include <utility>

#include "krg/mm_calls/calls.h"
#include "krg/region/bulk.h"
#include "krg/region/of_c.h"
#include "krg/region/region.h"

struct krg_region {
  krg::Region region;
};

namespace krg {

const Region& region_of(const krg_region& region) noexcept { return region.region; }

}  // namespace krg

namespace {

std::string& message() {
  thread_local std::string last;
  return last;
}

int fail(const char* name, const krg::Error& error) {
  message() = std::string("region ") + name + ": " + std::string(error.message());
  return krg::to_errno(error.code());
}

int answer(const char* name, const krg::Status& status) {
  return status ? 0 : fail(name, status.error());
}

}  // namespace

int krg_region_open(const char* name, size_t bytes, void* address, unsigned flags,
                    krg_region** region) {
  if (name == nullptr || region == nullptr ||
      (flags & ~unsigned{KRG_REGION_CREATE | KRG_REGION_READ_ONLY}) != 0) {
    return fail("?", krg::Error(krg::Errc::invalid_argument, "no name, no place, or a flag"));
  }
  krg::RegionOptions options;
  options.address = reinterpret_cast<std::uintptr_t>(address);
  options.read_only = (flags & KRG_REGION_READ_ONLY) != 0;
  krg::Result<krg::Region> opened = (flags & KRG_REGION_CREATE) != 0
                                        ? krg::Region::open(name, bytes, options)
                                        : krg::Region::attach(name, options);
  if (!opened) return fail(name, opened.error());
  if (bytes != 0 && krg::mm::whole_pages(bytes) != opened->size()) {
    return fail(name, krg::Error(krg::Errc::invalid_argument, "it has another size"));
  }
  auto* const made = new (std::nothrow) krg_region{std::move(*opened)};
  if (made == nullptr) return ENOMEM;
  *region = made;
  return 0;
}

int krg_region_create(const char* name, size_t bytes, size_t capacity) {
  return krg_region_create_as(name, bytes, capacity, KRG_CONSISTENCY_SEQUENTIAL);
}

int krg_region_create_as(const char* name, size_t bytes, size_t capacity,
                         krg_consistency consistency) {
  if (name == nullptr || consistency > KRG_CONSISTENCY_LOCAL) {
    return fail("?", krg::Error(krg::Errc::invalid_argument, "no name, or no such consistency"));
  }
  krg::RegionShape shape;
  shape.capacity = capacity;
  shape.consistency = static_cast<krg::Consistency>(consistency);
  return answer(name, krg::Region::create(name, bytes, shape));
}

int krg_region_create_copies(const char* name, size_t bytes, size_t capacity, unsigned copies) {
  if (name == nullptr) return fail("?", krg::Error(krg::Errc::invalid_argument, "no name"));
  krg::RegionShape shape;
  shape.capacity = capacity;
  shape.copies = copies;
  return answer(name, krg::Region::create(name, bytes, shape));
}

int krg_region_release(krg_region* region) { return answer("release", region->region.release()); }
int krg_region_acquire(krg_region* region) { return answer("acquire", region->region.acquire()); }

void* krg_region_address(const krg_region* region) { return region->region.data(); }
size_t krg_region_size(const krg_region* region) { return region->region.size(); }

int krg_region_resize(krg_region* region, size_t bytes) {
  return answer("resize", region->region.resize(bytes));
}

int krg_region_protect(krg_region* region, int read_only) {
  using Rights = krg::Region::Rights;
  return answer("protect",
                region->region.protect(read_only != 0 ? Rights::read_only : Rights::read_write));
}

int krg_region_protect_part(krg_region* region, size_t offset, size_t bytes, int read_only) {
  using Rights = krg::Region::Rights;
  const Rights rights = read_only != 0 ? Rights::read_only : Rights::read_write;
  return answer("protect", region->region.protect(offset, bytes, rights));
}

int krg_region_sync(krg_region* region) { return answer("sync", region->region.sync()); }

int krg_region_prefetch(const krg_region* region, size_t offset, size_t bytes) {
  return answer("prefetch", krg::prefetch(region->region, offset, bytes));
}

int krg_region_advise(const krg_region* region, size_t offset, size_t bytes, krg_advice advice) {
  const auto said = static_cast<krg::Advice>(advice);
  return answer("advise", krg::advise(region->region, offset, bytes, said));
}

int krg_region_copy(const krg_region* to, size_t to_offset, const krg_region* from,
                    size_t from_offset, size_t bytes) {
  return answer("copy", krg::copy(to->region, to_offset, from->region, from_offset, bytes));
}

int krg_region_fill(const krg_region* region, size_t offset, size_t bytes, int value) {
  const auto byte = static_cast<std::byte>(value);
  return answer("fill", krg::fill(region->region, offset, bytes, byte));
}

void krg_region_close(krg_region* region) { delete region; }

int krg_region_destroy(const char* name) {
  if (name == nullptr) {
    return fail("?", krg::Error(krg::Errc::invalid_argument, "no name"));
  }
  return answer(name, krg::Region::destroy(name));
}

const char* krg_region_message(void) { return message().c_str(); }
