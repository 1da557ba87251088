// Any text in the place of files of /proc: nothing, or values that make sense.
#include <cstdint>
#include <string_view>

#include "krg/base/assert.h"
#include "krg/epm/proc_text.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto& line : krg::epm::parse_maps(text)) KRG_ASSERT(line.begin < line.end);
  (void)krg::epm::parse_stat(text);
  (void)krg::epm::parse_fdinfo(text);
  (void)krg::epm::field(text, "NSpid");
  (void)krg::epm::numbers(text, 16);
  return 0;
}
