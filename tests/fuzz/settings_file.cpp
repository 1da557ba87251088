// Any bytes as krg.toml: each setting keeps its rules, whatever the file says; what is refused is
// refused in words that name the file.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>

#include "krg/base/assert.h"
#include "krg/base/unique_fd.h"
#include "krg/config/config.h"
#include "krg/config/render.h"
#include "krg/settings/settings.h"

namespace {

using namespace krg;

void check_settings(const config::Config& config) {
  std::size_t entries = 0;
  for (const config::TableBase* table : settings::tables()) entries += table->entries().size();
  KRG_ASSERT(config.settings().size() == entries);
  for (const config::Setting& setting : config.settings()) {
    KRG_ASSERT(setting.entry != nullptr && !setting.origin.empty());
    if (setting.entry->kind == config::Kind::path) continue;  // "~" is another thing the next time.
    const auto again = config::parse(*setting.entry, config::format(*setting.entry, setting.value));
    KRG_ASSERT(again && *again == setting.value);
  }
  for (const auto* lines : {&config.errors(), &config.warnings()}) {
    for (const std::string& line : *lines) KRG_ASSERT(!line.empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 65536) return 0;
  const UniqueFd file(memfd_create("krg.toml", MFD_CLOEXEC));
  KRG_ASSERT(::write(file.get(), data, size) == static_cast<ssize_t>(size));
  config::Sources sources;
  sources.environment = config::Environment({{"HOME", "/home/somebody"}});
  sources.user_file = "/proc/self/fd/" + std::to_string(file.get());
  const config::Config config(settings::tables(), sources);
  check_settings(config);
  KRG_ASSERT(!config::json(config).empty());
  KRG_ASSERT(!config::text_table(config).empty());
  return 0;
}
