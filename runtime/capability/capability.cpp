#include "krg/capability/capability.h"

#include <algorithm>
#include <cerrno>
#include <charconv>

namespace krg::capability {
namespace {

constexpr std::array<std::string_view, kCapabilities> kNames{
    "CHANGE_KERRIGHED_CAP",
    "CAN_MIGRATE",
    "DISTANT_FORK",
    "FORK_DELAY",
    "CHECKPOINTABLE",
    "USE_REMOTE_MEMORY",
    "USE_INTRA_CLUSTER_KERSTREAMS",
    "USE_INTER_CLUSTER_KERSTREAMS",
    "USE_WORLD_VISIBLE_KERSTREAMS",
    "SEE_LOCAL_PROC_STAT",
    "DEBUG",
    "SYSCALL_EXIT_HOOK",
};

// Of ASCII alone, whatever the locale.
char upper(char c) noexcept { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

std::optional<Set> octal(std::string_view text) noexcept {
  std::uint32_t mask = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, mask, 8);
  if (text.empty() || error != std::errc() || rest != end) return std::nullopt;
  return Set(mask);
}

}  // namespace

std::string_view name_of(Capability capability) noexcept {
  return kNames[static_cast<std::size_t>(capability)];
}

std::optional<Capability> find(std::string_view name) noexcept {
  const auto is_it = [](std::string_view typed, std::string_view known) {
    return std::ranges::equal(typed, known, {}, upper);
  };
  if (name.size() > 4 && is_it(name.substr(0, 4), "CAP_")) name.remove_prefix(4);
  for (std::size_t i = 0; i < kCapabilities; ++i) {
    if (is_it(name, kNames[i])) return static_cast<Capability>(i);
  }
  return std::nullopt;
}

Sets forked(const Sets& parent) noexcept {
  return {parent.inheritable_permitted, parent.inheritable_effective & parent.inheritable_permitted,
          parent.inheritable_permitted, parent.inheritable_effective};
}

Status check(const Sets& sets) noexcept {
  if (!sets.effective.is_within(sets.permitted) ||
      !sets.inheritable_permitted.is_within(sets.permitted) ||
      !sets.inheritable_effective.is_within(sets.inheritable_permitted)) {
    return Error(Errc::invalid_argument, "a capability would hold that is not permitted")
        .with_native(EINVAL);
  }
  if (!sets.permitted.is_within(kSupported)) {
    return Error(Errc::no_service, "krg does not have that capability").with_native(ENOSYS);
  }
  return {};
}

Result<Sets> change(const Sets& old, const Sets& wanted, Set in_use) noexcept {
  KRG_TRY(check(wanted));
  if (!old.effective.has(Capability::change_kerrighed_cap)) {
    return Error(Errc::denied, "the task's capabilities may not be changed").with_native(EPERM);
  }
  const Set dropped = old.effective.without(wanted.effective);
  if (!(dropped & in_use).is_empty()) {
    return Error(Errc::would_block, "the capability is in use now").with_native(EBUSY);
  }
  return Sets{wanted.permitted & old.permitted, wanted.effective & old.permitted,
              wanted.inheritable_permitted & old.permitted,
              wanted.inheritable_effective & old.permitted};
}

Result<Set> parse(std::string_view text, Set from, std::string& complaint) {
  const Error bad(Errc::invalid_argument, "not a list of capabilities");
  if (const auto mask = octal(text)) return *mask;
  while (true) {
    const std::size_t comma = text.find(',');
    std::string_view word = text.substr(0, comma);
    const bool takes = !word.empty() && word.front() == '-';
    if (takes || (!word.empty() && word.front() == '+')) word.remove_prefix(1);
    const auto one = find(word);
    if (!one) {
      complaint = word.empty() ? std::string("a capability's name is missing")
                               : "there is no capability '" + std::string(word) + "'";
      return bad;
    }
    from = takes ? from.without(*one) : from.with(*one);
    if (comma == std::string_view::npos) return from;
    text.remove_prefix(comma + 1);
  }
}

std::string to_text(Set set) {
  std::string text;
  for (std::size_t i = 0; i < kCapabilities; ++i) {
    if (!set.has(static_cast<Capability>(i))) continue;
    text += (text.empty() ? "" : ",") + std::string(kNames[i]);
  }
  return text;
}

}  // namespace krg::capability
