#include "krg/cluster/node_set.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace krg::cluster {
namespace {

std::string_view trim(std::string_view s) {
  const std::size_t first = s.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return s.substr(first, s.find_last_not_of(" \t") - first + 1);
}

Result<std::uint32_t> parse_node(std::string_view text) {
  const std::string_view s = trim(text);
  if (s.empty()) return Error(Errc::invalid_argument, "node set: a node number is missing");
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(s.data(), s.data() + s.size(), value);
  if (error == std::errc::result_out_of_range) value = kNodesMax;
  if (end != s.data() + s.size() || error == std::errc::invalid_argument) {
    return Error(Errc::invalid_argument, "node set: want numbers and ranges, such as 2,3,6-10");
  }
  if (value >= kNodesMax) {
    return Error(Errc::invalid_argument, "node set: a node number is above 65534");
  }
  return value;
}

Result<NodeRange> parse_range(std::string_view text) {
  const std::size_t dash = text.find('-');
  KRG_TRY_ASSIGN(const std::uint32_t first, parse_node(text.substr(0, dash)));
  if (dash == std::string_view::npos) return NodeRange{first, first};
  KRG_TRY_ASSIGN(const std::uint32_t last, parse_node(text.substr(dash + 1)));
  if (last < first) {
    return Error(Errc::invalid_argument, "node set: a range runs backwards");
  }
  return NodeRange{first, last};
}

bool before(const NodeRange& a, const NodeRange& b) { return a.first < b.first; }

// The last range that starts at or before `node`.
std::optional<std::size_t> find(const std::vector<NodeRange>& ranges, std::uint32_t node) {
  const auto after = std::upper_bound(ranges.begin(), ranges.end(), NodeRange{node, node}, before);
  if (after == ranges.begin()) return std::nullopt;
  return static_cast<std::size_t>(after - ranges.begin()) - 1;
}

}  // namespace

NodeSet::NodeSet(std::initializer_list<NodeId> nodes) {
  for (const NodeId node : nodes) insert(node);
}

NodeSet NodeSet::range(NodeId first, NodeId last) {
  KRG_ASSERT(first <= last && last.value < kNodesMax);
  NodeSet set;
  set.ranges_ = {{first.value, last.value}};
  return set;
}

NodeSet NodeSet::first(std::uint32_t count) {
  return count == 0 ? NodeSet() : range(NodeId{0}, NodeId{count - 1});
}

NodeSet NodeSet::merged(std::vector<NodeRange> sorted) {
  NodeSet set;
  for (const NodeRange& range : sorted) {
    if (!set.ranges_.empty() && range.first <= set.ranges_.back().last + 1) {
      set.ranges_.back().last = std::max(set.ranges_.back().last, range.last);
    } else {
      set.ranges_.push_back(range);
    }
  }
  return set;
}

Result<NodeSet> NodeSet::from_ranges(std::vector<NodeRange> ranges) {
  for (const NodeRange& range : ranges) {
    if (range.first > range.last || range.last >= kNodesMax) {
      return Error(Errc::protocol_error, "node set out of bounds");
    }
  }
  std::sort(ranges.begin(), ranges.end(), before);
  return merged(std::move(ranges));
}

Result<NodeSet> NodeSet::parse(std::string_view text) {
  if (trim(text).empty()) return NodeSet();
  std::vector<NodeRange> ranges;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    KRG_TRY_ASSIGN(const NodeRange range, parse_range(text.substr(at, comma - at)));
    ranges.push_back(range);
    at = comma + 1;
  }
  std::sort(ranges.begin(), ranges.end(), before);
  return merged(std::move(ranges));
}

std::string NodeSet::format() const {
  std::string out;
  for (const NodeRange& range : ranges_) {
    if (!out.empty()) out += ',';
    out += std::to_string(range.first);
    if (range.last == range.first) continue;
    out += range.last == range.first + 1 ? ',' : '-';
    out += std::to_string(range.last);
  }
  return out;
}

std::size_t NodeSet::size() const noexcept {
  std::size_t count = 0;
  for (const NodeRange& range : ranges_) count += range.last - range.first + 1;
  return count;
}

bool NodeSet::contains(NodeId node) const noexcept {
  const auto index = find(ranges_, node.value);
  return index && node.value <= ranges_[*index].last;
}

NodeId NodeSet::nth(std::size_t index) const noexcept {
  for (const NodeRange& range : ranges_) {
    const std::size_t count = range.last - range.first + 1;
    if (index < count) return NodeId{range.first + static_cast<std::uint32_t>(index)};
    index -= count;
  }
  assert_failed("index < size()", __FILE__, __LINE__);
}

std::size_t NodeSet::index_of(NodeId node) const noexcept {
  std::size_t count = 0;
  for (const NodeRange& range : ranges_) {
    if (node.value <= range.last) {
      return count + (node.value > range.first ? node.value - range.first : 0);
    }
    count += range.last - range.first + 1;
  }
  return count;
}

NodeId NodeSet::max() const noexcept {
  KRG_ASSERT(!empty());
  return NodeId{ranges_.back().last};
}

void NodeSet::insert(NodeId node) {
  KRG_ASSERT(node.value < kNodesMax);
  if (!contains(node)) *this = *this | range(node, node);
}

void NodeSet::erase(NodeId node) {
  if (contains(node)) *this = *this - range(node, node);
}

NodeSet NodeSet::operator|(const NodeSet& other) const {
  std::vector<NodeRange> all(ranges_.size() + other.ranges_.size());
  std::merge(ranges_.begin(), ranges_.end(), other.ranges_.begin(), other.ranges_.end(),
             all.begin(), before);
  return merged(std::move(all));
}

NodeSet NodeSet::operator&(const NodeSet& other) const {
  NodeSet both;
  auto a = ranges_.begin();
  auto b = other.ranges_.begin();
  while (a != ranges_.end() && b != other.ranges_.end()) {
    const std::uint32_t first = std::max(a->first, b->first);
    const std::uint32_t last = std::min(a->last, b->last);
    if (first <= last) both.ranges_.push_back({first, last});
    a->last < b->last ? ++a : ++b;
  }
  return both;
}

NodeSet NodeSet::operator-(const NodeSet& other) const {
  NodeSet left;
  auto b = other.ranges_.begin();
  for (NodeRange range : ranges_) {
    while (b != other.ranges_.end() && b->last < range.first) ++b;
    bool gone = false;
    for (auto cut = b; cut != other.ranges_.end() && cut->first <= range.last; ++cut) {
      if (cut->first > range.first) left.ranges_.push_back({range.first, cut->first - 1});
      gone = cut->last >= range.last;
      if (gone) break;
      range.first = cut->last + 1;
    }
    if (!gone) left.ranges_.push_back(range);
  }
  return left;
}

}  // namespace krg::cluster
