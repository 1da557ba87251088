#include "krg/config/table.h"

#include <algorithm>

namespace krg::config {
namespace {

std::string variable_of(std::string_view module, std::string_view name) {
  std::string out = "KRG_";
  out.append(module).append("_").append(name);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) {
    return c == '-' ? '_' : (c >= 'a' && c <= 'z') ? static_cast<char>(c - 'a' + 'A') : c;
  });
  return out;
}

bool is_word(std::string_view s) {
  return !s.empty() && s.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == s.npos;
}

}  // namespace

namespace detail {

void apply_rules(Entry& entry, const Rules& rules, std::int64_t type_min, std::int64_t type_max) {
  entry.min = type_min;
  entry.max = type_max;
  entry.choices = rules.choices;
  KRG_ASSERT((entry.kind == Kind::choice) == !entry.choices.empty());
  if (!rules.min.empty()) {
    const auto value = parse(entry, rules.min);
    KRG_ASSERT(value);
    entry.min = std::get<std::int64_t>(*value);
  }
  if (!rules.max.empty()) {
    const auto value = parse(entry, rules.max);
    KRG_ASSERT(value);
    entry.max = std::get<std::int64_t>(*value);
  }
}

}  // namespace detail

void TableBase::add(Entry entry) {
  entry.module = module_;
  KRG_ASSERT(is_word(entry.module));
  KRG_ASSERT(is_word(entry.name));
  if (entry.variable.empty()) entry.variable = variable_of(entry.module, entry.name);
  KRG_ASSERT(entry.variable.starts_with("KRG_"));
  KRG_ASSERT(parse(entry, entry.fallback));
  entries_.push_back(std::move(entry));
}

}  // namespace krg::config
