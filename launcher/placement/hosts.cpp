#include "krg/placement/hosts.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <unordered_map>

#include "complain.h"
#include "krg/base/unique_fd.h"
#include "text.h"

namespace krg::placement {
namespace {

constexpr std::size_t kMaxHosts = 65536;
constexpr std::size_t kMaxFile = std::size_t{16} << 20;
constexpr std::uint32_t kMaxSlots = 1u << 20;

// Hosts in order of first mention, found by name.
class HostList {
 public:
  Host* find(const std::string& name) {
    const auto at = index_.find(name);
    return at == index_.end() ? nullptr : &hosts_[at->second];
  }
  // A host that is here already gets the slots of both.
  void add(Host host, std::uint32_t bare_mentions = 0) {
    const auto [at, is_new] = index_.try_emplace(host.name, hosts_.size());
    if (is_new) {
      hosts_.push_back(std::move(host));
      bare_.push_back(bare_mentions);
      return;
    }
    hosts_[at->second].slots += host.slots;
    hosts_[at->second].max_slots += host.max_slots;
    bare_[at->second] += bare_mentions;
  }
  std::size_t size() const { return hosts_.size(); }

  // A machine file of a batch system has one bare line per slot. A single bare line says nothing.
  std::vector<Host> take() && {
    for (std::size_t i = 0; i < hosts_.size(); ++i) {
      if (bare_[i] > 1 || hosts_[i].slots > 0) hosts_[i].slots += bare_[i];
    }
    return std::move(hosts_);
  }

 private:
  std::vector<Host> hosts_;
  std::vector<std::uint32_t> bare_;
  std::unordered_map<std::string, std::size_t> index_;
};

bool is_host_name(std::string_view name) {
  constexpr std::string_view kAllowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_@";
  return !name.empty() && name.front() != '-' &&
         name.find_first_not_of(kAllowed) == std::string_view::npos;
}

// "NAME:SLOTS" -> both parts; without a number the second is empty.
std::pair<std::string_view, std::string_view> name_and_slots(std::string_view word) {
  const auto colon = word.rfind(':');
  if (colon == std::string_view::npos) return {word, {}};
  return {word.substr(0, colon), word.substr(colon + 1)};
}

// One line of a hostfile into hosts.
Status parse_line(const std::vector<std::string_view>& line, HostList& hosts,
                  std::string& complaint) {
  Host host;
  const auto [name, number] = name_and_slots(line[0]);
  if (line[0].find(':') != std::string_view::npos) {
    const auto slots = parse_number(number, kMaxSlots);
    if (!slots || *slots == 0) {
      return complain(complaint, "'{}' is no number of slots of {}", number, name);
    }
    host.slots = *slots;
  }
  for (std::size_t i = 1; i < line.size(); ++i) {
    const auto equals = line[i].find('=');
    const std::string key = lower(line[i].substr(0, equals));
    const std::string_view digits =
        equals == std::string_view::npos ? std::string_view{} : line[i].substr(equals + 1);
    const std::uint32_t value = parse_number(digits, kMaxSlots).value_or(0);
    const bool max = key == "max_slots" || key == "max-slots";
    if (key != "slots" && !max) {
      return complain(complaint, "unknown word '{}'; use slots=N or max_slots=N", line[i]);
    }
    if (value == 0) {
      return complain(complaint, "'{}' wants a number of at least 1", line[i]);
    }
    (max ? host.max_slots : host.slots) = value;
  }
  if (host.max_slots > 0 && host.slots > host.max_slots) {
    return complain(complaint, "{} has more slots ({}) than max_slots ({})", name, host.slots,
                    host.max_slots);
  }
  KRG_TRY_ASSIGN(const auto names, expand_range(name, complaint));
  for (const std::string& each : names) {
    host.name = each;
    hosts.add(host, host.slots == 0 ? 1 : 0);
  }
  if (hosts.size() > kMaxHosts) return complain(complaint, "more than {} hosts", kMaxHosts);
  return {};
}

// One item of -H: "NAME", "NAME:N", "NAME:*".
Status parse_item(std::string_view item, std::span<const Host> known, HostList& hosts,
                  std::string& complaint) {
  const auto [name, number] = name_and_slots(item);
  const bool stated = item.find(':') != std::string_view::npos;
  const bool all = number == "*" || lower(number) == "auto";
  const auto slots = !stated ? 1u : all ? 0u : parse_number(number, kMaxSlots).value_or(0);
  if (stated && !all && slots == 0) {
    return complain(complaint,
                    "host {}: '{}' is no number of slots; use {}:4, or {}:* for one "
                    "per core",
                    item, number, name, name);
  }
  KRG_TRY_ASSIGN(const auto names, expand_range(name, complaint));
  for (const std::string& each : names) {
    const auto at =
        std::find_if(known.begin(), known.end(), [&](const Host& h) { return h.name == each; });
    if (!known.empty() && at == known.end()) {
      return complain(complaint, "host {} is not in the hostfile", each);
    }
    Host host{each, slots, 0};
    if (at != known.end()) {
      host.max_slots = at->max_slots;
      if (!stated) host.slots = at->slots;
    }
    // A second mention adds a slot only where slots come from counting mentions.
    if (Host* again = hosts.find(each); again != nullptr && !known.empty()) {
      if (stated) again->slots = again->slots == 0 ? 0 : again->slots + slots;
    } else {
      hosts.add(std::move(host));
    }
  }
  if (hosts.size() > kMaxHosts) return complain(complaint, "more than {} hosts", kMaxHosts);
  return {};
}

// "+n2", "+n2:4": the third of `known`. "+e3": the next three of `known` that are not taken yet.
Status parse_relative(std::string_view item, std::span<const Host> known, HostList& hosts,
                      std::string& complaint) {
  const auto [name, slots] = name_and_slots(item);
  const auto number = parse_number(name.substr(std::min<std::size_t>(2, name.size())));
  const char kind = name.size() > 1 ? name[1] : ' ';
  if (!number || (kind != 'n' && kind != 'e')) {
    return complain(complaint, "host {}: write +nK for the K-th host or +eN for any N", item);
  }
  if (known.empty()) {
    return complain(complaint, "host {}: there is no hostfile to choose from", item);
  }
  const std::string suffix = slots.empty() ? std::string() : ":" + std::string(slots);
  if (kind == 'n') {
    if (*number >= known.size()) {
      return complain(complaint, "host {}: there are only {} hosts, from +n0", item, known.size());
    }
    return parse_item(known[*number].name + suffix, known, hosts, complaint);
  }
  std::uint32_t wanted = *number;
  for (const Host& host : known) {
    if (wanted == 0) break;
    if (hosts.find(host.name) != nullptr) continue;
    KRG_TRY(parse_item(host.name + suffix, known, hosts, complaint));
    --wanted;
  }
  if (wanted > 0) return complain(complaint, "host {}: too few hosts are left for it", item);
  return {};
}

}  // namespace

Result<std::vector<std::string>> expand_range(std::string_view name, std::string& complaint) {
  const auto open = name.find('[');
  if (open == std::string_view::npos) {
    if (is_host_name(name)) return std::vector<std::string>{std::string(name)};
    return complain(complaint, "'{}' is no host name", name);
  }
  const auto close = name.find(']', open);
  if (close == std::string_view::npos) return complain(complaint, "'{}' lacks a ']'", name);
  std::vector<std::string> out;
  for (const std::string_view item : split(name.substr(open + 1, close - open - 1), ',')) {
    const auto dash = item.find('-');
    const std::string_view low = item.substr(0, dash);
    const std::string_view high = dash == std::string_view::npos ? low : item.substr(dash + 1);
    const auto first = parse_number(low);
    const auto last = parse_number(high);
    if (!first || !last || *last < *first || *last - *first >= kMaxHosts) {
      return complain(complaint, "'{}': '{}' is no range; write [01-04,7]", name, item);
    }
    for (std::uint32_t i = *first; i <= *last; ++i) {
      // "01" says two digits for all of the range.
      const std::string one =
          fmt::format("{}{:0{}}{}", name.substr(0, open), i, low.size(), name.substr(close + 1));
      auto rest = expand_range(one, complaint);
      if (!rest) return rest.error();
      out.insert(out.end(), rest->begin(), rest->end());
      if (out.size() > kMaxHosts) {
        return complain(complaint, "'{}' means more than {} hosts", name, kMaxHosts);
      }
    }
  }
  return out;
}

Result<std::vector<Host>> parse_hostfile(std::string_view text, std::string_view origin,
                                         std::string& complaint) {
  HostList hosts;
  std::size_t number = 0;
  for (const std::string_view line : split(text, '\n')) {
    ++number;
    const auto parts = words(line);
    if (parts.empty()) continue;
    if (auto status = parse_line(parts, hosts, complaint); !status) {
      return complain(complaint, "{}:{}: {}", origin, number, std::string(complaint));
    }
  }
  if (hosts.size() == 0) return complain(complaint, "{}: no host in it", origin);
  return std::move(hosts).take();
}

Result<std::vector<Host>> read_hostfile(const std::string& path, std::string& complaint) {
  KRG_TRY_ASSIGN(const std::string text, read_text(path, "hostfile", complaint));
  return parse_hostfile(text, path, complaint);
}

Result<std::string> read_text(const std::string& path, std::string_view what,
                              std::string& complaint) {
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  std::string text;
  char buffer[1 << 16];
  ssize_t got = fd ? 1 : -1;
  while (got > 0 && text.size() <= kMaxFile) {
    got = ::read(fd.get(), buffer, sizeof buffer);
    if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
    if (got < 0 && errno == EINTR) got = 1;
  }
  if (got < 0) {
    const int saved = errno;
    const Errc code = saved == ENOENT   ? Errc::not_found
                      : saved == EACCES ? Errc::denied
                                        : Errc::system_error;
    return complain(complaint, code, "{} {} can not be read: {}", what, path,
                    std::generic_category().message(saved));
  }
  if (text.size() > kMaxFile) return complain(complaint, "{} {} is too large", what, path);
  return text;
}

Result<std::vector<Host>> parse_host_list(std::string_view text, std::span<const Host> known,
                                          std::string& complaint) {
  HostList hosts;
  for (const std::string_view item : split(text, ',')) {
    if (item.starts_with('+')) {
      KRG_TRY(parse_relative(item, known, hosts, complaint));
    } else if (item.empty()) {
      return complain(complaint, "host list '{}' has an empty item", text);
    } else {
      KRG_TRY(parse_item(item, known, hosts, complaint));
    }
  }
  return std::move(hosts).take();
}

}  // namespace krg::placement
