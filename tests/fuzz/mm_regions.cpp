// Goal    no options of a set that another node or a task says is a region harm krgd, and no order
//         of faults, grants and withdrawals makes the pages of one wrong.
// Method  the first byte chooses: the rest are the options' data, and then what is done with the
//         region's places; or steps of Pages, beside a plain account of who may what.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "krg/log/log.h"
#include "krg/mm/memory.h"
#include "krg/mm/pages.h"
#include "krg/mm/stream.h"
#include "krg/mm_calls/calls.h"

namespace krg::mm {
namespace {

constexpr std::uint64_t kPages = 16;

void fuzz_options(std::span<const std::uint8_t> bytes) {
  static const reactor::RealClock clock;
  static reactor::Reactor reactor(clock);
  static Memory memory(reactor, NodeId{0});
  static std::uint64_t sets = 0;
  if (bytes.size() < 2) return;
  kddm::SetOptions options;
  options.linker = "pages";
  options.object_bytes = bytes[0] == 0 ? 4096 : bytes[0];
  options.object_count = bytes[1];
  options.linker_data.assign(reinterpret_cast<const char*>(bytes.data()) + 2, bytes.size() - 2);
  const auto said = wire::decode<RegionInfo>(std::as_bytes(bytes.subspan(2)));
  if (said && bytes[1] == 0) options.object_count = said->capacity / kPageBytes;
  options.policy = kddm::HomePolicy::linker;
  kddm::Linker& linker = memory.linker();
  const bool accepted = linker.accepts(options).has_value();
  const kddm::SetId set{++sets};
  linker.begin(set, options);
  kddm::Residence& residence = *linker.residence();
  const std::uint64_t behind = accepted ? said->capacity / kPageBytes : 0;
  const std::uint64_t last = accepted ? said->bytes / kPageBytes - 1 : 0;
  for (const std::uint64_t page : {std::uint64_t{0}, last, behind, ~std::uint64_t{0}}) {
    const kddm::ObjectId object{page};
    const auto place = residence.place(set, object);
    KRG_ASSERT(place.empty() || (accepted && page < behind));
    if (place.empty()) continue;
    std::vector<std::byte> bytes_of_page(place.size(), std::byte{1});
    residence.write(set, object, bytes_of_page);
    KRG_ASSERT(place[5] == std::byte{1});
    residence.protect(set, object);
    residence.vacate(set, object);
    KRG_ASSERT(place[0] == std::byte{0} && !residence.is_open(set, object));
    residence.let_go(set);
  }
  if (accepted && options.policy == kddm::HomePolicy::linker) {
    const NodeId home = linker.preferred_home(set, kddm::ObjectId{behind});
    KRG_ASSERT(said->placement != Placement::block || said->nodes.contains(home));
  }
  linker.end(set);
  KRG_ASSERT(residence.place(set, kddm::ObjectId{0}).empty());
}

// What Pages must say, in the plainest form.
struct Account {
  Access access = Access::none;
  std::vector<Pages::Waiting> waiting;
};

void check_served(Account& account, const std::vector<Pages::Waiting>& served, bool more) {
  std::size_t left = 0;
  for (const Pages::Waiting& who : account.waiting) {
    if (who.write && account.access != Access::write) ++left;
  }
  KRG_ASSERT(served.size() + left == account.waiting.size());
  KRG_ASSERT(more == (left > 0));
  std::erase_if(account.waiting, [&](const Pages::Waiting& who) {
    return !who.write || account.access == Access::write;
  });
}

void fuzz_pages(std::span<const std::uint8_t> bytes) {
  Pages pages(kPages);
  Stream stream;
  std::array<Account, kPages> accounts;
  std::uint32_t now = 0;
  for (std::size_t i = 0; i + 2 < bytes.size(); i += 3) {
    now += bytes[i];
    const Page page{bytes[i + 1] % kPages};
    Account& account = accounts[page.value];
    const Seat seat{static_cast<std::uint16_t>(bytes[i + 2] % 3)};
    const bool write = (bytes[i + 2] & 128) != 0;
    const Access wanted = write ? Access::write : Access::read;
    switch (bytes[i] % 6) {
      case 0: {
        const auto answer = pages.fault(page, {seat, write});
        KRG_ASSERT((answer == Pages::Answer::map) == (account.access >= wanted));
        if (answer != Pages::Answer::map) account.waiting.push_back({seat, write});
        const std::uint64_t most = stream.on_fault(page, write);
        const Stretch ahead = stream.on_mapped(page, std::min(most, kPages - page.value), kPages);
        KRG_ASSERT(ahead.count == 0 || ahead.first.value + ahead.count <= kPages);
        break;
      }
      case 1: {
        std::vector<Pages::Waiting> served;
        account.access = std::max(account.access, wanted);
        const bool more = pages.granted(page, wanted, now, served);
        check_served(account, served, more);
        if (account.access == Access::write) pages.note_writer(page, seat);
        break;
      }
      case 2:
        pages.protect(page, now);
        account.access = std::min(account.access, Access::read);
        KRG_ASSERT(pages.writer(page) == kNobody);
        break;
      case 3:
        pages.vacate(page, now);
        account.access = Access::none;
        break;
      case 4:
        KRG_ASSERT(pages.failed(page).size() == account.waiting.size());
        account.waiting.clear();
        break;
      case 5:
        pages.forget(seat);
        for (Account& each : accounts) {
          std::erase_if(each.waiting, [&](const auto& who) { return who.seat == seat; });
        }
        break;
    }
    KRG_ASSERT(pages.access(page) == account.access);
    KRG_ASSERT(pages.is_wanted(page) == !account.waiting.empty());
    KRG_ASSERT(pages.hold_us(page) <= 400);
  }
}

// What another node says of a region's state: it is refused, or its ranges are what they seem.
void fuzz_state(std::span<const std::uint8_t> bytes) {
  auto state = wire::decode<RegionState>(std::as_bytes(bytes));
  if (!state || !state->read_only.is_valid(kPages)) return;
  PageRanges copy = state->read_only;
  for (std::uint64_t page = 0; page < kPages; ++page) {
    const std::uint64_t change = copy.next_change(page, kPages);
    KRG_ASSERT(page < change && change <= kPages);
    KRG_ASSERT(copy.has(page) ? copy.is_set(page, change) : copy.is_clear(page, change));
  }
  copy.set(state->version % kPages, kPages);
  KRG_ASSERT(copy.is_valid(kPages));
  copy.clear(0, kPages);
  KRG_ASSERT(copy.empty());
}

}  // namespace
}  // namespace krg::mm

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  krg::log::set_level(krg::log::Level::off);
  if (size == 0) return 0;
  const std::span bytes(data + 1, size - 1);
  if (data[0] == 255) {
    krg::mm::fuzz_state(bytes);
  } else if (data[0] % 2 == 0) {
    krg::mm::fuzz_options(bytes);
  } else {
    krg::mm::fuzz_pages(bytes);
  }
  return 0;
}
