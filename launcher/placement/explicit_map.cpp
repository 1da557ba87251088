// Mapping by a file: seq (a node per line) and rankfile (a node and cpus per rank).
#include <algorithm>
#include <map>

#include "complain.h"
#include "shape.h"
#include "text.h"

namespace krg::placement {
namespace {

using topo::CpuSet;
using topo::Level;

class FileMapper {
 public:
  FileMapper(Work& work, std::uint32_t app)
      : work_(work), app_(app), mapping_(*work.policy.map), nodes_(candidates(work, app)) {}

  Status run() {
    const std::uint32_t wanted = work_.app_ranks[app_];
    std::uint32_t line_number = 0;
    for (const std::string_view line : split(work_.request.file_text, '\n')) {
      ++line_number;
      const auto parts = words(line);
      if (parts.empty()) continue;
      if (mapping_.by == MapBy::seq && entries_ == wanted) break;
      auto status = mapping_.by == MapBy::seq ? seq_line(parts) : rank_line(parts);
      if (!status) {
        return complain(work_.complaint, status.error().code(), "{}:{}: {}", file(), line_number,
                        std::string(work_.complaint));
      }
      ++entries_;
    }
    if (entries_ >= wanted && (mapping_.by == MapBy::seq || entries_ == wanted)) {
      return check_ranks();
    }
    return complain(work_.complaint, Errc::limit_reached, "{}: {} lines for {} ranks", file(),
                    entries_, wanted);
  }

 private:
  std::string file() const { return mapping_.file.empty() ? "hostfile" : mapping_.file; }

  Status seq_line(const std::vector<std::string_view>& parts) {
    const auto name = parts[0].substr(0, parts[0].rfind(':'));
    KRG_TRY_ASSIGN(const std::uint32_t node, find_node(name));
    Placed placed;
    placed.rank = entries_;
    // A hostfile serves too: its slots=N is no list of cpus.
    if (parts.size() > 1 && parts[1].find('=') == std::string_view::npos) {
      KRG_TRY_ASSIGN(placed.cpus, cpus_of(node, parts[1]));
    }
    return put(node, std::move(placed));
  }

  // "rank 3=node1 slot=0:1-2"
  Status rank_line(const std::vector<std::string_view>& parts) {
    const auto equals = parts.size() < 2 ? std::string_view::npos : parts[1].find('=');
    const auto rank = equals == std::string_view::npos
                          ? std::nullopt
                          : parse_number(parts[1].substr(0, equals), work_.app_ranks[app_] - 1);
    if (lower(parts[0]) != "rank" || equals == std::string_view::npos) {
      return complain(work_.complaint, "write 'rank N=HOST slot=CPUS'");
    }
    if (!rank) {
      return complain(work_.complaint, "'{}' is no rank below {}", parts[1].substr(0, equals),
                      work_.app_ranks[app_]);
    }
    KRG_TRY_ASSIGN(const std::uint32_t node, find_node(parts[1].substr(equals + 1)));
    Placed placed;
    placed.rank = *rank;
    if (parts.size() > 2) {
      if (parts.size() > 3 || !lower(parts[2]).starts_with("slot=")) {
        return complain(work_.complaint, "'{}' is not slot=CPUS", parts[parts.size() - 1]);
      }
      KRG_TRY_ASSIGN(placed.cpus, cpus_of(node, parts[2].substr(5)));
    }
    return put(node, std::move(placed));
  }

  Result<std::uint32_t> find_node(std::string_view name) {
    if (name.starts_with("+n")) {
      const auto number = parse_number(name.substr(2));
      if (number && *number < nodes_.size()) return nodes_[*number];
    }
    const auto at = std::find_if(nodes_.begin(), nodes_.end(), [&](std::uint32_t node) {
      return work_.request.nodes[node].name == name;
    });
    if (at != nodes_.end()) return *at;
    return complain(work_.complaint, Errc::not_found, "{} is no node of this job", name);
  }

  // "0,2-3" counts cpus of the node, "1:0,2" those of a package, "1:*" is all of a package.
  Result<CpuSet> cpus_of(std::uint32_t node, std::string_view text) {
    const Shape& shape = *work_.seats[node].shape;
    const std::vector<CpuSet>& all = shape.at(cpu_level(work_.policy));
    CpuSet out;
    std::vector<CpuSet> inside = all;  // "1:0,2": the package holds until another one is named.
    for (const std::string_view item : split(text, ',')) {
      std::string_view numbers = item;
      if (const auto colon = item.find(':'); colon != std::string_view::npos) {
        const auto package = parse_number(item.substr(0, colon));
        const auto& packages = shape.at(Level::package);
        if (!package || *package >= packages.size()) return no_cpus(node, text);
        inside.clear();
        for (const CpuSet& cpu : all) {
          if (packages[*package].contains(cpu)) inside.push_back(cpu);
        }
        numbers = item.substr(colon + 1);
      }
      auto chosen = numbers == "*" ? Result<CpuSet>(CpuSet::range(0, inside.size() - 1))
                                   : CpuSet::parse_list(numbers);
      if (!chosen || chosen->empty() || chosen->last() >= inside.size()) {
        return no_cpus(node, text);
      }
      for (const std::uint32_t number : chosen->members()) out |= inside[number];
    }
    return out;
  }

  Error no_cpus(std::uint32_t node, std::string_view text) {
    return complain(work_.complaint, "node {} has no cpus '{}'", work_.request.nodes[node].name,
                    text);
  }

  Status put(std::uint32_t node, Placed placed) {
    placed.app = app_;
    Seat& seat = work_.seats[node];
    if (seat.used() >= seat.hard) {
      return complain(work_.complaint, Errc::limit_reached,
                      "node {} may not have more than {} ranks", work_.request.nodes[node].name,
                      seat.hard);
    }
    seen_[*placed.rank] += 1;
    seat.placed.push_back(std::move(placed));
    return {};
  }

  Status check_ranks() {
    for (const auto& [rank, times] : seen_) {
      if (times > 1) {
        return complain(work_.complaint, "{}: rank {} is there {} times", file(), rank, times);
      }
    }
    return {};
  }

  Work& work_;
  const std::uint32_t app_;
  const Mapping& mapping_;
  const std::vector<std::uint32_t> nodes_;
  std::uint32_t entries_ = 0;
  std::map<std::uint32_t, std::uint32_t> seen_;
};

}  // namespace

Status place_by_file(Work& work, std::uint32_t app) { return FileMapper(work, app).run(); }

}  // namespace krg::placement
