#include "krg/topo/cpuset.h"

#include <bit>
#include <charconv>
#include <optional>

namespace krg::topo {
namespace {

constexpr std::size_t kBits = 64;

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlank = " \t\n";
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

std::optional<std::size_t> parse_cpu(std::string_view text) {
  std::size_t value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (ec != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (value >= CpuSet::kLimit) return std::nullopt;
  return value;
}

constexpr Error bad(const char* what) { return Error(Errc::invalid_argument, what); }

// The next item before `separator`, taken off the front of `rest`.
std::string_view take_item(std::string_view& rest, char separator) {
  const auto end = rest.find(separator);
  const std::string_view item = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
  return item;
}

}  // namespace

CpuSet CpuSet::single(std::size_t cpu) { return range(cpu, cpu); }

CpuSet CpuSet::range(std::size_t first, std::size_t last) {
  CpuSet set;
  for (std::size_t cpu = first; cpu <= last; ++cpu) set.add(cpu);
  return set;
}

Result<CpuSet> CpuSet::parse_list(std::string_view text) {
  CpuSet set;
  text = trimmed(text);
  if (text.empty()) return set;
  if (text.back() == ',') return bad("cpu list ends with a comma");
  while (!text.empty()) {
    std::string_view item = trimmed(take_item(text, ','));
    const auto dash = item.find('-');
    const auto first = parse_cpu(trimmed(item.substr(0, dash)));
    const auto last =
        dash == std::string_view::npos ? first : parse_cpu(trimmed(item.substr(dash + 1)));
    if (!first || !last) return bad("cpu list has something that is not a cpu number");
    if (*last < *first) return bad("cpu list has a falling range");
    set |= range(*first, *last);
  }
  return set;
}

Result<CpuSet> CpuSet::parse_bitmap(std::string_view text) {
  text = trimmed(text);
  if (text.empty()) return bad("empty cpu bitmap");
  std::vector<std::uint32_t> words;  // Highest first, as in the text.
  while (!text.empty()) {
    std::string_view item = take_item(text, ',');
    if (item.starts_with("0x")) item.remove_prefix(2);
    std::uint32_t word = 0;
    const auto [end, ec] = std::from_chars(item.data(), item.data() + item.size(), word, 16);
    // An inner word without text is zero.
    const bool ok =
        item.empty() ? !words.empty() : ec == std::errc() && end == item.data() + item.size();
    if (!ok) return bad("cpu bitmap has something that is not a 32-bit word");
    words.push_back(word);
    if (words.size() > kLimit / 32) return bad("cpu bitmap is too long");
  }
  CpuSet set;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const std::uint32_t word = words[words.size() - 1 - i];
    for (std::size_t bit = 0; bit < 32; ++bit) {
      if ((word >> bit & 1) != 0) set.add(i * 32 + bit);
    }
  }
  return set;
}

std::string CpuSet::list() const {
  std::string out;
  for (std::size_t cpu = first(); cpu != npos; cpu = next(cpu + 1)) {
    std::size_t last = cpu;
    while (has(last + 1)) ++last;
    if (!out.empty()) out += ',';
    out += std::to_string(cpu);
    if (last > cpu) out += '-' + std::to_string(last);
    cpu = last;
  }
  return out;
}

std::string CpuSet::bitmap() const {
  if (empty()) return "0x0";
  std::string out;
  char word_text[9];
  for (std::size_t i = words_.size() * 2; i-- > 0;) {
    const auto word = static_cast<std::uint32_t>(words_[i / 2] >> (i % 2 * 32));
    if (word == 0 && out.empty()) continue;
    if (!out.empty()) out += ',';
    if (word == 0) {
      if (i == 0) out += "0x0";  // hwloc writes an inner zero as nothing at all.
      continue;
    }
    const auto end = std::to_chars(word_text, word_text + sizeof word_text, word, 16).ptr;
    const std::string_view digits(word_text, static_cast<std::size_t>(end - word_text));
    out += "0x" + std::string(8 - digits.size(), '0');
    out += digits;
  }
  return out;
}

void CpuSet::add(std::size_t cpu) {
  KRG_ASSERT(cpu < kLimit);
  const std::size_t word = cpu / kBits;
  if (word >= words_.size()) words_.resize(word + 1);
  words_[word] |= std::uint64_t{1} << (cpu % kBits);
}

void CpuSet::remove(std::size_t cpu) noexcept {
  if (!has(cpu)) return;
  words_[cpu / kBits] &= ~(std::uint64_t{1} << (cpu % kBits));
  trim();
}

bool CpuSet::has(std::size_t cpu) const noexcept {
  return cpu / kBits < words_.size() && (words_[cpu / kBits] >> (cpu % kBits) & 1) != 0;
}

std::size_t CpuSet::count() const noexcept {
  std::size_t total = 0;
  for (const std::uint64_t word : words_) total += static_cast<std::size_t>(std::popcount(word));
  return total;
}

std::size_t CpuSet::last() const noexcept {
  if (words_.empty()) return npos;
  return words_.size() * kBits - 1 - static_cast<std::size_t>(std::countl_zero(words_.back()));
}

std::size_t CpuSet::next(std::size_t from) const noexcept {
  for (std::size_t i = from / kBits; i < words_.size(); ++i) {
    std::uint64_t word = words_[i];
    if (i == from / kBits) word &= ~std::uint64_t{0} << (from % kBits);
    if (word != 0) return i * kBits + static_cast<std::size_t>(std::countr_zero(word));
  }
  return npos;
}

std::vector<std::uint32_t> CpuSet::members() const {
  std::vector<std::uint32_t> out;
  for (std::size_t cpu = first(); cpu != npos; cpu = next(cpu + 1)) {
    out.push_back(static_cast<std::uint32_t>(cpu));
  }
  return out;
}

bool CpuSet::intersects(const CpuSet& other) const noexcept {
  const std::size_t n = std::min(words_.size(), other.words_.size());
  for (std::size_t i = 0; i < n; ++i) {
    if ((words_[i] & other.words_[i]) != 0) return true;
  }
  return false;
}

bool CpuSet::contains(const CpuSet& other) const noexcept {
  if (other.words_.size() > words_.size()) return false;
  for (std::size_t i = 0; i < other.words_.size(); ++i) {
    if ((other.words_[i] & ~words_[i]) != 0) return false;
  }
  return true;
}

CpuSet& CpuSet::operator|=(const CpuSet& other) {
  if (other.words_.size() > words_.size()) words_.resize(other.words_.size());
  for (std::size_t i = 0; i < other.words_.size(); ++i) words_[i] |= other.words_[i];
  return *this;
}

CpuSet& CpuSet::operator&=(const CpuSet& other) noexcept {
  if (words_.size() > other.words_.size()) words_.resize(other.words_.size());
  for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= other.words_[i];
  trim();
  return *this;
}

CpuSet& CpuSet::operator-=(const CpuSet& other) noexcept {
  const std::size_t n = std::min(words_.size(), other.words_.size());
  for (std::size_t i = 0; i < n; ++i) words_[i] &= ~other.words_[i];
  trim();
  return *this;
}

void CpuSet::trim() noexcept {
  while (!words_.empty() && words_.back() == 0) words_.pop_back();
}

}  // namespace krg::topo
