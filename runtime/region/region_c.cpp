#include "krg/region/region_c.h"

#include <cerrno>
#include <cstdint>
#include <new>
#include <string>
#include <utility>

#include "krg/mm_calls/calls.h"
#include "krg/region/region.h"

struct krg_region {
  krg::Region region;
};

namespace {

std::string& message() {
  thread_local std::string last;
  return last;
}

int fail(const char* name, const krg::Error& error) {
  message() = std::string("region ") + name + ": " + std::string(error.message());
  return krg::to_errno(error.code());
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

void* krg_region_address(const krg_region* region) { return region->region.data(); }
size_t krg_region_size(const krg_region* region) { return region->region.size(); }
void krg_region_close(krg_region* region) { delete region; }

int krg_region_destroy(const char* name) {
  if (name == nullptr) {
    return fail("?", krg::Error(krg::Errc::invalid_argument, "no name"));
  }
  const krg::Status done = krg::Region::destroy(name);
  return done ? 0 : fail(name, done.error());
}

const char* krg_region_message(void) { return message().c_str(); }
