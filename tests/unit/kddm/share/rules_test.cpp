// The rules of leases in every interleaving: three tasks, krgd, deaths.

#include <gtest/gtest.h>

#include "rules_model.h"

namespace krg::kddm::model {
namespace {

using rules::Mutant;

std::string to_text(const Verdict& verdict) {
  std::string text = verdict.violation;
  for (const std::string& step : verdict.path) text += "\n  " + step;
  return text;
}

const std::vector<Plan>& plans() {
  static const std::vector<Plan> all = {
      {{"rr", "w", ""}, "i", 0}, {{"r", "r", "w"}, "", 0},   {{"r", "w", "w"}, "", 0},
      {{"rw", "wr", ""}, "", 0}, {{"r", "r", ""}, "i", 1},   {{"r", "w", ""}, "i", 1},
      {{"r", "w", ""}, "g", 0},  {{"rr", "w", ""}, "du", 0}, {{"r", "w", ""}, "n", 1},
      {{"r", "r", "w"}, "", 1},  {{"W", "r", ""}, "W", 1},   {{"R", "w", ""}, "R", 1},
      {{"W", "w", ""}, "W", 0},  {{"R", "w", ""}, "Ri", 0},  {{"w", "w", ""}, "i", 1},
  };
  return all;
}

TEST(ShareRules, HoldInEveryInterleaving) {
  std::uint64_t states = 0;
  for (const Plan& plan : plans()) {
    const Verdict verdict = explore(plan);
    EXPECT_EQ(verdict.violation, "") << plan.tasks[0] << ' ' << plan.tasks[1] << ' '
                                     << plan.tasks[2] << ' ' << plan.krgd << to_text(verdict);
    states += verdict.states;
  }
  RecordProperty("states", std::to_string(states));
  std::printf("%lu states\n", static_cast<unsigned long>(states));
  EXPECT_GT(states, 100'000u);
}

TEST(ShareRules, EverySeededBugIsFound) {
  for (const Mutant mutant :
       {Mutant::trust_first_look, Mutant::forget_readers_bit, Mutant::skip_tables,
        Mutant::look_then_announce, Mutant::yield_clears_readers, Mutant::reader_rings_never,
        Mutant::ring_before_end, Mutant::writer_entry_late, Mutant::death_clears_readers}) {
    bool found = false;
    for (const Plan& plan : plans()) found = found || !explore(plan, mutant).violation.empty();
    EXPECT_TRUE(found) << "bug " << static_cast<int>(mutant) << " is not found";
  }
}

}  // namespace
}  // namespace krg::kddm::model
