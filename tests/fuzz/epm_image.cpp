// Any bytes in the place of an image: refused, or one whose numbers make sense together.
#include <cstdint>
#include <span>

#include "krg/base/assert.h"
#include "krg/epm/image.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto image = krg::wire::decode<krg::epm::Image>(std::as_bytes(std::span(data, size)));
  if (!image || !krg::epm::check(*image)) return 0;
  std::uint64_t last = 0;
  for (const auto& mapping : image->mappings) {
    KRG_ASSERT(mapping.begin >= last && mapping.begin < mapping.end);
    last = mapping.end;
  }
  return 0;
}
