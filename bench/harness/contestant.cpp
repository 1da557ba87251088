#include "krg/harness/contestant.h"

#include <utility>

namespace krg::harness {
namespace {

class Solo final : public Contestant {
 public:
  explicit Solo(std::function<Result<Sample>(const Job&)> measure) : measure_(std::move(measure)) {}
  Result<Sample> measure(const Job& job) override { return measure_(job); }

 private:
  std::function<Result<Sample>(const Job&)> measure_;
};

}  // namespace

Contestant::~Contestant() = default;
Status Contestant::open(Side, Meeting&) { return {}; }
void Contestant::serve(const Job&, const Baton&) {}

MakeContestant solo(std::function<Result<Sample>(const Job&)> measure) {
  return [measure = std::move(measure)] { return std::make_unique<Solo>(measure); };
}

}  // namespace krg::harness
