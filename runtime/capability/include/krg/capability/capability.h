// capability/capability.h: what krg may do with a task, and the task with itself.
//
// Model    twelve capabilities, of which krg has some; four sets of them for each task: what it may
//          have, what holds, and both for its children. fork() makes the sets of a child, exec()
//          leaves them, a move or a restart brings them along. A change can take from the permitted
//          sets, never add to them.
// Threads  values.
// Blocks   never.
// Source   Kerrighed 3.0 kerrighed/capabilities (kerrighed_capabilities(7), krgcapset(1));
//          docs/design/capability.md
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "krg/error/result.h"
#include "krg/wire/codec.h"

namespace krg::capability {

// Their numbers are the bits of Kerrighed's masks.
enum class Capability : std::uint8_t {
  change_kerrighed_cap,  // Its capabilities may be changed.
  can_migrate,           // It may be moved to another node.
  distant_fork,          // Its fork() may make the child on another node.
  fork_delay,
  checkpointable,     // It and its children can be saved as one application.
  use_remote_memory,  // Pages of its regions may go to other nodes when its own is full.
  use_intra_cluster_kerstreams,
  use_inter_cluster_kerstreams,
  use_world_visible_kerstreams,
  see_local_proc_stat,  // Shown the machine's own numbers instead of the cluster's.
  debug,
  syscall_exit_hook,
};
inline constexpr std::size_t kCapabilities = 12;

// "CAN_MIGRATE"
std::string_view name_of(Capability capability) noexcept;
// By its name in any case, also with "CAP_" before it.
std::optional<Capability> find(std::string_view name) noexcept;

// A set of capabilities. A set from outside may have bits that no capability has.
struct Set {
  std::uint32_t bits = 0;

  constexpr Set() = default;
  constexpr explicit Set(std::uint32_t mask) noexcept : bits(mask) {}
  constexpr Set(std::initializer_list<Capability> all) noexcept {
    for (const Capability one : all) bits |= bit(one);
  }

  constexpr bool has(Capability c) const noexcept { return (bits & bit(c)) != 0; }
  constexpr bool is_within(Set other) const noexcept { return (bits & ~other.bits) == 0; }
  constexpr bool is_empty() const noexcept { return bits == 0; }
  constexpr Set with(Capability c) const noexcept { return Set(bits | bit(c)); }
  constexpr Set without(Capability c) const noexcept { return Set(bits & ~bit(c)); }
  constexpr Set without(Set other) const noexcept { return Set(bits & ~other.bits); }
  friend constexpr Set operator&(Set a, Set b) noexcept { return Set(a.bits & b.bits); }
  friend constexpr Set operator|(Set a, Set b) noexcept { return Set(a.bits | b.bits); }
  constexpr bool operator==(const Set&) const = default;

  static void wire_fields(auto& m, auto&& visit) { visit(m.bits); }

 private:
  static constexpr std::uint32_t bit(Capability c) noexcept {
    return std::uint32_t{1} << static_cast<unsigned>(c);
  }
};

// What krg has; the others were Kerrighed's only in part, or are of modules that are not there.
inline constexpr Set kSupported{Capability::change_kerrighed_cap, Capability::can_migrate,
                                Capability::distant_fork,         Capability::checkpointable,
                                Capability::use_remote_memory,    Capability::see_local_proc_stat};
// What holds for a job of krgrun unless it says otherwise: everything that is of use. Kerrighed's
// tasks could do nothing until somebody said so, which was what its users tripped over most.
inline constexpr Set kUseful = kSupported.without(Capability::see_local_proc_stat);

struct Sets {
  Set permitted = kSupported;
  Set effective = kUseful;
  Set inheritable_permitted = kSupported;
  Set inheritable_effective = kUseful;

  bool operator==(const Sets&) const = default;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.permitted, m.effective, m.inheritable_permitted, m.inheritable_effective);
  }
};

// The sets of a child.
Sets forked(const Sets& parent) noexcept;

// Whether the sets contradict nothing: each effective one is within its permitted one, what is
// inheritable within what is permitted, and all of it is supported.
// Errors  invalid_argument (native EINVAL), no_service (native ENOSYS), tested in this order
Status check(const Sets& sets) noexcept;

// What a task that has `old` gets when `wanted` is set: its part that `old` permits.
// Requires  whoever asks may change the task: that is asked before this.
// Errors    invalid_argument, no_service  as check(); denied (native EPERM)  `old` lacks
//           CHANGE_KERRIGHED_CAP; would_block (native EBUSY)  of `in_use`, something would no more
//           be effective.
Result<Sets> change(const Sets& old, const Sets& wanted, Set in_use) noexcept;

// A set as people write it: an octal mask, or names between commas that are added to `from` ("+" or
// nothing before the name) or taken out of it ("-").
// Errors  invalid_argument; `complaint` is one line.
Result<Set> parse(std::string_view text, Set from, std::string& complaint);
// "CAN_MIGRATE,CHECKPOINTABLE"; "" for none. Bits without a name are left out.
std::string to_text(Set set);

}  // namespace krg::capability
