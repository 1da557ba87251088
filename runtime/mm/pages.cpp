#include "krg/mm/pages.h"

#include <algorithm>

#include "krg/base/assert.h"

namespace krg::mm {

const Pages::State* Pages::find(Page page) const noexcept {
  const auto chunk = chunks_.find(page.value / kChunk);
  return chunk == chunks_.end() ? nullptr : &(*chunk->second)[page.value % kChunk];
}

Pages::State& Pages::at(Page page) {
  std::unique_ptr<Chunk>& chunk = chunks_[page.value / kChunk];
  if (!chunk) chunk = std::make_unique<Chunk>();
  return (*chunk)[page.value % kChunk];
}

Access Pages::access(Page page) const noexcept {
  const State* const state = find(page);
  return state == nullptr ? Access::none : state->access;
}

std::uint64_t Pages::run(Page first, Access least, std::uint64_t most) const noexcept {
  std::uint64_t length = 0;
  while (length < most && first.value + length < count_) {
    const State* const state = find(Page{first.value + length});
    if (state == nullptr || state->access < least) break;
    ++length;
  }
  return length;
}

Pages::Answer Pages::fault(Page page, const Waiting& who) {
  KRG_DASSERT(page.value < count_);
  if (access(page) >= (who.write ? Access::write : Access::read)) return Answer::map;
  const auto [fetch, first] = fetches_.try_emplace(page);
  fetch->second.push_back(who);
  if (!first) return Answer::wait;
  return who.write ? Answer::grab : Answer::get;
}

bool Pages::granted(Page page, Access access, std::uint32_t now_us, std::vector<Waiting>& served) {
  State& state = at(page);
  if (access > state.access) state.granted_us = now_us;
  state.cold = false;
  state.access = std::max(state.access, access);
  const auto fetch = fetches_.find(page);
  if (fetch == fetches_.end()) return false;
  if (state.access == Access::write) {
    served = std::move(fetch->second);
    fetches_.erase(fetch);
    return false;
  }
  std::vector<Waiting>& all = fetch->second;
  const auto rest =
      std::stable_partition(all.begin(), all.end(), [](const Waiting& who) { return !who.write; });
  served.assign(all.begin(), rest);
  all.erase(all.begin(), rest);
  if (!all.empty()) return true;
  fetches_.erase(fetch);
  return false;
}

std::vector<Pages::Waiting> Pages::failed(Page page) {
  const auto fetch = fetches_.find(page);
  if (fetch == fetches_.end()) return {};
  std::vector<Waiting> all = std::move(fetch->second);
  fetches_.erase(fetch);
  return all;
}

bool Pages::is_wanted(Page page) const noexcept {
  const auto fetch = fetches_.find(page);
  return fetch != fetches_.end() && !fetch->second.empty();
}

void Pages::note_writer(Page page, Seat seat) noexcept {
  State& state = at(page);
  KRG_DASSERT(state.access == Access::write);
  state.writer = state.writer == kNobody || state.writer == seat ? seat : kAnybody;
}

Seat Pages::writer(Page page) const noexcept {
  const State* const state = find(page);
  return state == nullptr ? kNobody : state->writer;
}

std::vector<Page> Pages::written() const {
  std::vector<Page> all;
  for (const auto& [number, chunk] : chunks_) {
    for (std::uint64_t i = 0; i < kChunk; ++i) {
      if ((*chunk)[i].writer != kNobody) all.push_back(Page{number * kChunk + i});
    }
  }
  return all;
}

std::vector<Page> Pages::open_from(Page first) const {
  std::vector<Page> all;
  for (const auto& [number, chunk] : chunks_) {
    for (std::uint64_t i = 0; i < kChunk; ++i) {
      const Page page{number * kChunk + i};
      if ((*chunk)[i].access != Access::none && page.value >= first.value) all.push_back(page);
    }
  }
  std::sort(all.begin(), all.end(), [](Page a, Page b) { return a.value < b.value; });
  return all;
}

void Pages::count_bounce(State& state, std::uint32_t now_us) noexcept {
  if (state.access == Access::none) return;
  if (now_us - state.granted_us < kSoonUs) {
    if (state.bounces < kBouncesMax) ++state.bounces;
  } else if (state.bounces > 0) {
    --state.bounces;
  }
}

std::uint32_t Pages::hold_us(Page page) const noexcept {
  const State* const state = find(page);
  if (state == nullptr || state->bounces <= kBouncesFree) return 0;
  return std::min(kHoldUs << (state->bounces - kBouncesFree - 1), kHoldMaxUs);
}

void Pages::protect(Page page, std::uint32_t now_us) noexcept {
  State& state = at(page);
  if (state.access == Access::write) count_bounce(state, now_us);
  state.access = std::min(state.access, Access::read);
  state.writer = kNobody;
}

void Pages::vacate(Page page, std::uint32_t now_us) noexcept {
  State& state = at(page);
  count_bounce(state, now_us);
  state.access = Access::none;
  state.writer = kNobody;
}

void Pages::cool(Page page) noexcept {
  State& state = at(page);
  state.cold = true;
  state.writer = kNobody;
}

void Pages::warm(Page first, std::uint64_t count) noexcept {
  for (std::uint64_t i = 0; i < count; ++i) at(Page{first.value + i}).cold = false;
}

bool Pages::is_cold(Page page) const noexcept {
  const State* const state = find(page);
  return state != nullptr && state->cold;
}

void Pages::forget(Seat seat) {
  for (auto& [page, waiting] : fetches_) {
    std::erase_if(waiting, [&](const Waiting& who) { return who.seat == seat; });
  }
}

}  // namespace krg::mm
