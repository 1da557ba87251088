// A table of parameters that all ranks read often and change now and then, a page at a time.
//
// Reading costs no message once a page's copy is on the node; a change takes the copies away. In
// each round every rank reads all parameters, then adds its part to some of them.
#include "example.h"

namespace {

using namespace example;

class ParameterTable {
 public:
  static constexpr std::size_t kPerPage = 512;

  ParameterTable(Space& space, std::size_t parameters)
      : space_(space), pages_(parameters / kPerPage) {
    SetOptions options;
    options.object_bytes = kPerPage * sizeof(double);
    options.object_count = pages_;
    options.copies = 2;  // The table survives the death of any one node.
    set_ = must(space.open("example.parameters", options), "the table");
  }

  std::size_t pages() const { return pages_; }
  double sum_of(std::size_t page) {
    const auto lease = must(space_.get(set_, ObjectId{page}), "a page");
    const auto* const values = reinterpret_cast<const double*>(lease.bytes().data());
    double sum = 0;
    for (std::size_t i = 0; i < kPerPage; ++i) sum += values[i];
    return sum;
  }
  void add(std::size_t page, double part) {
    auto lease = must(space_.grab(set_, ObjectId{page}), "a page");
    auto* const values = reinterpret_cast<double*>(lease.bytes().data());
    for (std::size_t i = 0; i < kPerPage; ++i) values[i] += part;
  }

 private:
  Space& space_;
  const std::size_t pages_;
  SetId set_;
};

}  // namespace

int main() {
  const unsigned rank = number_from("KRG_RANK");
  const unsigned ranks = number_from("KRG_SIZE");
  constexpr unsigned kRounds = 10;

  const auto space = must(Space::connect(), "connecting to krgd");
  ParameterTable table(*space, 32 * ParameterTable::kPerPage);
  Meeting meeting(*space, ranks);

  bool right = true;
  for (unsigned round = 0; round < kRounds; ++round) {
    double sum = 0;
    for (std::size_t page = 0; page < table.pages(); ++page) sum += table.sum_of(page);
    const double expected = static_cast<double>(round) * ranks *
                            static_cast<double>(table.pages()) * ParameterTable::kPerPage;
    right = right && sum == expected;
    meeting.wait();
    for (std::size_t i = 0; i < table.pages(); ++i) table.add((i + rank * 7) % table.pages(), 1);
    meeting.wait();
  }
  std::printf("rank %u saw every change of %u rounds: %s\n", rank, kRounds,
              right ? "right" : "WRONG");
  return right ? 0 : 1;
}
