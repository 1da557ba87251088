#include "krg/placement/policy.h"

#include <array>
#include <span>

#include "complain.h"
#include "text.h"

namespace krg::placement {
namespace {

using topo::Level;

// The one name that `text` is or begins; nullopt if there is none or more than one.
std::optional<std::string_view> pick(std::string_view text,
                                     std::span<const std::string_view> names) {
  std::optional<std::string_view> found;
  if (text.empty()) return found;
  for (const std::string_view name : names) {
    if (name == text) return name;
    if (!name.starts_with(text)) continue;
    if (found) return std::nullopt;
    found = name;
  }
  return found;
}

std::string joined(std::span<const std::string_view> names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

constexpr std::array<std::string_view, 14> kPlaces{
    "slot",    "hwthread", "core", "l1cache", "l2cache", "l3cache",  "numa",
    "package", "socket",   "node", "seq",     "ppr",     "rankfile", "pe-list"};
constexpr std::array<std::string_view, 10> kMapModifiers{
    "pe=",     "span",     "oversubscribe", "nooversubscribe", "nolocal",
    "hwtcpus", "corecpus", "inherit",       "noinherit",       "ordered"};
constexpr std::array<std::string_view, 4> kRankings{"slot", "node", "fill", "span"};
constexpr std::array<std::string_view, 9> kBindings{
    "none", "hwthread", "core", "l1cache", "l2cache", "l3cache", "numa", "package", "socket"};
constexpr std::array<std::string_view, 5> kBindModifiers{"overload-allowed", "no-overload",
                                                         "if-supported", "limit=", "report"};

// Reads the segments of one --map-by.
class MapReader {
 public:
  MapReader(std::string_view text, std::string& complaint)
      : text_(text), parts_(split(text, ':')), complaint_(complaint) {}

  Status read(Policy& policy) {
    MapModifiers modifiers = policy.modifiers;
    std::optional<Mapping> mapping = policy.map;
    if (!parts_[0].empty()) {
      mapping.emplace();
      KRG_TRY(read_place(*mapping));
    }
    for (++at_; at_ < parts_.size(); ++at_) KRG_TRY(read_modifier(modifiers, mapping));
    KRG_TRY(check(modifiers, mapping));
    policy.modifiers = modifiers;
    policy.map = std::move(mapping);
    return {};
  }

 private:
  Status read_place(Mapping& mapping) {
    const std::string word = lower(parts_[0]);
    if (word.starts_with("pe-list=")) return read_pe_list(mapping, word.substr(8));
    const auto place = pick(word, kPlaces);
    if (!place || *place == "pe-list") {
      return complain(complaint_, "--map-by {}: '{}' is no place to map to; use {}", text_,
                      parts_[0], joined(kPlaces));
    }
    if (*place == "slot") return set(mapping, MapBy::slot);
    if (*place == "node") return set(mapping, MapBy::node);
    if (*place == "seq") return set(mapping, MapBy::seq);
    if (*place == "rankfile") return set(mapping, MapBy::rankfile);
    if (*place == "ppr") return read_ppr(mapping);
    mapping.level = *topo::parse_level(*place);
    return set(mapping, MapBy::object);
  }

  static Status set(Mapping& mapping, MapBy by) {
    mapping.by = by;
    return {};
  }

  Status read_ppr(Mapping& mapping) {
    const bool complete = parts_.size() >= 3;
    const auto count = complete ? parse_number(parts_[1], 1u << 20) : std::nullopt;
    const std::string word = complete ? lower(parts_[2]) : std::string();
    const auto place = word == "node" ? std::optional<std::string_view>("machine")
                                      : pick(word, std::span(kPlaces).subspan(1, 8));
    if (!count || *count == 0 || !place) {
      return complain(complaint_, "--map-by {}: write ppr:N:PLACE, as in ppr:2:package", text_);
    }
    mapping.count = *count;
    mapping.level = *topo::parse_level(*place);
    at_ = 2;
    return set(mapping, MapBy::ppr);
  }

  Status read_pe_list(Mapping& mapping, std::string_view list) {
    auto cpus = topo::CpuSet::parse_list(list);
    if (!cpus || cpus->empty()) {
      return complain(complaint_, "--map-by {}: write pe-list=LIST, as in pe-list=0,2,4-7", text_);
    }
    mapping.cpus = std::move(*cpus);
    return set(mapping, MapBy::pe_list);
  }

  Status read_modifier(MapModifiers& m, std::optional<Mapping>& mapping) {
    const std::string_view part = parts_[at_];
    const std::string word = lower(part);
    if (word.starts_with("file=") && mapping && part.size() > 5) {
      mapping->file = part.substr(5);  // A path keeps its case.
      return {};
    }
    if (word.starts_with("pe=")) {
      const auto count = parse_number(std::string_view(word).substr(3), topo::CpuSet::kLimit);
      if (count && *count > 0) {
        m.pe = *count;
        return {};
      }
      return complain(complaint_, "--map-by {}: PE= wants the number of cpus per rank", text_);
    }
    const auto name = pick(word, kMapModifiers);
    if (name == "span") return flag(m.span);
    if (name == "nolocal") return flag(m.nolocal);
    if (name == "hwtcpus") return flag(m.hwtcpus);
    if (name == "corecpus") return flag(m.hwtcpus, false);
    if (name == "inherit") return flag(m.inherit);
    if (name == "noinherit") return flag(m.inherit, false);
    if (name == "ordered" && mapping) return flag(mapping->ordered);
    if (name == "oversubscribe" || name == "nooversubscribe") {
      const bool yes = *name == "oversubscribe";
      if (m.oversubscribe.value_or(yes) != yes) {
        return complain(complaint_, "--map-by {}: oversubscription is both allowed and forbidden",
                        text_);
      }
      m.oversubscribe = yes;
      return {};
    }
    return complain(complaint_, "--map-by {}: unknown modifier '{}'; use {}, file=", text_, part,
                    joined(kMapModifiers));
  }

  static Status flag(bool& target, bool value = true) {
    target = value;
    return {};
  }

  Status check(const MapModifiers& modifiers, const std::optional<Mapping>& mapping) {
    if (!mapping) return {};
    const MapBy by = mapping->by;
    if (modifiers.span && by != MapBy::object) {
      return complain(complaint_,
                      "--map-by {}: SPAN goes with hwthread, core, caches, numa and "
                      "package only",
                      text_);
    }
    if (modifiers.pe > 0 && (by == MapBy::rankfile || by == MapBy::pe_list || by == MapBy::seq)) {
      return complain(complaint_, "--map-by {}: PE= does not go with a list of cpus", text_);
    }
    if (mapping->ordered && by != MapBy::pe_list) {
      return complain(complaint_, "--map-by {}: ORDERED goes with pe-list only", text_);
    }
    if (!mapping->file.empty() && by != MapBy::seq && by != MapBy::rankfile) {
      return complain(complaint_, "--map-by {}: FILE= goes with seq and rankfile only", text_);
    }
    if (by == MapBy::rankfile && mapping->file.empty()) {
      return complain(complaint_, "--map-by {}: write rankfile:FILE=PATH", text_);
    }
    return {};
  }

  std::string_view text_;
  std::vector<std::string_view> parts_;
  std::size_t at_ = 0;
  std::string& complaint_;
};

}  // namespace

Status parse_map_by(std::string_view text, Policy& policy, std::string& complaint) {
  return MapReader(text, complaint).read(policy);
}

Status parse_rank_by(std::string_view text, Policy& policy, std::string& complaint) {
  const auto name = pick(lower(text), kRankings);
  if (!name) {
    return complain(complaint, "--rank-by {}: unknown; use {}", text, joined(kRankings));
  }
  for (std::size_t i = 0; i < kRankings.size(); ++i) {
    if (kRankings[i] == *name) policy.rank = static_cast<RankBy>(i);
  }
  return {};
}

Status parse_bind_to(std::string_view text, Policy& policy, std::string& complaint) {
  const auto parts = split(text, ':');
  const auto place = pick(lower(parts[0]), kBindings);
  if (!place) {
    return complain(complaint, "--bind-to {}: '{}' can not be bound to; use {}", text, parts[0],
                    joined(kBindings));
  }
  Binding binding;
  if (*place != "none") binding.level = *topo::parse_level(*place);
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string word = lower(parts[i]);
    if (word.starts_with("limit=")) {
      const auto limit = parse_number(std::string_view(word).substr(6));
      if (!limit || *limit == 0) {
        return complain(complaint, "--bind-to {}: LIMIT= wants a number of ranks", text);
      }
      binding.limit = *limit;
      continue;
    }
    const auto name = pick(word, kBindModifiers);
    if (!name || *name == "limit=") {
      return complain(complaint, "--bind-to {}: unknown modifier '{}'; use {}", text, parts[i],
                      joined(kBindModifiers));
    }
    if (*name == "overload-allowed") binding.overload = true;
    if (*name == "no-overload") binding.overload = false;
    if (*name == "if-supported") binding.if_supported = true;
    if (*name == "report") binding.report = true;
  }
  policy.bind = binding;
  return {};
}

std::string to_string(const Mapping& mapping) {
  switch (mapping.by) {
    case MapBy::slot:
      return "slot";
    case MapBy::node:
      return "node";
    case MapBy::object:
      return std::string(topo::name(mapping.level));
    case MapBy::ppr:
      return fmt::format("ppr:{}:{}", mapping.count,
                         mapping.level == Level::machine ? "node" : topo::name(mapping.level));
    case MapBy::seq:
      return "seq";
    case MapBy::rankfile:
      return "rankfile";
    case MapBy::pe_list:
      return fmt::format("pe-list={}{}", mapping.cpus.list(), mapping.ordered ? ":ordered" : "");
  }
  return {};
}

std::string to_string(const Mapping& mapping, const MapModifiers& modifiers) {
  std::string out = to_string(mapping);
  if (modifiers.pe > 0) out += fmt::format(":pe={}", modifiers.pe);
  if (modifiers.hwtcpus) out += ":hwtcpus";
  if (modifiers.oversubscribe) {
    out += *modifiers.oversubscribe ? ":oversubscribe" : ":nooversubscribe";
  }
  return out;
}

std::string_view to_string(RankBy rank) noexcept {
  return kRankings[static_cast<std::size_t>(rank)];
}

std::string to_string(const Binding& binding) {
  std::string out(binding.level == Level::machine ? "none" : topo::name(binding.level));
  if (binding.overload) out += ":overload-allowed";
  if (binding.if_supported) out += ":if-supported";
  if (binding.limit > 0) out += fmt::format(":limit={}", binding.limit);
  if (binding.report) out += ":report";
  return out;
}

}  // namespace krg::placement
