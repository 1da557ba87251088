// The functions of krg/task/kddm.h about spaces, sets and names.
#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <utility>

#include "kddm_c_impl.h"

namespace krg::kddm::c {
namespace {

// The options as this library knows them.
Result<krg_kddm_options> known_part_of(const krg_kddm_options* from) {
  const auto refuse = [](const char* why) { return Error(Errc::invalid_argument, why); };
  if (from == nullptr) return refuse("no options");
  constexpr std::size_t kFirst = offsetof(krg_kddm_options, linker_data) + sizeof(const char*);
  constexpr std::size_t kMost = 4096;
  if (from->size < kFirst || from->size > kMost) {
    return refuse("options without their size: krg_kddm_options_init()");
  }
  const auto* const bytes = reinterpret_cast<const unsigned char*>(from);
  for (std::size_t i = sizeof *from; i < from->size; ++i) {
    if (bytes[i] != 0) return refuse("options of a later version of krg");
  }
  krg_kddm_options known;
  krg_kddm_options_init(&known);
  std::memcpy(&known, from, std::min(from->size, sizeof known));
  return known;
}

constexpr std::array kPolicies = {std::pair(KRG_KDDM_HASH, HomePolicy::hash),
                                  std::pair(KRG_KDDM_FIXED, HomePolicy::fixed),
                                  std::pair(KRG_KDDM_ROUND_ROBIN, HomePolicy::round_robin),
                                  std::pair(KRG_KDDM_LINKER, HomePolicy::linker)};
static_assert(KRG_KDDM_TOUCH_AT_HOME == static_cast<int>(SetFlag::touch_at_home));

std::string set_named(const char* name) { return "the set \"" + std::string(name) + '"'; }

std::string space_named(const char* name) { return "the name space \"" + std::string(name) + '"'; }

// Valid until the thread's next call.
struct Described {
  std::string nodes, linker, linker_data;
};
thread_local Described described;

void describe(const SetOptions& from, krg_kddm_options& into) {
  krg_kddm_options_init(&into);
  described = {from.nodes.format(), from.linker, from.linker_data};
  into.object_bytes = from.object_bytes;
  into.object_count = from.object_count == ~std::uint64_t{0} ? 0 : from.object_count;
  into.variable_size = from.variable_size ? 1 : 0;
  into.copies = from.copies;
  into.flags = from.flags;
  for (const auto& [number, policy] : kPolicies) {
    if (policy == from.policy) into.policy = number;
  }
  into.name_space = from.name_space.value;
  into.home = from.home == kNoNode ? KRG_KDDM_NO_NODE : from.home.value;
  if (!from.nodes.empty()) into.nodes = described.nodes.c_str();
  into.linker = described.linker.c_str();
  if (!from.linker_data.empty()) into.linker_data = described.linker_data.c_str();
}

}  // namespace

Result<SetOptions> options_of(const krg_kddm_options* given) {
  KRG_TRY_ASSIGN(const krg_kddm_options from, known_part_of(given));
  SetOptions options;
  options.object_bytes = from.object_bytes;
  if (from.object_count != 0) options.object_count = from.object_count;
  options.variable_size = from.variable_size != 0;
  // More than fits is refused as too many, not taken as few.
  options.copies = static_cast<std::uint8_t>(std::clamp(from.copies, 1u, 255u));
  options.flags = from.flags;
  options.name_space = NameSpaceId{from.name_space};
  const auto* const policy = std::ranges::find_if(
      kPolicies, [&](const auto& known) { return known.first == from.policy; });
  if (policy == kPolicies.end()) return Error(Errc::invalid_argument, "unknown home policy");
  options.policy = policy->second;
  if (from.home != KRG_KDDM_NO_NODE) options.home = NodeId{from.home};
  if (from.nodes != nullptr) {
    KRG_TRY_ASSIGN(options.nodes, cluster::NodeSet::parse(from.nodes));
  }
  if (from.linker != nullptr) options.linker = from.linker;
  if (from.linker_data != nullptr) options.linker_data = from.linker_data;
  return options;
}

}  // namespace krg::kddm::c

using namespace krg;
using namespace krg::kddm;
using namespace krg::kddm::c;

// --- The space ----------------------------------------------------------------------------------

int krg_kddm_connect(const char* gate, krg_kddm_space** space) {
  return krg_kddm_connect_in(gate, "default", space);
}

int krg_kddm_connect_in(const char* gate, const char* name_space, krg_kddm_space** space) {
  auto made = Space::connect(gate == nullptr ? "" : gate, name_space);
  if (!made) return fail("connecting", made.error());
  auto* const handle = new (std::nothrow) krg_kddm_space;
  if (handle == nullptr) return fail("connecting", Error(Errc::no_memory));
  handle->space = std::move(*made);
  *space = handle;
  return 0;
}

void krg_kddm_disconnect(krg_kddm_space* space) { delete space; }

void krg_kddm_set_timeout(krg_kddm_space* space, uint64_t milliseconds) {
  const auto limit =
      std::chrono::duration_cast<std::chrono::milliseconds>(milliseconds_of(milliseconds));
  space->timeout_ms = limit.count();
}

// --- Sets ---------------------------------------------------------------------------------------

namespace {

int create(krg_kddm_space* space, SetId wanted, const krg_kddm_options* options,
           krg_kddm_set* set) {
  const auto wish = options_of(options);
  if (!wish) return fail("a new set", wish.error());
  const auto made = space->space->create(*wish, wanted);
  if (!made)
    return wanted == kNoSet ? fail("a new set", made.error()) : fail_set(wanted, made.error());
  if (set != nullptr) *set = made->value;
  return 0;
}

}  // namespace

int krg_kddm_create(krg_kddm_space* space, const krg_kddm_options* options, krg_kddm_set* set) {
  return create(space, kNoSet, options, set);
}

int krg_kddm_create_as(krg_kddm_space* space, krg_kddm_set wanted,
                       const krg_kddm_options* options) {
  if (wanted == 0) return fail_set(kNoSet, Error(Errc::invalid_argument, "not an id to choose"));
  return create(space, SetId{wanted}, options, nullptr);
}

int krg_kddm_open(krg_kddm_space* space, const char* name, const krg_kddm_options* options,
                  krg_kddm_set* set) {
  const auto wish = options_of(options);
  if (!wish) return fail(set_named(name), wish.error());
  const auto found = space->space->open(name, *wish);
  if (!found) return fail(set_named(name), found.error());
  *set = found->value;
  return 0;
}

int krg_kddm_destroy(krg_kddm_space* space, krg_kddm_set set) {
  const Status how = space->space->destroy(SetId{set});
  return how ? 0 : fail_set(SetId{set}, how.error());
}

int krg_kddm_describe(krg_kddm_space* space, krg_kddm_set set, krg_kddm_options* options) {
  krg_kddm_options all;
  const std::size_t size = options->size;
  if (size < sizeof size || size > 4096) {
    return fail_set(SetId{set}, Error(Errc::invalid_argument, "options without their size"));
  }
  const auto found = space->space->options_of(SetId{set});
  if (!found) return fail_set(SetId{set}, found.error());
  describe(*found, all);
  std::memset(options, 0, size);
  std::memcpy(options, &all, std::min(size, sizeof all));
  options->size = size;
  return 0;
}

int krg_kddm_bind(krg_kddm_space* space, const char* name, krg_kddm_set set) {
  const Status how = space->space->bind(name, SetId{set});
  return how ? 0 : fail(set_named(name), how.error());
}

int krg_kddm_look_up(krg_kddm_space* space, const char* name, krg_kddm_set* set) {
  const auto found = space->space->look_up(name);
  if (!found) return fail(set_named(name), found.error());
  *set = found->value;
  return 0;
}

int krg_kddm_unbind(krg_kddm_space* space, const char* name) {
  const Status how = space->space->unbind(name);
  return how ? 0 : fail(set_named(name), how.error());
}

// --- Name spaces --------------------------------------------------------------------------------

int krg_kddm_create_name_space(krg_kddm_space* space, const char* name, krg_kddm_name_space* made) {
  const auto id = space->space->create_name_space(name);
  if (!id) return fail(space_named(name), id.error());
  *made = id->value;
  return 0;
}

int krg_kddm_find_name_space(krg_kddm_space* space, const char* name, krg_kddm_name_space* found) {
  const auto id = space->space->find_name_space(name);
  if (!id) return fail(space_named(name), id.error());
  *found = id->value;
  return 0;
}

int krg_kddm_destroy_name_space(krg_kddm_space* space, krg_kddm_name_space name_space) {
  Use use;
  use.timeout = std::chrono::milliseconds(space->timeout_ms.load(std::memory_order_relaxed));
  const Status how = space->space->destroy_name_space(NameSpaceId{name_space}, use);
  return how ? 0 : fail("name space " + std::to_string(name_space), how.error());
}

int krg_kddm_sync_set(krg_kddm_space* space, krg_kddm_set set, uint64_t timeout_milliseconds) {
  Use use;
  use.timeout = milliseconds_of(timeout_milliseconds);
  const Status how = space->space->sync(SetId{set}, use);
  return how ? 0 : fail_set(SetId{set}, how.error());
}
