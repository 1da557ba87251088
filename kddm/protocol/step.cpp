#include "krg/protocol/step.h"

#include <algorithm>

#include "rules.h"

namespace krg::kddm {

StepResult step(const Place& place, Part& part, const Message& in, Actions& out) {
  StepResult result;
  result.outcome = Protocol<NoMutants>::step(place, part, in, out, result.why);
  return result;
}

void change_view(const Place& place, Part& part, Actions& out) {
  Protocol<NoMutants>::change_view(place, part, out);
}

void recheck(const Place& place, Part& part, Actions& out) {
  Protocol<NoMutants>::recheck(place, part, out);
}

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
