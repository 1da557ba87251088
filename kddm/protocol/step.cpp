#include "krg/protocol/step.h"

#include "rules.h"

namespace krg::kddm {

StepResult step(const Place& place, Part& part, const Message& in, Actions& out) {
  StepResult result;
  result.outcome = Protocol<NoMutants>::step(place, part, in, out, result.why);
  return result;
}

void change_view(const Place& place, const Before& before, Part& part, Actions& out) {
  Protocol<NoMutants>::change_view(place, before, part, out);
}

void recheck(const Place& place, Part& part, Actions& out) {
  Protocol<NoMutants>::recheck(place, part, out);
}

}  // namespace krg::kddm
