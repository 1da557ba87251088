#include "krg/protocol/part.h"

#include <algorithm>

#include "krg/protocol/step.h"

namespace krg::kddm {

bool cancel(Part& part, std::uint32_t op) noexcept {
  if (!part.waiting) return false;
  const auto at = std::find_if(part.waiting->begin(), part.waiting->end(),
                               [&](const Message& m) { return is_op(m.kind) && m.op == op; });
  if (at == part.waiting->end()) return false;
  part.waiting->erase(at);
  if (part.waiting->empty()) part.waiting.reset();
  return true;
}

bool is_blank(const Part& part) noexcept {
  const Holder& holder = part.holder;
  const Home& home = part.home;
  return holder.copy == Copy::none && holder.asks == Asks::nothing && !part.waiting &&
         (home.state == HomeState::away || home.state == HomeState::absent) && !home.noted;
}

Part blank_part(const Place& place) noexcept {
  Part part;
  if (place.self == place.home) part.home.state = HomeState::absent;
  return part;
}

}  // namespace krg::kddm
