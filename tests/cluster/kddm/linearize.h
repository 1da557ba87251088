// Whether a history of one object is linearizable: whether every operation can have taken effect at
// one instant between its invocation and its return, so that each has seen what it should.
//
// Follows the history and keeps every state that the object can be in together with which of the
// operations under way have taken effect in it. Operations are only put in order when one returns
// (Lowe, "Testing for linearizability", 2017; Wing and Gong, 1993). As writes have values of their
// own, nearly always one state is left.
#pragma once

#include <cstddef>
#include <string>

#include "history.h"

namespace krg::kddm_sim {

enum class Verdict : std::uint8_t { right, wrong, undecided };

struct Judgement {
  Verdict verdict = Verdict::right;
  std::string text;             // Of wrong: what can not be; of undecided: which bound was hit.
  std::size_t states_most = 0;  // Kept at one time.
};

// Requires  steps are unique; every value but kZeros is written once.
// Cost      with few operations at a time about 1 us each.
Judgement linearize(const History& history);

}  // namespace krg::kddm_sim
